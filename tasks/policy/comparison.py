"""REVER's refunds beside the ledger's: what REVER does not show of ours, and what it shows that is not ours."""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

from rever_api.models import ReturnProcess
from tasks.policy.claims import BY_A_PERSON, money_intents
from tasks.policy.reading import exchange_shown, refunds_shown
from tasks.policy.record import IntentKind, IntentState, Record

Shape = tuple[str, Decimal, str]
"""A refund as both sides can name it: type, amount, currency."""

Purse = tuple[str, str]
"""Type and currency, in which amounts may be added up."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs. `missing` and `foreign` are amounts per type and currency, each only where not 0.

    `others` is all that REVER shows and this desk did not send, per currency, adopted and closed by hand or not, what
    was taken back added as well: it grows with each further movement, whatever became of those before.
    `foreign_taken_back` says that some of it is negative, so that `foreign` may be less than was moved, or nothing.
    `foreign_unpaid` says that a foreign refund is not wholly paid yet by REVER's own account (`missing_amount`).
    """

    missing: dict[Purse, Decimal]
    foreign: dict[Purse, Decimal]
    others: dict[str, Decimal]
    foreign_unpaid: bool
    foreign_taken_back: bool
    exchange_missing: bool
    exchange_foreign: bool


def compare(process: ReturnProcess, record: Record) -> Comparison:
    """Match REVER's refunds with the done ones, one to one by type, amount and currency.

    A refund that REVER made itself was adopted by its method's sum, since it may have paid in several parts: those
    are matched by sum. A refund that a person closed by hand is matched by its amount where it can be seen.
    """
    done = [intent for intent in money_intents(record) if intent.state is IntentState.DONE]
    refunds = [intent for intent in done if intent.kind is IntentKind.REFUND and intent.amount]
    shown = Counter((str(it.type), it.amount, it.currency) for it in refunds_shown(process) if it.amount)
    own = Counter((it.method, it.amount, it.currency) for it in refunds if not it.adopted)
    adopted = Counter((it.method, it.amount, it.currency) for it in refunds if it.adopted)
    missing, rest = _sums(own - shown), shown - own
    others: dict[str, Decimal] = {}
    for (_, amount, currency), times in rest.items():
        others[currency] = others.get(currency, Decimal(0)) + abs(amount) * times
    adopted, rest = adopted - rest, rest - adopted
    rest = _without_closed(rest, record)
    difference = _sums(rest)
    for purse, amount in _sums(adopted).items():
        difference[purse] = difference.get(purse, Decimal(0)) - amount
    for purse, amount in difference.items():
        if purse in _sums(adopted) and amount < 0:
            missing[purse] = missing.get(purse, Decimal(0)) - amount
    exchanged = any(intent.kind is IntentKind.EXCHANGE for intent in done)
    return Comparison(
        missing=missing,
        foreign={purse: amount for purse, amount in difference.items() if amount and purse not in missing},
        others=others,
        foreign_taken_back=any(amount < 0 for _, amount, _ in rest),
        foreign_unpaid=any(refund.missing_amount for refund in refunds_shown(process)),
        exchange_missing=exchanged and exchange_shown(process) is None,
        exchange_foreign=not exchanged and exchange_shown(process) is not None,
    )


def received(process: ReturnProcess, record: Record) -> dict[str, Decimal]:
    """What the shopper has in all, per currency: all that REVER shows, what we did and it does not show yet, and what
    people said they paid by hand, where REVER shows no such refund beside ours.
    """
    money = [it for it in money_intents(record) if it.kind is IntentKind.REFUND and it.amount]
    ours = Counter((it.amount, it.currency) for it in money if it.state is IntentState.DONE and not it.adopted)
    by_hand = Counter((it.amount, it.currency) for it in money if it.state is IntentState.DONE_BY_HAND)
    sums: dict[str, Decimal] = {}
    for (amount, currency), times in (Counter(_paid(process)) | (ours + by_hand)).items():
        sums[currency] = sums.get(currency, Decimal(0)) + amount * times
    return sums


def _paid(process: ReturnProcess) -> list[tuple[Decimal, str]]:
    return [(it.amount, it.currency) for it in refunds_shown(process) if it.amount]


def _sums(refunds: Counter[Shape]) -> dict[Purse, Decimal]:
    """The amounts per type and currency."""
    sums: dict[Purse, Decimal] = {}
    for (method, amount, currency), times in refunds.items():
        sums[method, currency] = sums.get((method, currency), Decimal(0)) + amount * times
    return sums


def _without_closed(rest: Counter[Shape], record: Record) -> Counter[Shape]:
    """Take out what a person said was paid: of the same type if there is one, else of any."""
    left = Counter(rest)
    closed = [it for it in money_intents(record) if it.state in BY_A_PERSON and it.kind is IntentKind.REFUND]
    for intent in closed:
        alike = [shape for shape in left if shape[1:] == (intent.amount, intent.currency) and left[shape] > 0]
        alike.sort(key=lambda shape: shape[0] != intent.method)
        if alike:
            left[alike[0]] -= 1
    return +left
