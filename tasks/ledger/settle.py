"""Outcomes: what came of a call; how an unknown one is settled: by the clock, by evidence, or by asking a person."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, or_, select, update

from tasks.database.engines import chunks
from tasks.ledger import stops
from tasks.ledger.audit import append, audit_row
from tasks.ledger.records import claim_of, intent_of, new_token, paid_json
from tasks.ledger.schema import holds, intents
from tasks.ledger.send import (
    AUDIT_COLUMNS,
    SENT_BY_ME,
    UNKNOWN_OUTCOME,
    certainly_mine,
    change,
    close_hold,
    done_trail,
    free,
    hold_intent,
    intent_trail,
    lock_intent,
    take,
    tell,
)
from tasks.ledger.types import Actor, Claim, Done, Expired, OpenIntent, Recorded
from tasks.ledger.words import NOTHING_SAID, Said, keep
from tasks.ledger.writing import lock_rows
from tasks.policy.clocks import DIFFER, LONGEST_SETTING
from tasks.policy.decide import UNREAD_RULES
from tasks.policy.kinds import KINDS
from tasks.policy.parcel import ParcelLine
from tasks.policy.record import OPEN_STATES, HoldKind, IntentState, PaidSeen

_READABLE_WHY = "the return can be read again"
_READABLE = (
    update(holds)
    .where(holds.c.id == bindparam("hold"), holds.c.state == "open")
    .values(state="closed", closed_why=_READABLE_WHY, answered_at=bindparam("at"), version=holds.c.version + 1)
    .returning(holds.c.id, holds.c.process_id, holds.c.rule)
)
_asked = and_(holds.c.intent_id == intents.c.id, holds.c.state == "open", holds.c.rule == UNKNOWN_OUTCOME)
_OPEN = (
    select(intents, holds.c.id.label("hold_id"))
    .select_from(intents.outerjoin(holds, _asked))
    .where(intents.c.state.in_(sorted(OPEN_STATES)))
    .order_by(intents.c.seq)
)
_SETTLE = change(
    IntentState.DONE,
    or_(
        intents.c.state.in_((IntentState.UNKNOWN, IntentState.SENT)),
        # A person's retry that has not been sent: the first attempt is found done.
        and_(intents.c.state == IntentState.INTENDED, intents.c.sent_by != ""),
    ),
    evidence=bindparam("said", type_=intents.c.evidence.type),
    closed_at=bindparam("at", type_=intents.c.closed_at.type),
    look_at=None,
    paid_seen=bindparam("paid", type_=intents.c.paid_seen.type),
)
_PROCESS = select(intents.c.process_id).where(intents.c.id == bindparam("intent"))
_TOUCH = (
    update(intents)
    .where(intents.c.id == bindparam("intent"), intents.c.state.in_(sorted(OPEN_STATES)))
    .values(look_at=bindparam("at"))
)


def open_intents(
    conn: Connection, *, stores: Collection[str] | None = None, process_ids: Collection[str] | None = None
) -> list[OpenIntent]:
    """All intents whose outcome is to come, of these stores and returns (None: of all), oldest first."""
    query = _OPEN if stores is None else _OPEN.where(intents.c.store.in_(sorted(stores)))
    if process_ids is None:
        return [_open(row) for row in conn.execute(query)]
    pieces = chunks(process_ids)
    rows = [row for ids in pieces for row in conn.execute(query.where(intents.c.process_id.in_(ids)))]
    return [_open(row) for row in sorted(rows, key=lambda row: row.seq)]


def to_settle(conn: Connection, stores: Collection[str], process_ids: Collection[str] | None) -> set[str]:
    """The stores at which an effect is open, or a return held that could not be read; of these returns, or of any."""
    opened = {found.store for found in open_intents(conn, stores=stores, process_ids=process_ids)}
    unread = select(holds.c.store, holds.c.process_id).where(
        holds.c.state == "open", holds.c.rule.in_(sorted(UNREAD_RULES)), holds.c.store.in_(sorted(stores))
    )
    held = {row.store for row in conn.execute(unread) if process_ids is None or row.process_id in process_ids}
    return opened | held


def _open(row: Row[Any]) -> OpenIntent:
    return OpenIntent(
        intent=intent_of(row),
        process_id=row.process_id,
        store=row.store,
        snapshot=row.snapshot,
        token=row.token,
        sent_at=row.sent_at,
        deadline=row.deadline,
        settle_at=row.settle_at or row.lease_until,
        lease_until=row.lease_until,
        hold_id=row.hold_id or "",
    )


def expire(
    conn: Connection,
    *,
    now: datetime,
    actor: Actor,
    stores: Collection[str] | None = None,
    longest: timedelta = LONGEST_SETTING,
) -> Expired:
    """`sent` past its deadline becomes `unknown`, whoever owns it; `intended` past its lease is withdrawn.

    So does one whose deadline or lease lies further ahead than `longest`, the longest that can be set or is: a clock
    that was ahead has written it.

    The withdrawn one gets a new token, so that its former owner cannot send it any more. Neither counts towards a
    pause: that nobody recorded an answer is no sign that REVER gave none.
    """
    here = [] if stores is None else [intents.c.store.in_(sorted(stores))]
    wrong = now + longest + DIFFER
    late = (intents.c.state == IntentState.SENT, or_(intents.c.deadline < now, intents.c.deadline > wrong), *here)
    left = or_(intents.c.lease_until < now, intents.c.lease_until > wrong)
    over = (intents.c.state == IntentState.INTENDED, left, *here)
    _lock_in_order(conn, or_(and_(*late), and_(*over)))
    why = {"why": "no outcome was recorded before its deadline"}
    unknown = conn.execute(
        update(intents)
        .where(*late)
        .values(state=IntentState.UNKNOWN, look_at=intents.c.settle_at, evidence=why)
        .returning(intents)
    ).all()
    gone = {"why": "its lease was over before it was sent"}
    withdrawn = conn.execute(
        update(intents)
        .where(*over)
        .values(state=IntentState.WITHDRAWN, token=new_token(), look_at=None, closed_at=now, evidence=gone)
        .returning(intents)
    ).all()
    if unknown:
        stops.end_trial(conn, [row.id for row in unknown])
    if withdrawn:
        free(conn, withdrawn)
    append(
        conn,
        [intent_trail(row, "unknown", why, now, actor) for row in unknown]
        + [intent_trail(row, "withdrawn", gone, now, actor) for row in withdrawn],
    )
    return Expired(tuple(row.id for row in unknown), tuple(row.id for row in withdrawn))


def _lock_in_order(conn: Connection, where: Any) -> None:
    """Two runs that expire the same rows wait for each other instead of deadlocking (PostgreSQL)."""
    conn.execute(select(intents.c.id).where(where).order_by(intents.c.seq).with_for_update()).all()


def settle_done(
    conn: Connection,
    intent_id: str,
    *,
    evidence: Mapping[str, Any],
    now: datetime,
    actor: Actor,
    paid: PaidSeen | None = None,
) -> Recorded:
    """Seen at REVER: `unknown` or `sent` becomes `done` by evidence, and its hold closes.

    Also a person's retry that has not been sent. KNOWN where it was done already. `paid` is how much of a refund REVER
    shows as paid.
    """
    said = {**evidence, "by": "evidence at REVER"}
    row = conn.execute(_SETTLE, {"intent": intent_id, "at": now, "said": said, "paid": paid_json(paid)}).first()
    if row is None:
        now_is = lock_intent(conn, intent_id)
        done = now_is is not None and now_is.state == IntentState.DONE
        return Recorded.KNOWN if done else Recorded.NOT_MINE
    stops.end_trial(conn, [row.id])
    close_hold(conn, row, "it was seen at REVER", now, actor)
    append(conn, done_trail(row, claim_of(row), said, now, actor))
    return Recorded.TAKEN


def settle_hold(
    conn: Connection,
    intent_id: str,
    *,
    why: str,
    evidence: Mapping[str, Any],
    now: datetime,
    actor: Actor,
    received: Mapping[str, Decimal] | None = None,
    parcel: Sequence[ParcelLine] = (),
) -> str:
    """Ask a person about an unknown outcome; it stays unknown. Return the hold's id, empty where none is unknown."""
    process_id = conn.execute(_PROCESS, {"intent": intent_id}).scalar()
    if process_id is None:
        return ""
    lock_rows(conn, [process_id])
    found = lock_intent(conn, intent_id)
    if found is None or found.state != IntentState.UNKNOWN:
        return ""
    return hold_intent(
        conn,
        found,
        kind=HoldKind.UNKNOWN_OUTCOME,
        rule=UNKNOWN_OUTCOME,
        why=why,
        evidence=evidence,
        now=now,
        actor=actor,
        received=received,
        parcel=parcel,
    )


def close_readable(conn: Connection, hold_id: str, *, now: datetime, actor: Actor) -> None:
    """Close the hold of a return that could not be read, and can by now. Nothing happens where it is closed already."""
    for row in conn.execute(_READABLE, {"hold": hold_id, "at": now}).all():
        why = {"why": _READABLE_WHY}
        append(
            conn, [audit_row(actor, now, "hold_closed", row.process_id, rule=row.rule, evidence=why, hold_id=row.id)]
        )


def touch(conn: Connection, intent_id: str, look_at: datetime) -> None:
    """When an open intent is looked at next."""
    conn.execute(_TOUCH, {"intent": intent_id, "at": look_at})


# What came of a call: done, refused or unknown.


LATE_ANSWER = "late_answer"
"""The rule of the hold for an effect that was confirmed after the ledger had held it for something else."""

_AT = bindparam("at", type_=intents.c.closed_at.type)
_SAID = bindparam("said", type_=intents.c.evidence.type)
_PAID = bindparam("paid", type_=intents.c.paid_seen.type)
_DONE = change(
    IntentState.DONE,
    SENT_BY_ME,
    intents.c.state == IntentState.SENT,
    answer=AUDIT_COLUMNS,
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


def record_done(conn: Connection, dones: Sequence[Done]) -> list[Recorded]:
    """REVER confirmed these effects. A late confirmation is never lost, and never overwrites what a person closed.

    TAKEN also where the intent had meanwhile become unknown, or a person's retry had not been sent yet; the hold that
    asked about it closes. KNOWN where it was found done by evidence before. CONTRADICTS where a person closed it, or
    it was given up, or sent a second time, since: then a hold `late_answer` asks a person.
    """
    recorded: list[Recorded] = []
    stores: set[str] = set()
    trail: list[dict[str, Any]] = []
    for done in dones:
        said = {**done.evidence, "by": "REVER's answer"}
        row = take(conn, _DONE, done.claim, at=done.now, said=said, paid=paid_json(done.paid))
        if row is None:
            recorded.append(_late(conn, done, said))
            continue
        recorded.append(Recorded.TAKEN)
        stores.add(row.store)
        trail += done_trail(row, done.claim, said, done.now, done.actor)
    stops.answered(conn, stores)
    append(conn, trail)
    return recorded


def _late(conn: Connection, done: Done, said: Mapping[str, Any]) -> Recorded:
    claim, now, actor, paid = done.claim, done.now, done.actor, paid_json(done.paid)
    lock_rows(conn, [claim.process_id])
    row = lock_intent(conn, claim.intent.id)
    if row is None:
        return Recorded.NOT_MINE
    only_mine = row.sent_by == claim.token
    if only_mine and row.state == IntentState.DONE:
        tell(conn, row, "late_answer", said, now, actor)
        return Recorded.KNOWN
    if row.state in OPEN_STATES:
        row = conn.execute(_LATE, {"intent": row.id, "at": now, "said": said, "paid": paid}).one()
        stops.answered(conn, {row.store})
        close_hold(conn, row, "REVER's answer came late: it is done", now, actor)
        append(conn, done_trail(row, claim, {**said, "late": "yes"}, now, actor))
        if only_mine:
            return Recorded.TAKEN
    _contradicts(conn, row, said, now, actor)
    return Recorded.CONTRADICTS


def _contradicts(conn: Connection, row: Row[Any], said: Mapping[str, Any], now: datetime, actor: Actor) -> None:
    noun = KINDS[row.kind].noun
    why = f"REVER confirmed this {noun} after the ledger had it as {IntentState(row.state).replace('_', ' ')}"
    if row.state == IntentState.DONE:
        why = f"REVER confirmed this {noun} after it had been sent a second time: it may have been done twice"
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
    Also from `unknown`, where another run saw only that it ran past its deadline.
    """
    evidence = {"why": why, "code": code, **({"reason": reason} if reason else {}), **said.evidence}
    row = take(conn, _REFUSED, claim, at=now, said=evidence, code=code)
    if row is None:
        return _not_mine(conn, claim, "late_refusal", why, now, actor)
    free(conn, [row])
    stops.answered(conn, {row.store})
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
        stops.not_answered(conn, row.store, row.id, now)
    else:
        stops.end_trial(conn, [row.id])
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
