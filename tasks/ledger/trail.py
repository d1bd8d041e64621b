"""The audit: one append-only row per step. Nothing in this package changes or removes one, and triggers refuse it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, insert

from tasks.ledger.chain import chained
from tasks.ledger.prepared import Prepared
from tasks.ledger.schema import audit
from tasks.ledger.types import Actor

_INSERT = Prepared(insert(audit).inline(), columns=[column.name for column in audit.c if column is not audit.c.id])


def audit_row(
    actor: Actor,
    at: datetime,
    event: str,
    process_id: str,
    *,
    rule: str = "",
    evidence: Mapping[str, Any] | None = None,
    amount: Decimal | None = None,
    currency: str = "",
    intent_id: str = "",
    hold_id: str = "",
) -> dict[str, Any]:
    """One step: who or what, when, by which rule, on what evidence, about how much. No personal data."""
    return {
        "process_id": process_id,
        "at": at,
        "actor": actor.name,
        "event": event,
        "rule": rule,
        "evidence": dict(evidence or {}),
        "amount": amount,
        "currency": currency,
        "intent_id": intent_id,
        "hold_id": hold_id,
        "flow_run_id": actor.flow_run_id,
    }


def append(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append rows to their returns' chains, in the transaction of what they tell about."""
    if rows:
        _INSERT.each(conn, chained(conn, rows))
