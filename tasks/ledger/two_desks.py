"""Another desk on the same account: refunds just like ours appear at REVER, made a moment ago, that no step here made.

Two ledgers for one account (a mistyped URL, a copy of the folder, an old machine that was started again) both pay.
What one desk can see of it: a return's refund equals to the cent what it was about to pay, or has paid, was made within
the hour, and no attempt of its own can have made it. One may be a person's; several are not. Then this ledger stops and
counts as restored: the other one knows what this one does not.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, case, func, select

from tasks.ledger.restored import mark_restored
from tasks.ledger.schema import audit, intents, ledger
from tasks.ledger.trail import append, audit_row
from tasks.ledger.types import Actor
from tasks.policy.clocks import ahead
from tasks.policy.record import IntentKind, IntentState

SEVERAL = 3
"""Returns paid elsewhere, just as they would be here, after which all effects stop."""

WITHIN = timedelta(hours=1)
"""The time in which they count."""

EVENT = "paid_elsewhere"

_LAST_STEPS = 50_000
"""Of the audit, which has no index on its times: as many steps as are looked through."""


def note_paid_elsewhere(conn: Connection, paid: Mapping[str, datetime], *, now: datetime, actor: Actor) -> None:
    """Write down that these returns were paid by others just as they would be here, process id -> when they were.

    Where they are several, stop. What was paid before this ledger was made, or last started, is the account's past.

    A return for which an attempt of this desk came to nothing, as far as is known, does not count: it may have acted. A
    person's `start` begins the count anew. A ledger that is stopped already is left as it is.
    """
    here = conn.execute(select(ledger.c.created_at, ledger.c.stopped, ledger.c.stopped_since)).one()
    told = (at for at in (here.created_at, here.stopped_since) if at is not None and not ahead(at, now))
    begun = max(told, default=now - WITHIN)  # a clock ahead has dated the ledger's making
    strange = {each for each, at in paid.items() if at > begun} - _may_be_ours(conn, paid.keys())
    append(conn, [audit_row(actor, now, EVENT, process_id) for process_id in sorted(strange)])
    if here.stopped or not strange:
        return
    many = paid_elsewhere(conn, max(now - WITHIN, begun))
    if many >= SEVERAL:
        why = (
            f"{many} returns were refunded at REVER within the hour just as this desk would, and not by it: another"
            " desk with another ledger seems to pay this account. End it, or point this one to its ledger"
        )
        mark_restored(conn, why=why, now=now, actor=Actor("the ledger itself"))


def _may_be_ours(conn: Connection, process_ids: Collection[str]) -> set[str]:
    """The returns for which more attempts were sent than refunds are done."""
    done = case(((intents.c.state == IntentState.DONE) & (intents.c.attempt > 0), 1), else_=0)
    sums = (
        select(intents.c.process_id)
        .where(intents.c.process_id.in_(process_ids), intents.c.kind == IntentKind.REFUND)
        .group_by(intents.c.process_id)
        .having(func.sum(intents.c.attempt) > func.sum(done))
    )
    return {row.process_id for row in conn.execute(sums)}


def paid_elsewhere(conn: Connection, since: datetime) -> int:
    """How many returns were seen paid by others just as they would be here, after this time."""
    last = select(func.max(audit.c.id)).scalar_subquery()
    seen = select(func.count(audit.c.process_id.distinct())).where(
        audit.c.id > last - _LAST_STEPS, audit.c.event == EVENT, audit.c.at > since
    )
    return int(conn.execute(seen).scalar_one())
