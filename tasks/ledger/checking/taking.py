"""Whether each unit is in at most one live intent, and the claims' rows say the same as the intents."""

from collections import defaultdict
from collections.abc import Iterator

from sqlalchemy import Connection, select

from tasks.ledger.checking.finding import Finding
from tasks.ledger.rows import intent_of, unit_rows
from tasks.ledger.schema import intents, units
from tasks.policy.record import IntentKind

Key = tuple[str, str, str, int]
"""A unit: return, space, line, number. A label's number is its generation."""


def check_taken(conn: Connection) -> Iterator[Finding]:
    """Yield units that are taken twice, claims without a row, and rows of a claim that names other units."""
    rows = {(row.process_id, row.space, row.line_id, row.n): row.intent_id for row in conn.execute(select(units))}
    named: dict[str, set[Key]] = defaultdict(set)
    taken: dict[Key, str] = {}
    for row in conn.execute(select(intents).order_by(intents.c.seq)):
        intent = intent_of(row)
        keys = [
            (row.process_id, unit["space"], unit["line_id"], unit["n"]) for unit in unit_rows(row.process_id, intent)
        ]
        named[intent.id].update(keys)
        if not intent.live:
            continue
        if not keys or len(set(keys)) < len(keys):
            yield Finding("units", row.process_id, f"{intent.kind} {intent.id} names no unit, or one of them twice")
        for key in keys:
            if key in taken:
                yield Finding("units", row.process_id, f"{_unit(key)} is in {taken[key]} and in {intent.id}, both live")
            elif rows.get(key) != intent.id:
                holder = rows.get(key) or "nobody"
                yield Finding("units", row.process_id, f"{_unit(key)} is {intent.id}'s, but is claimed by {holder}")
            taken[key] = intent.id
    for key, intent_id in rows.items():
        if intent_id in named and key not in named[intent_id]:
            yield Finding("units", key[0], f"{_unit(key)} is claimed by {intent_id}, which does not name it")


def _unit(key: Key) -> str:
    _, space, line_id, n = key
    return f"{IntentKind.LABEL} {n}" if space == "label" else f"unit {n} of line {line_id}"
