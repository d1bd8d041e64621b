"""Whether the promises were kept: REVER's books against our ledger, its audit and our reports, to the cent."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from rever_api.sandbox.auditor import Audit
from rever_api.sandbox.state import Effect
from tasks.ledger import (
    AuditRow,
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
from tasks.reporting.printable import plain_words

TELLING = ("why", "attempt", "by", "refunds like this", "known before")
"""The evidence that a reader of the trail is shown."""

Money = Mapping[str, Decimal]
"""Currency -> amount. A currency that is not named has nothing."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise, what was found about it in a few words, and whether it was kept."""

    name: str
    found: str
    kept: bool


def audited(audit: Audit, explained: Collection[str]) -> list[Promise]:
    """What the auditor found in REVER's books: nothing twice, nothing too much, nothing forgotten, nothing unpaid.

    `explained` are the returns that we hold, or that are open with a time at which they are looked at next.
    """
    counts = audit.counts()
    forgotten = audit.forgotten(explained)
    asked = {"double_refund": "double refunds", "over_paid": "over-paid"}
    others = {kind: number for kind, number in counts.items() if kind not in asked and number}
    return [
        *(Promise(words, str(counts[kind]), counts[kind] == 0) for kind, words in asked.items()),
        Promise("forgotten", f"{len(forgotten)} {' '.join(forgotten)}".strip(), not forgotten),
        Promise("anything else wrong", ", ".join(f"{n} {kind}" for kind, n in others.items()) or "0", audit.clean),
        Promise("due and not paid", money_words(audit.due_total) or "0", not nonzero(audit.due_total)),
    ]


def sums_agree(sums: Mapping[str, Money], currencies: Iterable[str]) -> list[Promise]:
    """One promise per currency: that these sums (name of a side -> its money) are equal to the cent.

    Those of `currencies` in which nothing was paid are listed too.
    """
    agreed = []
    for currency in sorted({*currencies, *(currency for money in sums.values() for currency in nonzero(money))}):
        amounts = {side: money.get(currency, Decimal(0)) for side, money in sums.items()}
        kept = len(set(amounts.values())) == 1
        sign = " = " if kept else " != "
        agreed.append(
            Promise(f"sums in {currency}", sign.join(f"{side} {amount:,}" for side, amount in amounts.items()), kept)
        )
    return agreed


def same_effects(unkilled: Iterable[Effect], killed: Iterable[Effect]) -> Promise:
    """That two books hold the same effects through the API: return by return, amount by amount, item by item."""
    first, second = Counter(map(_what, _ours(unkilled))), Counter(map(_what, _ours(killed)))
    differing = sorted({key[0] for key in (first - second) + (second - first)})
    found = f"{second.total()} of {first.total()} effects, the same ones" if not differing else " ".join(differing)
    return Promise("return by return", found, not differing)


def added(reports: Sequence[Mapping[str, Any]]) -> dict[str, Decimal]:
    """Currency -> what these reports (as `--json` prints them) say was paid."""
    paid: dict[str, Decimal] = {}
    for report in reports:
        for currency, amount in report["paid"].items():
            paid[currency] = paid.get(currency, Decimal(0)) + Decimal(amount)
    return paid


def nonzero(money: Money) -> dict[str, Decimal]:
    """The currencies in which there is something, in order."""
    return {currency: amount for currency, amount in sorted(money.items()) if amount}


def money_words(money: Money) -> str:
    """An amount per currency, in words: `12.50 EUR, 90.00 SEK`; empty for nothing."""
    return ", ".join(f"{amount:,} {currency}" for currency, amount in nonzero(money).items())


def _ours(effects: Iterable[Effect]) -> Iterable[Effect]:
    return (effect for effect in effects if not effect.foreign)


def _what(effect: Effect) -> tuple[Any, ...]:
    items = tuple(sorted((item.line_item_id, item.quantity) for item in effect.items))
    return (effect.process_id, effect.operation, effect.amount, effect.currency, effect.type, items)


def trail_of(known: History, effect: Effect) -> list[AuditRow]:
    """The audit rows of the intent that had this effect, in their order."""
    wanted = (effect.type, effect.amount, effect.currency)
    ids = {
        row.intent.id for row in known.intents if (row.intent.method, row.intent.amount, row.intent.currency) == wanted
    }
    return [row for row in known.audit if row.intent_id in ids]


def step_words(row: AuditRow) -> str:
    """One step in a line: time (UTC), what happened, on what evidence."""
    words = plain_words(", ".join(f"{name}: {row.evidence[name]}" for name in TELLING if name in row.evidence))
    return f"{row.at:%H:%M:%S}  {row.event:<8}  {words}"


def settled_by_evidence(trail: Sequence[AuditRow]) -> Promise:
    """That an effect was sent once, became unknown, and was found done at REVER."""
    events = [row.event for row in trail]
    kept = events.count("sent") == 1 and "unknown" in events and events[-1] == "done"
    kept = kept and "evidence" in str(trail[-1].evidence.get("by", ""))
    words = "sent once, then found done at REVER" if kept else " -> ".join(events)
    return Promise("unanswered refund", words, kept)


# What the demo's ledger says, read once and grouped per store and currency. The grouping is pure.

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
