"""What both parts of the demo share: the same shops, the same flows, and the same questions at the end."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from deployments.demo.account import Account, read_account
from deployments.demo.promises import Promise, audited
from rever_api.sandbox import RunningSandbox
from rever_api.sandbox.state import Actor, Effect

SEED, RETURNS = 7, 60
SHOPS = ("acme", "nordic")
FLOWS = ("generate-labels", "process-pending-returns", "reconcile")


def account_in(env: Mapping[str, str]) -> Account:
    """The account in the ledger of a worker's environment. Raises `LedgerError`."""
    return read_account(env["REVER_LEDGER_URL"], env["REVER_ACCOUNT"])


def currencies(sandbox: RunningSandbox) -> dict[str, str]:
    """Store -> its own currency."""
    return {name: shop.settings.currency for name, shop in sandbox.sandbox.shops.items()}


def refunds(effects: Iterable[Effect]) -> list[Effect]:
    """The refunds made through the API, in the order of the books."""
    return [effect for effect in effects if effect.operation == "issueRefund" and effect.by is Actor.API]


def paid(effects: Iterable[Effect]) -> dict[str, Decimal]:
    """Currency -> what these effects paid through the API."""
    totals: dict[str, Decimal] = {}
    for effect in refunds(effects):
        totals[effect.currency] = totals.get(effect.currency, Decimal(0)) + (effect.amount or Decimal(0))
    return totals


def verdict(sandbox: RunningSandbox, account: Account) -> list[Promise]:
    """The auditor's verdict on REVER's books, given what the ledger explains."""
    return audited(sandbox.audit(), account.explained)
