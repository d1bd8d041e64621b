"""What came of a call: done, refused or unknown."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam

from tasks.ledger import pausing
from tasks.ledger.opening import hold_intent
from tasks.ledger.rows import paid_json
from tasks.ledger.schema import intents
from tasks.ledger.transitions import (
    SENT_BY_ME,
    TOLD,
    certainly_mine,
    change,
    close_hold,
    free,
    lock_intent,
    take,
    tell,
)
from tasks.ledger.types import Actor, Claim, Recorded
from tasks.ledger.words import NOTHING_SAID, Said, keep
from tasks.ledger.writing import lock_rows
from tasks.policy.record import OPEN_STATES, HoldKind, IntentState, PaidSeen

LATE_ANSWER = "late_answer"
"""The rule of the hold for an effect that was confirmed after the ledger had held it for something else."""

_AT = bindparam("at", type_=intents.c.closed_at.type)
_SAID = bindparam("said", type_=intents.c.evidence.type)
_PAID = bindparam("paid", type_=intents.c.paid_seen.type)
_DONE = change(
    IntentState.DONE,
    SENT_BY_ME,
    intents.c.state == IntentState.SENT,
    answer=TOLD,
    evidence=_SAID,
    closed_at=_AT,
    look_at=None,
    paid_seen=_PAID,
)
_LATE = change(
    IntentState.DONE, intents.c.state.in_(OPEN_STATES), evidence=_SAID, closed_at=_AT, look_at=None, paid_seen=_PAID
)
_REFUSED = change(
    IntentState.REFUSED,
    certainly_mine(),
    evidence=_SAID,
    closed_at=_AT,
    look_at=None,
    error_code=bindparam("code"),
)
_UNKNOWN = change(
    IntentState.UNKNOWN, SENT_BY_ME, intents.c.state == IntentState.SENT, look_at=intents.c.settle_at, evidence=_SAID
)


def record_done(
    conn: Connection,
    claim: Claim,
    *,
    evidence: Mapping[str, Any],
    now: datetime,
    actor: Actor,
    paid: PaidSeen | None = None,
) -> Recorded:
    """REVER confirmed the effect. A late confirmation is never lost, and never overwrites what a person closed.

    `paid` is how much of a refund REVER's answer shows as paid already.

    TAKEN also where the intent had meanwhile become unknown, or a person's retry had not been sent yet; the hold that
    asked about it closes. KNOWN where it was found done by evidence before. CONTRADICTS where a person closed it, or
    it was given up, or sent a second time, since: then a hold `late_answer` asks a person.
    """
    said = {**evidence, "by": "REVER's answer"}
    row = take(conn, _DONE, claim, at=now, said=said, paid=paid_json(paid))
    if row is None:
        return _late(conn, claim, said, now, actor, paid)
    pausing.answered(conn, row.store)
    tell(conn, row, "done", said, now, actor)
    return Recorded.TAKEN


def _late(
    conn: Connection, claim: Claim, said: Mapping[str, Any], now: datetime, actor: Actor, paid: PaidSeen | None
) -> Recorded:
    lock_rows(conn, [claim.process_id])
    row = lock_intent(conn, claim.intent.id)
    if row is None:
        return Recorded.NOT_MINE
    only_mine = row.sent_by == claim.token
    if only_mine and row.state == IntentState.DONE:
        tell(conn, row, "late_answer", said, now, actor)
        return Recorded.KNOWN
    if row.state in OPEN_STATES:
        row = _LATE.one(conn, {"intent": row.id, "at": now, "said": said, "paid": paid_json(paid)})
        pausing.answered(conn, row.store)
        close_hold(conn, row, "REVER's answer came late: it is done", now, actor)
        tell(conn, row, "done", {**said, "late": "yes"}, now, actor)
        if only_mine:
            return Recorded.TAKEN
    _contradicts(conn, row, said, now, actor)
    return Recorded.CONTRADICTS


def _contradicts(conn: Connection, row: Row[Any], said: Mapping[str, Any], now: datetime, actor: Actor) -> None:
    why = f"REVER confirmed this {row.kind} after the ledger had it as {IntentState(row.state).replace('_', ' ')}"
    if row.state == IntentState.DONE:
        why = f"REVER confirmed this {row.kind} after it had been sent a second time: it may have been done twice"
    hold_intent(
        conn,
        row,
        kind=HoldKind.CONTRADICTION,
        rule=LATE_ANSWER,
        why=why,
        evidence={**said, "state": row.state, "attempt": str(row.attempt)},
        now=now,
        actor=actor,
    )


def record_refused(
    conn: Connection,
    claim: Claim,
    *,
    code: str,
    why: str,
    now: datetime,
    actor: Actor,
    reason: str = "",
    said: Said = NOTHING_SAID,
) -> Recorded:
    """REVER refused it: units and counters are given back. `code` is its gRPC number as text, `reason` its class.

    `why` is a sentence of ours; what REVER said in its own words is in `said`, and is kept where it can be erased.
    Also from `unknown`, where somebody else saw only that it ran past its deadline.
    """
    evidence = {"why": why, "code": code, **({"reason": reason} if reason else {}), **said.evidence}
    row = take(conn, _REFUSED, claim, at=now, said=evidence, code=code)
    if row is None:
        return _not_mine(conn, claim, "late_refusal", why, now, actor)
    free(conn, [row])
    pausing.answered(conn, row.store)
    close_hold(conn, row, f"REVER refused it: {why}", now, actor)
    keep(conn, claim, said, now)
    tell(conn, row, "refused", evidence, now, actor)
    return Recorded.TAKEN


def record_unknown(
    conn: Connection,
    claim: Claim,
    *,
    why: str,
    now: datetime,
    actor: Actor,
    at_rever: bool = True,
    said: Said = NOTHING_SAID,
) -> Recorded:
    """Nobody knows what came of it; it is never sent again by itself.

    Five in a row at a store pause it. `at_rever=False` says that the cause is ours (a cancelled run), so that it does
    not count for that.
    """
    evidence = {"why": why, **said.evidence}
    row = take(conn, _UNKNOWN, claim, said=evidence)
    if row is None:
        return _not_mine(conn, claim, "late_unknown", why, now, actor)
    if at_rever:
        pausing.not_answered(conn, row.store, row.id, now)
    else:
        pausing.end_trial(conn, [row.id])
    keep(conn, claim, said, now)
    tell(conn, row, "unknown", {**evidence, "attempt": row.attempt}, now, actor)
    return Recorded.TAKEN


def _not_mine(conn: Connection, claim: Claim, event: str, why: str, now: datetime, actor: Actor) -> Recorded:
    """Nothing changes, but what was said is kept."""
    row = lock_intent(conn, claim.intent.id)
    if row is None:
        return Recorded.NOT_MINE
    tell(conn, row, event, {"why": why, "state": row.state}, now, actor)
    mine = row.token == claim.token and row.state in {IntentState.UNKNOWN, IntentState.REFUSED}
    return Recorded.KNOWN if mine else Recorded.NOT_MINE
