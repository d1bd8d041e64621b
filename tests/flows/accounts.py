"""The same money from every side: what a run reported, what our ledger says, what REVER's books say, what was due."""

import time
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from tasks.desk import utc_now
from tasks.ledger import HoldRow, OpenIntent, done_between, open_holds, open_intents
from tasks.policy.record import IntentKind
from tests.flows.conftest import Bench

Amounts = dict[str, Decimal]


@dataclass(frozen=True)
class Account:
    """What the ledger holds: refunds done through the API per currency, holds, and outcomes still to come."""

    paid: Amounts
    holds: list[HoldRow]
    open: list[OpenIntent]

    @property
    def waits_for_somebody(self) -> set[str]:
        """The returns that are held, or whose outcome is settled at a stated time."""
        return {hold.process_id for hold in self.holds} | {intent.process_id for intent in self.open}


def account(bench: Bench) -> Account:
    """Read the ledger as it is."""
    ledger, now = bench.ledger(), utc_now()
    try:
        done = ledger.read(done_between, now - timedelta(days=1), now + timedelta(seconds=1))
        holds, opened = ledger.read(open_holds), ledger.read(open_intents)
    finally:
        ledger.close()
    paid: Amounts = {}
    for row in done:
        intent = row.intent
        if intent.kind is IntentKind.REFUND and not intent.adopted and not intent.nothing_sent:
            paid[intent.currency] = paid.get(intent.currency, Decimal(0)) + intent.amount
    return Account(paid, holds, opened)


def added(*many: Amounts) -> Amounts:
    """The sums per currency, without those that come to nothing."""
    total: Amounts = {}
    for amounts in many:
        for currency, amount in amounts.items():
            total[currency] = total.get(currency, Decimal(0)) + amount
    return {currency: amount for currency, amount in sorted(total.items()) if amount}


def wait_until_settled(bench: Bench) -> None:
    """Wait until nothing open is still within its lease, its deadline or the time in which it may yet show up."""
    ends = [end for item in account(bench).open for end in (item.lease_until, item.deadline, item.settle_at) if end]
    time.sleep(max(0.0, max(((end - utc_now()).total_seconds() for end in ends), default=0.0)) + 0.1)


def assert_promises_kept(bench: Bench, about: str = "") -> Account:
    """No promise broken, ledger and books equal to the cent, and whatever is due is held or open. Prints both books."""
    ours, audit, theirs = account(bench), bench.sandbox.audit(), bench.paid()
    print(about)
    print(f"  REVER's books: {shown(theirs)}, {len(bench.sandbox.books)} effects; our ledger: {shown(ours.paid)}")
    print(f"  still due without a hold's reason at REVER: {shown(audit.due_total)}; {len(ours.open)} outcomes open")
    print(f"  {len(ours.holds)} held: {dict(sorted(Counter(hold.kind for hold in ours.holds).items()))}")
    assert audit.violations == ()
    assert ours.paid == theirs
    assert audit.forgotten(ours.waits_for_somebody) == ()
    return ours


def shown(amounts: Amounts) -> str:
    """Amounts in words."""
    return ", ".join(f"{amount} {currency}" for currency, amount in sorted(amounts.items())) or "nothing"
