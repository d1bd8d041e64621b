"""The step from `intended` to `sent`, the ways back, and the compare-and-sets that all steps of an intent share.

Safety rests on the token alone, never on a clock.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, bindparam, insert, or_, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from tasks.database.lists import among
from tasks.ledger import guards, stops
from tasks.ledger.audit import append, audit_row
from tasks.ledger.records import new_id
from tasks.ledger.schema import PARCEL, holds, intents, records
from tasks.ledger.stops import TRIAL, Gate, end_trial
from tasks.ledger.types import Actor, Claim, Recorded, Sending, SendVerdict, Sent
from tasks.policy.kinds import KINDS, Side
from tasks.policy.parcel import ParcelLine
from tasks.policy.record import HoldKind, IntentState

# The compare-and-sets that all steps share: each says which states it may leave, and whose token it needs.

UNKNOWN_OUTCOME = "unknown_outcome"
"""The rule of the hold that asks about an intent nobody knows the outcome of."""

MINE = intents.c.token == bindparam("mine")
SENT_BY_ME = and_(intents.c.sent_by == bindparam("mine"), MINE)

AUDIT_COLUMNS = tuple(
    intents.c[name] for name in ("id", "process_id", "store", "rule", "amount", "currency", "attempt")
)
"""What a compare-and-set returns for its row in the audit."""

_ROW = select(intents).where(intents.c.id == bindparam("intent")).with_for_update()
_HOLDS_OF = (
    update(holds)
    .where(holds.c.intent_id == bindparam("intent"), holds.c.state == "open", holds.c.rule == UNKNOWN_OUTCOME)
    .values(state="closed", closed_why=bindparam("because"), answered_at=bindparam("at"), version=holds.c.version + 1)
    .returning(holds.c.id)
)


Change = ReturningUpdate[Any]
"""One compare-and-set on one intent, see `change`."""


def change(to: IntentState, *where: ColumnElement[bool], answer: Sequence[Any] = (intents,), **values: Any) -> Change:
    """One compare-and-set on one intent: it returns the row (or these columns), or nothing where another was first."""
    query = update(intents).where(intents.c.id == bindparam("intent"), *where)
    return query.values(state=to, **values).returning(*answer)


def certainly_mine(*, intended: bool = False) -> ColumnElement[bool]:
    """The states in which my own call's answer still counts: `sent`, or `unknown` because others saw it run late.

    Nobody else has sent it since, for that would have taken a new token. With `intended` also before any call.
    """
    sent = and_(SENT_BY_ME, intents.c.state.in_((IntentState.SENT, IntentState.UNKNOWN)))
    return or_(sent, and_(MINE, intents.c.state == IntentState.INTENDED)) if intended else sent


def take(conn: Connection, query: Change, claim: Claim, **values: Any) -> Row[Any] | None:
    """Try a compare-and-set of a claim's own intent."""
    return conn.execute(query, {"intent": claim.intent.id, "mine": claim.token, **values}).first()


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


def done_trail(
    row: Row[Any], claim: Claim, evidence: Mapping[str, Any], now: datetime, actor: Actor
) -> list[dict[str, Any]]:
    """The audit rows about an intent that is done: that it is, and what came of it besides."""
    return [intent_trail(row, "done", evidence, now, actor), *further_trail(row, claim, now, actor)]


def further_trail(row: Row[Any], claim: Claim, now: datetime, actor: Actor) -> list[dict[str, Any]]:
    """The audit row about what came of an intent besides, by whoever wanted it; none for most."""
    step = KINDS[claim.intent.kind].further_step(claim.content)
    if step is None:
        return []
    who = Actor(step.by or actor.name, actor.flow_run_id)
    evidence = {**step.evidence, "through": actor.name}
    about = {"rule": row.rule, "intent_id": row.id}
    return [audit_row(who, now, step.event, row.process_id, evidence=evidence, **about)]


def close_hold(conn: Connection, row: Row[Any], why: str, now: datetime, actor: Actor) -> None:
    """Close the question about an unknown outcome: it has answered itself."""
    for (hold_id,) in conn.execute(_HOLDS_OF, {"intent": row.id, "because": why, "at": now}).all():
        tell(conn, row, "hold_closed", {"why": why}, now, actor, hold_id)


def free(conn: Connection, rows: Collection[Row[Any]]) -> None:
    """Give back the counters of intents that did nothing. Their units are free by their state alone."""
    guards.give_back(conn, rows)
    stops.end_trial(conn, [row.id for row in rows])


# Open a hold about an intent: its outcome is unknown, or contradicts what the ledger says.


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
    parcel: Sequence[ParcelLine] = (),
) -> str:
    """The id of the open hold of this rule for the intent's return; a new one where there is none.

    Where REVER was just read, `received` is what the shopper has in all by its account and ours, per currency, and
    `parcel` the goods.
    """
    label = KINDS[row.kind].side is Side.LABEL
    same = select(holds.c.id).where(
        holds.c.process_id == row.process_id, holds.c.rule == rule, holds.c.label == label, holds.c.state == "open"
    )
    found = conn.execute(same).scalar()
    if found is not None:
        return str(found)
    hold_id = new_id()
    details: dict[str, Any] = {PARCEL: [line.as_json() for line in parcel]} if parcel else {}
    if received is not None:
        details["received"] = {name: format(sum_, "f") for name, sum_ in received.items()}
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
            details=details,
            label=label,
            intent_id=row.id,
            since=now,
        )
    )
    tell(conn, row, "held", {"why": why, **evidence}, now, actor, hold_id)
    return hold_id


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
    among(intents.c.process_id, "ids"),
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
