"""What the ledger knows of many returns, as the rules see it: a few queries, however many returns."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, bindparam, exists, select

from tasks.ledger.prepared import Prepared
from tasks.ledger.rows import hold_of, intent_of, items_of
from tasks.ledger.schema import holds, intents, ledger, lines, records, waivers
from tasks.policy.record import IntentKind, LineTerms, LineUnits, Record, Waiver

CHUNK = 500
"""Ids in one query: below SQLite's limit of bound values on any build."""

REVIEW_BEFORE = select(ledger.c.review_before).scalar_subquery().label("review_before")
"""The time before which nobody can say what people answered; beside each record, for the rules."""

_ids: BindParameter[Any] = bindparam("ids", expanding=True)
_of_many = partial(Prepared, several="ids")
_RECORDS = _of_many(
    select(
        records,
        exists().where(holds.c.process_id == records.c.process_id, holds.c.state == "open").label("held"),
        exists().where(waivers.c.process_id == records.c.process_id).label("waived"),
        REVIEW_BEFORE,
    ).where(records.c.process_id.in_(_ids))
)
_INTENTS = _of_many(select(intents).where(intents.c.process_id.in_(_ids)).order_by(intents.c.seq))
_HOLDS = _of_many(select(holds).where(holds.c.process_id.in_(_ids), holds.c.state == "open").order_by(holds.c.seq))
_WAIVERS = _of_many(
    select(waivers, holds.c.answer, holds.c.answered_at)
    .select_from(waivers.outerjoin(holds, holds.c.id == waivers.c.hold_id))
    .where(waivers.c.process_id.in_(_ids))
    .order_by(waivers.c.seq)
)
_LINES = _of_many(select(lines).where(lines.c.process_id.in_(_ids)))


@dataclass(frozen=True, slots=True)
class StoredWaiver:
    """A waiver with its place in the table, and the units of the hold that it answers."""

    seq: int
    waiver: Waiver
    items: tuple[LineUnits, ...]
    label: bool


@dataclass(frozen=True, slots=True)
class Loaded:
    """A return's record, with what only the ledger itself needs: its last decision and its waivers' places."""

    record: Record
    decided: tuple[str, str, str] = ("", "", "")
    final: bool = False
    waivers: tuple[StoredWaiver, ...] = field(default=())


def chunks(ids: Collection[str]) -> Iterator[Sequence[str]]:
    """Sorted ids, in pieces that one query takes."""
    ordered = sorted(set(ids))
    for start in range(0, len(ordered), CHUNK):
        yield ordered[start : start + CHUNK]


def load_records(conn: Connection, process_ids: Collection[str]) -> dict[str, Record]:
    """The record of each of these returns; an empty one for a return never seen. A few queries, however many ids."""
    found = look(conn, process_ids)
    return {process_id: found[process_id].record for process_id in process_ids}


def look(conn: Connection, process_ids: Collection[str]) -> dict[str, Loaded]:
    """As `load_records`, with what only the ledger itself needs. Locks nothing."""
    found = {row.process_id: row for ids in chunks(process_ids) for row in _RECORDS.all(conn, {"ids": ids})}
    held = [process_id for process_id, row in found.items() if row.held]
    waived = [process_id for process_id, row in found.items() if row.waived]
    loaded = load(conn, found, held, waived)
    unseen = set(process_ids) - loaded.keys()
    before = conn.execute(select(ledger.c.review_before)).scalar() if unseen else None
    return loaded | {process_id: Loaded(Record(process_id, review_before=before)) for process_id in unseen}


def load(
    conn: Connection,
    rows: dict[str, Row[Any]],
    held: Collection[str] | None = None,
    waived: Collection[str] | None = None,
) -> dict[str, Loaded]:
    """The records of these rows of `records`, by process id. Open holds and waivers only of these, or of all."""
    intent_rows = _by_process(conn, _INTENTS, rows)
    hold_rows = _by_process(conn, _HOLDS, rows if held is None else held)
    waiver_rows = _by_process(conn, _WAIVERS, rows if waived is None else waived)
    # Terms are fixed by intents, so a return without one has none.
    line_rows = _by_process(conn, _LINES, intent_rows)
    return {
        process_id: _assemble(
            row, intent_rows[process_id], hold_rows[process_id], waiver_rows[process_id], line_rows[process_id]
        )
        for process_id, row in rows.items()
    }


def _by_process(conn: Connection, query: Prepared, ids: Collection[str]) -> dict[str, list[Row[Any]]]:
    found: dict[str, list[Row[Any]]] = defaultdict(list)
    for piece in chunks(ids):
        for row in query.all(conn, {"ids": piece}):
            found[row.process_id].append(row)
    return found


def _assemble(
    row: Row[Any],
    intent_rows: Sequence[Row[Any]],
    hold_rows: Sequence[Row[Any]],
    waiver_rows: Sequence[Row[Any]],
    line_rows: Sequence[Row[Any]],
) -> Loaded:
    """Costs and terms hold only as long as a live intent stands on them: a dead one fixes nothing."""
    made = tuple(intent_of(each) for each in intent_rows)
    named = {item.line_id for intent in made if intent.live for item in intent.items}
    stored = tuple(
        StoredWaiver(
            each.seq,
            Waiver(each.rule, each.amount, each.currency, each.used_by, each.answer or "", each.answered_at),
            items_of(each.items),
            each.label,
        )
        for each in waiver_rows
    )
    costs: Decimal | None = row.costs if any(i.live and i.kind is IntentKind.REFUND for i in made) else None
    record = Record(
        process_id=row.process_id,
        store=row.store,
        costs=costs,
        lines={
            each.line_id: LineTerms(each.total, each.quantity, each.currency)
            for each in line_rows
            if each.line_id in named
        },
        intents=made,
        holds=tuple(hold_of(each) for each in hold_rows),
        waivers=tuple(each.waiver for each in stored),
        review_before=row.review_before,
        former=row.former,
    )
    return Loaded(record, (row.decision, row.rule, row.why), row.final, stored)
