"""The ledger beside REVER's books: each cent explained, each step written down, nothing final that is not."""

import sqlite3
from collections import defaultdict
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, select

from rever_api.sandbox.state import Actor, Effect
from tasks.ledger import Ledger
from tasks.ledger.schema import audit, holds, intents, records

Key = tuple[str, str]
Sums = dict[Key, Decimal]

LAST_EVENT = {
    "done": {"done", "adopted", "nothing_to_send"},
    "refused": {"refused"},
    "withdrawn": {"withdrawn"},
    "done_by_hand": {"answered"},
    "dropped": {"answered"},
}
"""State at an intent's end -> the audit rows of which one must tell of it."""


@dataclass(frozen=True, slots=True)
class Told:
    """All that the ledger tells, in one reading."""

    intents: list[Row[Any]]
    events: dict[str, list[str]]
    held: dict[str, list[str]]
    final: set[str]
    said: dict[str, str]

    @property
    def open_intents(self) -> list[Row[Any]]:
        """Those whose outcome is to come."""
        return [row for row in self.intents if row.state in {"intended", "sent", "unknown"}]

    def done(self) -> Sums:
        """What the ledger holds for refunded, by us or adopted."""
        return _sums(row for row in self.intents if row.state == "done")

    def paid_by_us(self) -> dict[str, Decimal]:
        """Currency -> what was refunded through us and is known to be done."""
        totals: dict[str, Decimal] = defaultdict(Decimal)
        for (_, currency), amount in _sums(r for r in self.intents if r.state == "done" and not r.adopted).items():
            totals[currency] += amount
        return {currency: amount for currency, amount in totals.items() if amount}


def tell(ledger: Ledger) -> Told:
    """Read the ledger."""
    return ledger.read(_tell)


def _tell(conn: Connection) -> Told:
    events: dict[str, list[str]] = defaultdict(list)
    for row in conn.execute(select(audit).order_by(audit.c.id)):
        assert row.actor, f"audit row {row.id} names nobody"
        events[row.intent_id or row.hold_id].append(row.event)
        if row.intent_id and row.hold_id:
            events[row.hold_id].append(row.event)
    held: dict[str, list[str]] = defaultdict(list)
    for row in conn.execute(select(holds).where(holds.c.state == "open")):
        assert "held" in events[row.id], f"hold {row.id} ({row.rule}) was opened without a word"
        held[row.process_id].append(row.rule)
    said = list(conn.execute(select(records)))
    return Told(
        list(conn.execute(select(intents).order_by(intents.c.seq))),
        events,
        held,
        {row.process_id for row in said if row.final},
        {row.process_id: f"{row.decision} {row.rule}: {row.why}, next {row.next_look_at}" for row in said},
    )


def _sums(rows: Any) -> Sums:
    sums: Sums = defaultdict(Decimal)
    for row in rows:
        if row.kind == "refund" and not row.nothing_sent:
            sums[row.process_id, row.currency] += row.amount
    return sums


def check(told: Told, effects: Collection[Effect], asked: Collection[str]) -> None:
    """Raise AssertionError where the ledger does not agree with the books, or with itself.

    `asked` are the returns for which a person answered `retry`: their excess is the books' matter, not the ledger's.
    """
    _written_down(told)
    at_rever, by_api = _in_books(effects, of_all=True), _in_books(effects, of_all=False)
    for key, amount in told.done().items():
        assert amount <= at_rever[key], f"{key}: the ledger holds {amount} for done, REVER paid {at_rever[key]}"
    meant = _meant(told)
    for key, amount in by_api.items():
        assert key[0] in asked or amount <= meant[key], f"{key}: REVER paid {amount} for us, the ledger means {meant}"
    for row in told.open_intents:
        assert row.process_id not in told.final, f"{row.process_id} is at its end with an open {row.kind}"
        assert row.look_at is not None, f"nobody looks at the open {row.kind} of {row.process_id} again"


def _written_down(told: Told) -> None:
    for row in told.intents:
        events = told.events[row.id]
        assert row.rule, f"no rule is named for a {row.kind} of {row.process_id}"
        by_person = row.state in {"done_by_hand", "dropped"} and "answered" in events
        assert by_person or {"intended", "adopted", "nothing_to_send"} & set(events), f"{row.id} was never meant"
        assert events.count("sent") == row.attempt, f"{row.id}: {row.attempt} attempts, audited {events}"
        assert row.state not in LAST_EVENT or LAST_EVENT[row.state] & set(events), f"{row.id} {row.state}: {events}"


def _in_books(effects: Collection[Effect], *, of_all: bool) -> Sums:
    sums: Sums = defaultdict(Decimal)
    for effect in effects:
        if effect.operation == "issueRefund" and effect.amount is not None and (of_all or effect.by is Actor.API):
            sums[effect.process_id, effect.currency] += effect.amount
    return sums


def _meant(told: Told) -> Sums:
    """What may have been paid through us: done, sent, unknown, and what a person closed after it was sent."""
    sums: Sums = defaultdict(Decimal)
    for row in told.intents:
        if row.kind == "refund" and row.attempt and row.state not in {"refused", "withdrawn"}:
            sums[row.process_id, row.currency] += Decimal(row.evidence.get("meant", row.amount))
    return sums


def fingerprint(file: Path) -> str:
    """All that stands in the ledger's tables: what `plan` must leave as it is."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as conn:
        return sha256("\n".join(conn.iterdump()).encode()).hexdigest()
