"""What should have been settled long ago: a sign that no run comes by any more."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, exists, func, or_, select

from tasks.ledger.checking.finding import Finding
from tasks.ledger.pausing import LONGEST
from tasks.ledger.schema import audit, caught_up, holds, intents, ledger, pauses, records, shopper_refunds
from tasks.policy.clocks import DIFFER, LONGEST_SETTING
from tasks.policy.record import IntentState

AHEAD = "ahead"
"""The rule of a time that is to come. It damages nothing."""

LONGEST_WAIT = timedelta(days=366)
"""A return waits for no longer: for REVER to pay, at most (`rever_pays_within_hours`)."""

GRACE = timedelta(hours=1)
"""Runs come every ten minutes; one that is missed, or a night's pause of a store, is nothing to report."""


def ahead_of(conn: Connection, now: datetime) -> Iterator[Finding]:
    """Yield times that lie further ahead than any rule or setting can have put them: a clock was ahead.

    Nothing waits for them, so that it is enough to know; what was written then is dated wrong.
    """
    right = now + DIFFER
    told = (
        (records.c.looked_at, records.c.process_id, right),
        (records.c.run_began_at, records.c.process_id, right),
        (records.c.next_look_at, records.c.process_id, right + LONGEST_WAIT),
        (intents.c.created_at, intents.c.process_id, right),
        (intents.c.sent_at, intents.c.process_id, right),
        (intents.c.closed_at, intents.c.process_id, right),
        (intents.c.lease_until, intents.c.process_id, right + LONGEST_SETTING),
        (intents.c.deadline, intents.c.process_id, right + 2 * LONGEST_SETTING),
        (intents.c.settle_at, intents.c.process_id, right + LONGEST_SETTING),
        (holds.c.since, holds.c.process_id, right),
        (audit.c.at, audit.c.process_id, right),
        (shopper_refunds.c.at, shopper_refunds.c.intent_id, right),
        (pauses.c.paused_until, pauses.c.store, right + LONGEST),
        (caught_up.c.at, caught_up.c.store, right),
        (ledger.c.restored_at, ledger.c.account, right),
        (ledger.c.stopped_since, ledger.c.account, right),
    )
    for column, name, most in told:
        query = select(func.count(), func.max(column, type_=column.type), func.max(name)).where(column > most)
        many, last, one = conn.execute(query).one()
        if many:
            what = f"{column.table.name}.{column.name}"
            why = f"{what} is {last:%F %H:%M} UTC, which is to come, in {many} of them: a clock was ahead"
            yield Finding(AHEAD, one or "the ledger itself", why)


def check_lateness(conn: Connection, now: datetime) -> Iterator[Finding]:
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
