"""Open a hold about an intent: its outcome is unknown, or contradicts what the ledger says."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from tasks.ledger.rows import new_id
from tasks.ledger.schema import holds, records
from tasks.ledger.transitions import tell
from tasks.ledger.types import Actor
from tasks.policy.record import HoldKind, IntentKind


def hold_intent(
    conn: Connection,
    row: Row[Any],
    *,
    kind: HoldKind,
    rule: str,
    why: str,
    evidence: Mapping[str, Any],
    now: datetime,
    actor: Actor,
    received: Mapping[str, Decimal] | None = None,
) -> str:
    """The id of the open hold of this rule for the intent's return; a new one where there is none.

    `received` is what the shopper has in all by REVER's account and ours, per currency, where REVER was just read.
    """
    label = row.kind == IntentKind.LABEL
    same = select(holds.c.id).where(
        holds.c.process_id == row.process_id, holds.c.rule == rule, holds.c.label == label, holds.c.state == "open"
    )
    found = conn.execute(same).scalar()
    if found is not None:
        return str(found)
    hold_id = new_id()
    conn.execute(update(records).where(records.c.process_id == row.process_id).values(final=False))
    conn.execute(
        insert(holds).values(
            id=hold_id,
            process_id=row.process_id,
            store=row.store,
            kind=kind,
            rule=rule,
            why=why,
            evidence=dict(evidence),
            amount=None if label else row.amount,
            currency=row.currency,
            items=row.items,
            details={}
            if received is None
            else {"received": {name: format(sum_, "f") for name, sum_ in received.items()}},
            label=label,
            intent_id=row.id,
            since=now,
        )
    )
    tell(conn, row, "held", {"why": why, **evidence}, now, actor, hold_id)
    return hold_id
