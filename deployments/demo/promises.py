"""Whether the promises were kept: REVER's books against our ledger, its audit and our reports, to the cent. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rever_api.sandbox.auditor import Audit
from rever_api.sandbox.state import Effect
from tasks.ledger import AuditRow, History
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
