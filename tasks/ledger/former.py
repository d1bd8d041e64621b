"""What the ledger that a backup replaces knows beyond it: answers of people, and effects that were sent."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from tasks.ledger.checking.check import check
from tasks.ledger.errors import LedgerError
from tasks.ledger.ledger import Ledger
from tasks.ledger.restored import FormerReturn
from tasks.ledger.schema import audit, intents, ledger, records
from tasks.ledger.types import Answer
from tasks.policy.record import DEAD_STATES, IntentState

_CLOSE = frozenset({Answer.DONE_BY_HAND, Answer.DROP})
"""Answers that REVER cannot show: units were settled elsewhere, or given up."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """What says that one ledger goes on from another: its own secret, its last step, and its last restore."""

    key: bytes
    restored_at: datetime | None
    last: tuple[int, str, str] | None


def lineage(conn: Connection) -> Lineage:
    """The marks of this ledger."""
    row = conn.execute(select(ledger)).one()
    last = conn.execute(select(audit.c.id, audit.c.process_id, audit.c.hash).order_by(audit.c.id.desc())).first()
    return Lineage(row.shopper_key, row.restored_at, None if last is None else (last.id, last.process_id, last.hash))


def known_since(former: Ledger, backup: Lineage, now: datetime) -> dict[str, FormerReturn] | None:
    """What the former ledger knows and the backup does not, process id -> what.

    None where that cannot be believed: it is damaged, does not go on from this backup, or was itself restored since.
    """
    try:
        if any(finding.rule != "late" for finding in former.read(check, now=now).findings):
            return None
        return former.read(_since, backup)
    except LedgerError:
        return None


def _since(conn: Connection, backup: Lineage) -> dict[str, FormerReturn] | None:
    own = lineage(conn)
    if own.key != backup.key or own.restored_at != backup.restored_at:
        return None
    after = 0
    if backup.last is not None:
        after, process_id, linked = backup.last
        same = select(audit.c.id).where(audit.c.id == after, audit.c.process_id == process_id, audit.c.hash == linked)
        if conn.execute(same).first() is None:
            return None
    told: dict[str, list[str]] = defaultdict(list)
    steps = select(audit).where(audit.c.id > after, audit.c.event.in_(("answered", "sent"))).order_by(audit.c.id)
    effects: Mapping[str, Row[Any]] = {row.id: row for row in conn.execute(select(intents))}
    for step in conn.execute(steps):
        words = _answer(step) if step.event == "answered" else _effect(effects.get(step.intent_id))
        if words and words not in told[step.process_id]:
            told[step.process_id].append(words)
    rows = {row.process_id: row for row in conn.execute(select(records)) if told.get(row.process_id)}
    return {each: FormerReturn(row.store, row.order_name, "; ".join(told[each])) for each, row in rows.items()}


def _answer(step: Row[Any]) -> str:
    answer = str(step.evidence.get("answer", ""))
    if answer not in _CLOSE:
        return ""
    amount = f" of {step.amount:f} {step.currency}" if step.amount is not None and answer != Answer.DROP else ""
    reference = f", reference {step.evidence['reference']}" if step.evidence.get("reference") else ""
    by = step.evidence.get("by", "")
    return f"{answer}{amount} was answered by {by} at {step.at:%F %H:%M} UTC{reference}"


def _effect(row: Row[Any] | None) -> str:
    if row is None or IntentState(row.state) in {*DEAD_STATES, IntentState.INTENDED}:
        return ""
    amount = f" of {row.amount:f} {row.currency} by {row.method}" if row.amount and row.method else ""
    return f"the {row.kind}{amount} was sent, and is {IntentState(row.state).replace('_', ' ')}"
