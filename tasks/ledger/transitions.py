"""The compare-and-sets that all steps share: each says which states it may leave, and whose token it needs."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, bindparam, or_, select, update

from tasks.ledger import counters, pausing
from tasks.ledger.prepared import Prepared
from tasks.ledger.schema import holds, intents
from tasks.ledger.trail import append, audit_row
from tasks.ledger.types import Actor, Claim
from tasks.policy.record import IntentState

UNKNOWN_OUTCOME = "unknown_outcome"
"""The rule of the hold that asks about an intent nobody knows the outcome of."""

MINE = intents.c.token == bindparam("mine")
SENT_BY_ME = and_(intents.c.sent_by == bindparam("mine"), MINE)

TOLD = tuple(intents.c[name] for name in ("id", "process_id", "store", "rule", "amount", "currency", "attempt"))
"""What a step that is told in the audit has to answer."""

_ROW = select(intents).where(intents.c.id == bindparam("intent")).with_for_update()
_HOLDS_OF = (
    update(holds)
    .where(holds.c.intent_id == bindparam("intent"), holds.c.state == "open", holds.c.rule == UNKNOWN_OUTCOME)
    .values(state="closed", closed_why=bindparam("because"), answered_at=bindparam("at"), version=holds.c.version + 1)
    .returning(holds.c.id)
)


def change(to: IntentState, *where: ColumnElement[bool], answer: Sequence[Any] = (intents,), **values: Any) -> Prepared:
    """One compare-and-set on one intent: it answers the row (or these columns), or nothing where somebody was first."""
    query = update(intents).where(intents.c.id == bindparam("intent"), *where)
    return Prepared(query.values(state=to, **values).returning(*answer))


def certainly_mine(*, intended: bool = False) -> ColumnElement[bool]:
    """The states in which my own call's answer still counts: `sent`, or `unknown` because others saw it run late.

    Nobody else has sent it since, for that would have taken a new token. With `intended` also before any call.
    """
    sent = and_(SENT_BY_ME, intents.c.state.in_((IntentState.SENT, IntentState.UNKNOWN)))
    return or_(sent, and_(MINE, intents.c.state == IntentState.INTENDED)) if intended else sent


def take(conn: Connection, query: Prepared, claim: Claim, **values: Any) -> Row[Any] | None:
    """Try a compare-and-set of a claim's own intent."""
    return query.first(conn, {"intent": claim.intent.id, "mine": claim.token, **values})


def lock_intent(conn: Connection, intent_id: str) -> Row[Any] | None:
    """The whole row of an intent, locked until the commit."""
    query: Select[Any] = _ROW
    return conn.execute(query, {"intent": intent_id}).first()


def tell(
    conn: Connection,
    row: Row[Any],
    event: str,
    evidence: Mapping[str, Any],
    now: datetime,
    actor: Actor,
    hold_id: str = "",
) -> None:
    """One audit row about an intent."""
    append(conn, [intent_trail(row, event, evidence, now, actor, hold_id)])


def intent_trail(
    row: Row[Any], event: str, evidence: Mapping[str, Any], now: datetime, actor: Actor, hold_id: str = ""
) -> dict[str, Any]:
    """One audit row about an intent, not yet written."""
    return audit_row(
        actor,
        now,
        event,
        row.process_id,
        rule=row.rule,
        evidence=evidence,
        amount=row.amount,
        currency=row.currency,
        intent_id=row.id,
        hold_id=hold_id,
    )


def close_hold(conn: Connection, row: Row[Any], why: str, now: datetime, actor: Actor) -> None:
    """Close the question about an unknown outcome: it has answered itself."""
    for (hold_id,) in conn.execute(_HOLDS_OF, {"intent": row.id, "because": why, "at": now}).all():
        tell(conn, row, "hold_closed", {"why": why}, now, actor, hold_id)


def free(conn: Connection, rows: Collection[Row[Any]]) -> None:
    """Give back the counters of intents that did nothing. Their units are free by their state alone."""
    counters.give_back(conn, rows)
    pausing.end_trial(conn, [row.id for row in rows])
