"""What should have been settled long ago: a sign that no run comes by any more."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, exists, or_, select

from tasks.ledger.checking.finding import Finding
from tasks.ledger.schema import holds, intents
from tasks.policy.record import IntentState

GRACE = timedelta(hours=1)
"""Runs come every ten minutes; one that is missed, or a night's pause of a store, is nothing to report."""


def check(conn: Connection, now: datetime) -> Iterator[Finding]:
    """Yield open effects past their time by more than `GRACE`, and unknown ones that nobody was asked about."""
    late = now - GRACE
    asked = exists().where(holds.c.intent_id == intents.c.id, holds.c.state == "open")
    query = select(intents).where(
        or_(
            and_(intents.c.state == IntentState.INTENDED, intents.c.lease_until < late),
            and_(intents.c.state == IntentState.SENT, intents.c.deadline < late),
            and_(intents.c.state == IntentState.UNKNOWN, intents.c.settle_at < late, ~asked),
        )
    )
    for row in conn.execute(query.order_by(intents.c.seq)):
        since = {IntentState.INTENDED: row.lease_until, IntentState.SENT: row.deadline}.get(row.state, row.settle_at)
        why = f"{row.kind} {row.id} is {row.state} since {since:%F %H:%M} UTC, and no run has settled it; run reconcile"
        yield Finding("late", row.process_id, why)
