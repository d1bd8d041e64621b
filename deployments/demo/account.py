"""What the demo's ledger says, read once and grouped per store and currency. The grouping is pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tasks.ledger import (
    History,
    HoldRow,
    IntentRow,
    Ledger,
    OpenIntent,
    ShadowRow,
    Unfinished,
    done_between,
    history,
    open_holds,
    open_intents,
    shadow_rows,
    unfinished,
)
from tasks.policy.decision import DecisionName
from tasks.policy.record import IntentKind

_COUNTS = ("refunds", "exchanged", "labelled", "waits", "held")
_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Account:
    """Our side of the story: what was done, what is still open, what is held, and what waits for its time."""

    done: tuple[IntentRow, ...] = ()
    open: tuple[OpenIntent, ...] = ()
    holds: tuple[HoldRow, ...] = ()
    unfinished: tuple[Unfinished, ...] = ()

    def sent(self, kind: IntentKind) -> tuple[IntentRow, ...]:
        """The effects of a kind that we had carried out; not what REVER had done itself, nor what came to 0."""
        return tuple(
            row
            for row in self.done
            if row.intent.kind is kind and not row.intent.adopted and not row.intent.nothing_sent
        )

    @property
    def paid(self) -> dict[str, Decimal]:
        """Currency -> what we refunded."""
        totals: dict[str, Decimal] = {}
        for row in self.sent(IntentKind.REFUND):
            totals[row.intent.currency] = totals.get(row.intent.currency, Decimal(0)) + row.intent.amount
        return dict(sorted(totals.items()))

    @property
    def waits(self) -> tuple[Unfinished, ...]:
        """The returns that nothing was to be done for yet, and nobody has to decide about."""
        return tuple(item for item in self.unfinished if item.decision == DecisionName.WAIT and not item.held)

    @property
    def explained(self) -> frozenset[str]:
        """The returns that are held, or open with a time at which they are looked at next: not forgotten."""
        held = {row.process_id for row in self.holds}
        opened = {item.process_id for item in self.open}
        looked_at = {item.process_id for item in self.unfinished if item.next_look_at is not None}
        return frozenset(held | opened | looked_at)


@dataclass(frozen=True, slots=True)
class StoreTotals:
    """One line of the demo's table. `paid` is money in `currency`; the others are counts."""

    store: str
    currency: str
    refunds: int = 0
    paid: Decimal = Decimal(0)
    exchanged: int = 0
    labelled: int = 0
    waits: int = 0
    held: int = 0


def totals(account: Account, currencies: Mapping[str, str]) -> list[StoreTotals]:
    """Group an account per store and currency. `currencies` is store -> its own currency, for what has no amount.

    A return is counted in each column that it belongs to: one half paid, whose other half waits, is in both.
    """
    paid: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    counts: Counter[tuple[str, str, str]] = Counter()
    for row in account.sent(IntentKind.REFUND):
        paid[row.store, row.intent.currency] += row.intent.amount
        counts[row.store, row.intent.currency, "refunds"] += 1
    without_amount = [
        *((row.store, "exchanged") for row in account.sent(IntentKind.EXCHANGE)),
        *((row.store, "labelled") for row in account.sent(IntentKind.LABEL)),
        *((item.store, "waits") for item in account.waits),
        *((store, "held") for store, _ in {(hold.store, hold.process_id) for hold in account.holds}),
    ]
    counts.update((store, currencies.get(store, ""), name) for store, name in without_amount)
    keys = {*currencies.items(), *paid, *((store, currency) for store, currency, _ in counts)}
    return [_line(store, currency, paid, counts) for store, currency in sorted(keys)]


def _line(
    store: str, currency: str, paid: Mapping[tuple[str, str], Decimal], counts: Counter[tuple[str, str, str]]
) -> StoreTotals:
    refunds, exchanged, labelled, waits, held = (counts[store, currency, name] for name in _COUNTS)
    amount = paid.get((store, currency), Decimal(0))
    return StoreTotals(store, currency, refunds, amount, exchanged, labelled, waits, held)


def read_account(url: str, account: str) -> Account:
    """Read the ledger at `url`, bound to `account`, changing nothing in it. Raises `LedgerError`."""
    with _reading(url, account) as ledger:
        return Account(
            done=tuple(ledger.read(done_between, _BEGINNING, datetime.now(UTC) + timedelta(days=1))),
            open=tuple(ledger.read(open_intents)),
            holds=tuple(ledger.read(open_holds)),
            unfinished=tuple(ledger.read(unfinished)),
        )


def read_history(url: str, account: str, process_id: str) -> History | None:
    """All that this ledger knows of one return; None for one never seen. Raises `LedgerError`."""
    with _reading(url, account) as ledger:
        return ledger.read(history, process_id)


def read_shadow(url: str, account: str, candidate: str) -> list[ShadowRow]:
    """What a candidate (by its digest) would have done otherwise, return by return. Raises `LedgerError`."""
    with _reading(url, account) as ledger:
        return ledger.read(shadow_rows, candidate)


@contextmanager
def _reading(url: str, account: str) -> Iterator[Ledger]:
    ledger = Ledger.open(url, account=account, clock=lambda: datetime.now(UTC), read_only=True)
    try:
        yield ledger
    finally:
        ledger.close()
