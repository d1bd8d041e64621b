"""What people and reports read from the ledger."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, Row, Select, exists, func, or_, select

from tasks.database.engines import chunks
from tasks.database.lists import among
from tasks.ledger.archives import archived_evidence, archived_rows
from tasks.ledger.guards import shopper_hashes
from tasks.ledger.holds import HOLDS, past_hold
from tasks.ledger.records import claim_of, intent_of
from tasks.ledger.schema import audit, holds, intents, ledger, records, shopper_refunds
from tasks.ledger.types import AuditRow, History, IntentRow, RecordRow, Unfinished
from tasks.ledger.words import words_of
from tasks.policy.clocks import DIFFER
from tasks.policy.kinds import CREATE_RETURN
from tasks.policy.record import MONEY_KINDS, OPEN_STATES, REFUNDED, IntentKind, IntentState


def last_run(conn: Connection) -> datetime | None:
    """When a run last looked at a return; None where none has."""
    return conn.execute(select(func.max(records.c.looked_at))).scalar()


def history(conn: Connection, process_id: str, *, archived: bool = True) -> History | None:
    """All that is known of one return, each part oldest first, what was `archived` too; None for one never seen.

    Raises `LedgerError` where an archive is missing or was changed.
    """
    row = conn.execute(select(records).where(records.c.process_id == process_id)).first()
    if row is None:
        return None
    made = select(intents).where(intents.c.process_id == process_id).order_by(intents.c.seq)
    steps = select(audit).where(audit.c.process_id == process_id).order_by(audit.c.id)
    held = HOLDS.where(holds.c.process_id == process_id)
    evidence, before = dict[str, dict[str, Any]](), list[AuditRow]()
    if archived and row.archived_at is not None:
        evidence = archived_evidence(conn, [process_id])
        before = [_step(SimpleNamespace(**each)) for each in archived_rows(conn, audit, [process_id])]
    return History(
        record=_record(row),
        intents=tuple(_intent(each, evidence.get(each.id)) for each in conn.execute(made)),
        holds=tuple(past_hold(each) for each in conn.execute(held)),
        audit=(*before, *(_step(each) for each in conn.execute(steps))),
        words=words_of(conn, process_id),
    )


def returns_of(conn: Connection, process_ids: Collection[str]) -> list[RecordRow]:
    """Those of these returns that the ledger knows, in order of id."""
    query = select(records).where(among(records.c.process_id, "ids"))
    rows = [row for ids in chunks(process_ids) for row in conn.execute(query, {"ids": ids})]
    return sorted((_record(row) for row in rows), key=lambda row: row.process_id)


def refunded_returns(conn: Connection, emails: Collection[str]) -> dict[str, dict[str, str]]:
    """E-mail -> the returns for which this desk refunded its shopper, or may have: id of the return -> its store.

    Found by the keyed hash under which refunds count for the cap per shopper; a refund that was not sent yet is left
    out. After `forget` there are none.
    """
    key = conn.execute(select(ledger.c.shopper_key)).scalar()
    mine = {email: shopper_hashes(key, email) for email in emails} if key else {}
    query = (
        select(shopper_refunds.c.hash, intents.c.process_id, intents.c.store)
        .join(intents, intents.c.id == shopper_refunds.c.intent_id)
        .where(among(shopper_refunds.c.hash, "hashes"))
        .where(intents.c.kind == IntentKind.REFUND, intents.c.state.in_(sorted(REFUNDED)))
        .order_by(intents.c.seq)
    )
    every = sorted({each for hashes in mine.values() for each in hashes})
    rows = [row for piece in chunks(every) for row in conn.execute(query, {"hashes": piece})]
    return {email: {row.process_id: row.store for row in rows if row.hash in hashes} for email, hashes in mine.items()}


def returns_of_order(conn: Connection, names: Collection[str]) -> list[RecordRow]:
    """The returns of an order, by each way in which its number may be written; capitals do not count. In order of id.

    It goes over all returns of the ledger: a person asks now and then, and no index has to be kept for it.
    """
    low = {name.lower() for name in names}
    query = select(records).where(func.lower(records.c.order_name).in_(low)).order_by(records.c.process_id)
    return [_record(row) for row in conn.execute(query)]


def order_spellings(conn: Connection, process_id: str) -> list[str]:
    """The order's names under which new returns of it were asked for, oldest first; `process_id` stands for it."""
    asked = select(intents).where(intents.c.process_id == process_id, intents.c.kind == CREATE_RETURN.name)
    contents = [claim_of(row).content for row in conn.execute(asked.order_by(intents.c.seq))]
    return list(dict.fromkeys(content.order_name for content in contents))


def unfinished(conn: Connection, stores: Collection[str] | None = None) -> list[Unfinished]:
    """Returns not at their end, or held, and without an open intent, with the time at which each is looked at next."""
    going_on = exists().where(intents.c.process_id == records.c.process_id, intents.c.state.in_(sorted(OPEN_STATES)))
    held = exists().where(holds.c.process_id == records.c.process_id, holds.c.state == "open")
    query: Select[Any] = (
        select(records, held.label("held"))
        .where(~records.c.final | held, ~going_on)
        .order_by(records.c.next_look_at, records.c.process_id)
    )
    if stores is not None:
        query = query.where(records.c.store.in_(sorted(stores)))
    return [
        Unfinished(row.process_id, row.store, row.decision, row.rule, row.why, row.next_look_at, bool(row.held))
        for row in conn.execute(query)
    ]


def final_returns(conn: Connection, process_ids: Collection[str]) -> set[str]:
    """Those of these returns that are at their end: every unit has its outcome, REVER showed the same, and no hold is
    open.
    """
    query = select(records.c.process_id).where(among(records.c.process_id, "ids"))
    held = exists().where(holds.c.process_id == records.c.process_id, holds.c.state == "open")
    ended = query.where(records.c.final, ~held)
    return {row.process_id for ids in chunks(process_ids) for row in conn.execute(ended, {"ids": ids})}


def ended(
    conn: Connection, stores: Collection[str], *, since: datetime, looked_before: datetime, now: datetime, most: int
) -> list[str]:
    """Returns at their end, paid or exchanged at `since` or later and not looked at from `looked_before` on.

    Those not looked at for the longest time first, at most `most`. A look that is still to come, of a clock that was
    ahead, is none.
    """
    done = (IntentState.DONE, IntentState.DONE_BY_HAND)
    moved = exists().where(
        intents.c.process_id == records.c.process_id,
        intents.c.state.in_(done),
        intents.c.kind.in_(sorted(MONEY_KINDS)),
        intents.c.closed_at >= since,
    )
    unseen = or_(records.c.looked_at < looked_before, records.c.looked_at > now + DIFFER)
    query = (
        select(records.c.process_id)
        .where(records.c.final, records.c.store.in_(sorted(stores)), unseen, moved)
        .order_by(records.c.looked_at, records.c.process_id)
        .limit(most)
    )
    return [row.process_id for row in conn.execute(query)]


def server_clock(conn: Connection) -> datetime | None:
    """What the clock of the database's server shows; None where that is this machine's (SQLite)."""
    if conn.dialect.name != "postgresql":
        return None
    now: datetime = conn.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    return now.astimezone(UTC)


def runs_began(conn: Connection, process_ids: Collection[str], *, now: datetime | None = None) -> dict[str, datetime]:
    """Process id -> when the run began that last took the return as far as it could go; those never so are left out.

    The times are by the ledger's clock (`server_clock`). One after `now` is none: a run by a clock that was ahead would
    stand for every run to come.
    """
    known = select(records.c.process_id, records.c.run_began_at).where(
        among(records.c.process_id, "ids"), records.c.run_began_at.is_not(None)
    )
    if now is not None:
        known = known.where(records.c.run_began_at <= now + DIFFER)
    return {
        row.process_id: row.run_began_at for ids in chunks(process_ids) for row in conn.execute(known, {"ids": ids})
    }


def done_between(
    conn: Connection, since: datetime, until: datetime, stores: Collection[str] | None = None
) -> list[IntentRow]:
    """Intents that ended as done or done by hand in `since <= t < until`, for reconciling. Oldest first."""
    query = (
        select(intents)
        .where(
            intents.c.state.in_((IntentState.DONE, IntentState.DONE_BY_HAND)),
            intents.c.closed_at >= since,
            intents.c.closed_at < until,
        )
        .order_by(intents.c.closed_at, intents.c.seq)
    )
    if stores is not None:
        query = query.where(intents.c.store.in_(sorted(stores)))
    return [_intent(row) for row in conn.execute(query)]


def _record(row: Row[Any]) -> RecordRow:
    return RecordRow(
        process_id=row.process_id,
        store=row.store,
        order_name=row.order_name,
        decision=row.decision,
        rule=row.rule,
        why=row.why,
        looked_at=row.looked_at,
        next_look_at=row.next_look_at,
        final=row.final,
    )


def _intent(row: Row[Any], archived: Mapping[str, Any] | None = None) -> IntentRow:
    return IntentRow(
        intent=intent_of(row),
        process_id=row.process_id,
        store=row.store,
        rule=row.rule,
        why=row.why,
        evidence=archived["evidence"] if archived else row.evidence,
        attempt=row.attempt,
        closed_at=row.closed_at,
        day=row.day,
    )


def _step(row: Any) -> AuditRow:
    return AuditRow(
        id=row.id,
        process_id=row.process_id,
        at=row.at,
        actor=row.actor,
        event=row.event,
        rule=row.rule,
        evidence=row.evidence,
        amount=None if row.amount is None else format(row.amount, "f"),
        currency=row.currency,
        intent_id=row.intent_id,
        hold_id=row.hold_id,
        flow_run_id=row.flow_run_id,
    )
