"""Lock the returns of a batch, and write what was decided about them: one statement per table, however many."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, case, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from tasks.ledger.draft import Draft
from tasks.ledger.records import REVIEW_BEFORE, Loaded, chunks, load
from tasks.ledger.rows import paid_json
from tasks.ledger.schema import holds, intents, lines, records, units, waivers
from tasks.ledger.trail import append, audit_row
from tasks.ledger.types import DecideRequest
from tasks.policy.clocks import DIFFER
from tasks.policy.decision import Adopt, Compensate, Decision, Hold, MakeLabel, Nothing, Wait
from tasks.policy.record import IntentState, Record

_LOCK = (
    select(records, REVIEW_BEFORE)
    .where(records.c.process_id.in_(bindparam("ids", expanding=True)))
    .order_by(records.c.process_id)
    .with_for_update(of=records)
)
_AT = records.c.run_began_at.type
_BEGAN = bindparam("began", type_=records.c.run_began_at.type)
_LOOKED = (
    update(records)
    .where(records.c.process_id == bindparam("p"))
    .values(
        store=bindparam("s"),
        order_name=bindparam("o"),
        decision=bindparam("d"),
        rule=bindparam("r"),
        why=bindparam("w"),
        looked_at=bindparam("looked"),
        next_look_at=bindparam("next"),
        # Of two runs at the same time the one that began last counts, in whatever order they write.
        run_began_at=case(
            (
                _BEGAN.is_(None)
                | ((records.c.run_began_at > _BEGAN) & (records.c.run_began_at <= bindparam("believed", type_=_AT))),
                records.c.run_began_at,
            ),
            else_=_BEGAN,
        ),
        final=bindparam("f"),
        costs=func.coalesce(bindparam("c", type_=records.c.costs.type), records.c.costs),
    )
)
_FREE = delete(units).where(
    units.c.process_id.in_(bindparam("ids", expanding=True)), units.c.intent_id.in_(bindparam("dead", expanding=True))
)
_PAID = (
    update(intents)
    .where(intents.c.id == bindparam("intent"), intents.c.state == IntentState.DONE)
    .values(paid_seen=bindparam("paid", type_=intents.c.paid_seen.type))
)
_USE = update(waivers).where(waivers.c.seq == bindparam("waiver")).values(used_by=bindparam("intent"))
_CLOSE = (
    update(holds)
    .where(holds.c.id == bindparam("hold"), holds.c.state == "open")
    .values(state="closed", closed_why=bindparam("because"), answered_at=bindparam("at"), version=holds.c.version + 1)
)
_INTENTS, _UNITS, _HOLDS = insert(intents), insert(units), insert(holds)
_TERMS = {"total": lines.c.total, "quantity": lines.c.quantity, "currency": lines.c.currency}

_NAMES: Mapping[type, str] = {
    Compensate: "compensate",
    Adopt: "adopt",
    MakeLabel: "label",
    Wait: "wait",
    Hold: "hold",
    Nothing: "nothing",
}


def lock_and_load(conn: Connection, requests: Sequence[DecideRequest]) -> dict[str, Loaded]:
    """Lock each return's row until the commit, in order of id, making those that are missing; load what is known."""
    ids = [request.process_id for request in requests]
    known = lock_rows(conn, ids)
    missing = [request for request in requests if request.process_id not in known]
    if missing:
        build = pg_insert(records) if conn.dialect.name == "postgresql" else sqlite_insert(records)
        rows = [{"process_id": r.process_id, "store": r.store, "order_name": r.order_name} for r in missing]
        conn.execute(build.on_conflict_do_nothing(), rows)
        # On PostgreSQL somebody else may have made one meanwhile: then it is known after all, and has a past.
        known |= lock_rows(conn, [request.process_id for request in missing])
    return load(conn, known)


def lock_rows(conn: Connection, ids: Sequence[str]) -> dict[str, Any]:
    """Lock the rows of these returns that are there."""
    return {row.process_id: row for piece in chunks(ids) for row in conn.execute(_LOCK, {"ids": piece})}


def write(conn: Connection, drafts: Sequence[Draft]) -> None:
    """Write all drafts. Raises `IntegrityError` where a unit is taken after all; then nothing of it may stay."""
    _free_units(conn, drafts)
    _insert(conn, _INTENTS, [row for draft in drafts for row in draft.intents])
    _insert(conn, _UNITS, [row for draft in drafts for row in draft.units])
    write_terms(conn, [row for draft in drafts for row in draft.terms])
    _insert(conn, _CLOSE, [row for draft in drafts for row in draft.closed_holds])
    _insert(conn, _HOLDS, [row for draft in drafts for row in draft.holds])
    _insert(conn, _USE, [row for draft in drafts for row in draft.waivers_used])
    _insert(conn, _PAID, [row for draft in drafts for row in _paid(draft)])
    conn.execute(_LOOKED, [_looked(draft) for draft in drafts])
    append(conn, [row for draft in drafts for row in _trail(draft)])


def write_terms(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Fix the terms of lines, over those that only dead intents had fixed."""
    if not rows:
        return
    if conn.dialect.name == "postgresql":
        pg = pg_insert(lines)
        fixed = {"total": pg.excluded.total, "quantity": pg.excluded.quantity, "currency": pg.excluded.currency}
        conn.execute(pg.on_conflict_do_update(index_elements=["process_id", "line_id"], set_=fixed), list(rows))
    else:
        lite = sqlite_insert(lines)
        fixed = {"total": lite.excluded.total, "quantity": lite.excluded.quantity, "currency": lite.excluded.currency}
        conn.execute(lite.on_conflict_do_update(index_elements=["process_id", "line_id"], set_=fixed), list(rows))


def free_dead_units(conn: Connection, found: Sequence[Record]) -> None:
    """Let go of the units that refused and withdrawn intents still name. Such an intent never lives again."""
    dead = {intent.id: record.process_id for record in found for intent in record.intents if not intent.live}
    if dead:
        conn.execute(_FREE, {"ids": sorted(set(dead.values())), "dead": list(dead)})


def _paid(draft: Draft) -> list[dict[str, Any]]:
    """What REVER shows as paid of the done refunds; told in the audit where it is not all, or not what it was."""
    made = {intent.id: intent for intent in draft.record.intents}
    rows = []
    for intent_id, seen in draft.request.paid(draft.record).items():
        rows.append({"intent": intent_id, "paid": paid_json(seen)})
        intent = made[intent_id]
        before = intent.amount if intent.paid_seen is None else intent.paid_seen.paid
        if seen.paid != before:
            evidence = {"paid": str(seen.paid), "on its way": str(intent.amount - seen.paid), "before": str(before)}
            draft.trail.append(
                audit_row(
                    draft.actor, draft.now, "paid", draft.request.process_id, rule=draft.decision.rule,
                    evidence=evidence, amount=seen.paid, currency=intent.currency, intent_id=intent_id,
                )
            )  # fmt: skip
    return rows


def _free_units(conn: Connection, drafts: Sequence[Draft]) -> None:
    free_dead_units(conn, [draft.loaded.record for draft in drafts if draft.units])


def _insert(conn: Connection, statement: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        conn.execute(statement, rows)


def _looked(draft: Draft) -> dict[str, Any]:
    request, decision = draft.request, draft.decision
    return {
        "p": request.process_id,
        "s": request.store,
        "o": request.order_name,
        "d": _NAMES[type(decision)],
        "r": decision.rule,
        "w": decision.why,
        "looked": draft.now,
        "next": decision.until if isinstance(decision, Wait) else request.next_look_at,
        "began": draft.actor.run_began_at,
        "believed": draft.now + DIFFER,
        "f": _final(draft.loaded, decision) and not draft.record.holds,
        "c": draft.costs,
    }


def _final(loaded: Loaded, decision: Decision) -> bool:
    """Whether the return is at its end, were it not for open holds: a return that waits for a person is not.

    An end stays one, whatever an older view of the return says; only something to do or to ask opens it again.
    """
    if isinstance(decision, Nothing) and decision.final:
        return True
    return loaded.final and (isinstance(decision, Nothing) or (isinstance(decision, Wait) and not decision.reopens))


def _trail(draft: Draft) -> list[dict[str, Any]]:
    decision = draft.decision
    said = (_NAMES[type(decision)], decision.rule, decision.why)
    if said == draft.loaded.decided:
        return draft.trail
    evidence = {"decision": said[0], "why": decision.why}
    row = audit_row(draft.actor, draft.now, "decided", draft.request.process_id, rule=decision.rule, evidence=evidence)
    return [row, *draft.trail]
