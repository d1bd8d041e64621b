"""The step from `intended` to `sent`, and the ways back. Safety rests on the token alone, never on a clock."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select

from tasks.ledger.audit import append
from tasks.ledger.schema import intents
from tasks.ledger.stops import TRIAL, Gate, end_trial
from tasks.ledger.transitions import (
    AUDIT_COLUMNS,
    MINE,
    certainly_mine,
    change,
    close_hold,
    free,
    intent_trail,
    take,
    tell,
)
from tasks.ledger.types import Actor, Claim, Recorded, Sending, SendVerdict, Sent
from tasks.policy.kinds import KINDS
from tasks.policy.record import IntentState

_SEND = change(
    IntentState.SENT,
    MINE,
    intents.c.state == IntentState.INTENDED,
    answer=AUDIT_COLUMNS,
    sent_by=intents.c.token,
    attempt=intents.c.attempt + 1,
    snapshot=bindparam("seen", type_=intents.c.snapshot.type),
    sent_at=bindparam("at", type_=intents.c.sent_at.type),
    deadline=bindparam("until", type_=intents.c.deadline.type),
    look_at=bindparam("until", type_=intents.c.deadline.type),
    settle_at=bindparam("settle", type_=intents.c.settle_at.type),
)
_PUT_BACK = change(
    IntentState.INTENDED, certainly_mine(), sent_at=None, deadline=None, settle_at=None, look_at=intents.c.lease_until
)
_END: dict[str, Any] = {
    "closed_at": bindparam("at", type_=intents.c.closed_at.type),
    "evidence": bindparam("said", type_=intents.c.evidence.type),
}
_WITHDRAW = change(IntentState.WITHDRAWN, certainly_mine(intended=True), look_at=None, **_END)
_TOLD_NO = change(IntentState.WITHDRAWN, certainly_mine(), look_at=intents.c.settle_at, **_END)
_RELEASE = change(
    IntentState.INTENDED,
    MINE,
    intents.c.state == IntentState.INTENDED,
    lease_until=bindparam("at", type_=intents.c.lease_until.type),
    look_at=bindparam("at", type_=intents.c.look_at.type),
)
_LIKE = ("process_id", "kind", "state", "method", "amount", "currency", "generation")
_KNOWN = select(*(intents.c[name] for name in _LIKE)).where(
    intents.c.process_id.in_(bindparam("ids", expanding=True)),
    intents.c.state.in_((IntentState.DONE, IntentState.DONE_BY_HAND)),
)
LOST = SendVerdict(Sending.LOST, "another worker took it over, or it has ended")


def mark_sent(conn: Connection, sents: Sequence[Sent]) -> list[SendVerdict]:
    """The compare-and-set `intended -> sent` of each: my token, the switch on, the store not paused.

    It raises the attempt's number and stores the snapshot, with `ledger_knew`: how many like effects of the return the
    ledger knows as done (`tasks.policy.kinds.Kind.knew`). It never looks at the lease. Only after its commit, and only
    on SENT, may the call go out, once.
    """
    if not sents:
        return []
    gate = Gate.read(conn, {sent.claim.store for sent in sents})
    known = conn.execute(_KNOWN, {"ids": sorted({sent.claim.process_id for sent in sents})}).all()
    verdicts: list[SendVerdict] = []
    trail: list[dict[str, Any]] = []
    for sent in sents:
        claim = sent.claim
        verdict = gate.verdict(claim.store, sent.now)
        if verdict.sending is Sending.SENT and not gate.takes_trial(conn, claim.store, claim.intent.id, sent.now):
            why = "one effect is tried first, to see whether REVER replies again"
            verdict = SendVerdict(Sending.PAUSED, why, sent.now + TRIAL)
        if verdict.sending is Sending.SENT:
            kind = claim.intent.kind
            done = [row for row in known if row.process_id == claim.process_id and row.kind == kind]
            verdict = _send(conn, sent, KINDS[kind].knew(claim.intent, done), trail)
        verdicts.append(verdict)
    append(conn, trail)
    return verdicts


def _send(conn: Connection, sent: Sent, knew: Mapping[str, Any], trail: list[dict[str, Any]]) -> SendVerdict:
    seen = {**sent.snapshot, **knew}
    row = take(conn, _SEND, sent.claim, seen=seen, at=sent.now, until=sent.deadline, settle=sent.settle_at)
    if row is None:
        end_trial(conn, [sent.claim.intent.id])
        return LOST
    trail.append(intent_trail(row, "sent", {"attempt": row.attempt, "snapshot": seen}, sent.now, sent.actor))
    return SendVerdict(Sending.SENT, attempt=row.attempt)


def put_back(conn: Connection, claim: Claim, *, why: str, now: datetime, actor: Actor) -> Recorded:
    """`sent -> intended` with the same token: it certainly did nothing (never left, or 429).

    Also from `unknown`, where another run saw only that it ran past its deadline: who sent it knows better.
    """
    row = take(conn, _PUT_BACK, claim)
    if row is None:
        return Recorded.NOT_MINE
    end_trial(conn, [row.id])
    close_hold(conn, row, f"it certainly did nothing: {why}", now, actor)
    tell(conn, row, "put_back", {"why": why, "attempt": row.attempt}, now, actor)
    return Recorded.TAKEN


def withdraw(
    conn: Connection, claim: Claim, *, why: str, now: datetime, actor: Actor, told_no: bool = False
) -> Recorded:
    """`intended -> withdrawn`, or from `sent` where it certainly did nothing.

    Its units are free for the next claim, its counters and waivers given back. `told_no` says that it was sent, and
    that somebody on the way answered that nothing was done: until its `look_at`, when REVER would show the effect, the
    rules send no other (`tasks.policy.rules.gates.told_no`).
    """
    row = take(conn, _TOLD_NO if told_no else _WITHDRAW, claim, at=now, said={"why": why})
    if row is None:
        return Recorded.NOT_MINE
    free(conn, [row])
    close_hold(conn, row, f"it certainly did nothing: {why}", now, actor)
    tell(conn, row, "withdrawn", {"why": why}, now, actor)
    return Recorded.TAKEN


def release(conn: Connection, claim: Claim, *, now: datetime) -> Recorded:
    """End the lease now: the next run may withdraw it and decide again."""
    return Recorded.NOT_MINE if take(conn, _RELEASE, claim, at=now) is None else Recorded.TAKEN
