"""Where the parcels of returns are, and each change of it: written once, whoever sees it, and never changed.

Two who see the same change at the same time give it the same number, and the table takes it from one of them. Nothing
here moves money; the rules read when goods were scanned and when they arrived.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, func, select, update

from tasks.database.engines import chunks, upsert
from tasks.database.lists import among
from tasks.ledger.schema import intents, parcel_changes, parcels, records, tracked
from tasks.ledger.types import Actor
from tasks.lookup import same_tracking
from tasks.policy.clocks import DIFFER
from tasks.policy.kinds.register_label import MADE_LABEL
from tasks.policy.record import IntentKind, IntentState, ParcelChange
from tasks.policy.tracking import AT_ITS_END, OF_RETURN, ParcelView, changes, due_for_a_look

NOTED_EVERY = timedelta(hours=6)
"""How often a run that reads a return anyway writes down that it looked at its parcels, where none has changed."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one read shows of the parcels of a return."""

    process_id: str
    store: str
    order_name: str
    view: ParcelView


@dataclass(frozen=True, slots=True)
class Moved:
    """A change of a parcel that a read has shown."""

    process_id: str
    store: str
    order_name: str
    change: ParcelChange


@dataclass(frozen=True, slots=True)
class StandingParcel:
    """A parcel that has not moved since `since`. `n` is the number of the change after which it stands."""

    process_id: str
    parcel: int
    store: str
    order_name: str
    carrier: str
    status: str
    since: datetime
    n: int


_AT = parcels.c.since.type
_OF_A_CHANGE = ("process_id", "parcel", "n", "before", "status", "seen_at", "told_at", "as_of")
_CHANGES: Select[Any] = (
    select(*(parcel_changes.c[name] for name in _OF_A_CHANGE), parcels.c.tracking, parcels.c.carrier)
    .select_from(
        parcel_changes.outerjoin(
            parcels,
            (parcels.c.process_id == parcel_changes.c.process_id) & (parcels.c.parcel == parcel_changes.c.parcel),
        )
    )
    .where(among(parcel_changes.c.process_id, "ids"))
    .order_by(parcel_changes.c.seen_at, parcel_changes.c.parcel, parcel_changes.c.n)
)
_LOOKED = (
    update(parcels)
    .where(parcels.c.process_id == bindparam("p"), parcels.c.looked_at <= bindparam("before", type_=_AT))
    .values(looked_at=bindparam("at", type_=_AT))
)
_OVER = update(parcels).where(parcels.c.process_id == bindparam("p"), parcels.c.moving).values(moving=False)
_TOLD = update(parcels).where(
    parcels.c.process_id == bindparam("p"),
    parcels.c.parcel == bindparam("of"),
    parcels.c.changes == bindparam("after"),
    parcels.c.told < bindparam("after"),
)


def parcels_of(conn: Connection, process_ids: Collection[str]) -> Mapping[str, tuple[ParcelChange, ...]]:
    """The changes of the parcels of these returns, oldest first; none for a return of which none was seen.

    Also of returns that are at their end: the backtest asks here when the goods moved. One query for 500 returns.
    """
    found: dict[str, list[ParcelChange]] = defaultdict(list)
    for ids in chunks(process_ids):
        for row in conn.execute(_CHANGES, {"ids": ids}):
            found[row.process_id].append(_change_of(row))
    return {process_id: tuple(found.get(process_id, ())) for process_id in process_ids}


def _change_of(row: Row[Any]) -> ParcelChange:
    return ParcelChange(
        row.parcel,
        row.n,
        row.before,
        row.status,
        row.seen_at,
        row.told_at,
        row.as_of,
        row.tracking or "",
        row.carrier or "",
    )


def note_parcels(conn: Connection, seen: Sequence[Sighting], *, now: datetime, actor: Actor) -> list[Moved]:
    """Write down what these reads show otherwise than it was known, and that they were looked at; returns what is new.

    A change that another run has written meanwhile is not returned.
    """
    found = moves(conn, seen, now)
    written = write_moves(conn, found, now=now, actor=actor)
    note_looks(conn, {each.process_id for each in seen if each.view.tells}, now=now, every=timedelta(0))
    end_parcels(conn, {each.process_id for each in seen if each.view.over})
    return written


def moves(conn: Connection, seen: Sequence[Sighting], now: datetime) -> list[Moved]:
    """What these reads show otherwise than it is known, in order of id. Reads only.

    The parcels of a return that was archived are followed no more: what was known of them is not here.
    """
    archived = _archived(conn, {each.process_id for each in seen})
    seen = [each for each in seen if each.process_id not in archived]
    known = parcels_of(conn, {each.process_id for each in seen})
    return [
        Moved(each.process_id, each.store, each.order_name, change)
        for each in sorted(seen, key=lambda it: it.process_id)
        for change in changes(known[each.process_id], each.view, now)
    ]


def _archived(conn: Connection, process_ids: Collection[str]) -> set[str]:
    query = select(records.c.process_id).where(among(records.c.process_id, "ids"), records.c.archived_at.is_not(None))
    return {row.process_id for ids in chunks(process_ids) for row in conn.execute(query, {"ids": ids})}


def write_moves(conn: Connection, found: Sequence[Moved], *, now: datetime, actor: Actor) -> list[Moved]:
    """Write these changes, which are in order of id; returns those that nobody else has written."""
    if not found:
        return []
    insert = upsert(conn, parcel_changes, ["process_id", "parcel", "n"]).returning(
        parcel_changes.c.process_id, parcel_changes.c.parcel, parcel_changes.c.n
    )
    new = {tuple(row) for row in conn.execute(insert, [_change_row(it, actor) for it in found])}
    written = [it for it in found if (it.process_id, it.change.parcel, it.change.n) in new]
    if written:
        stands = ["status", "changes", "since", "looked_at", "moving"]
        rows = [_parcel_row(it, now) for it in written]
        conn.execute(upsert(conn, parcels, ["process_id", "parcel"], stands), rows)
    return written


def note_looks(
    conn: Connection, process_ids: Collection[str], *, now: datetime, every: timedelta = NOTED_EVERY
) -> None:
    """Note that all parcels of these returns were looked at, where it is `every` or more since the last look."""
    before = now - every
    old = (
        select(parcels.c.process_id).where(among(parcels.c.process_id, "ids"), parcels.c.looked_at <= before).distinct()
    )
    due = [row.process_id for ids in chunks(process_ids) for row in conn.execute(old, {"ids": ids})]
    if due:
        # One by one and in order, so that of two who write the same rows none waits for the other.
        conn.execute(_LOOKED, [{"p": each, "before": before, "at": now} for each in sorted(due)])


def end_parcels(conn: Connection, process_ids: Collection[str]) -> None:
    """Ask no more about the parcels of these returns, which were called off."""
    if process_ids:
        conn.execute(_OVER, [{"p": each} for each in sorted(process_ids)])


def _change_row(moved: Moved, actor: Actor) -> dict[str, Any]:
    change = moved.change
    return {
        "process_id": moved.process_id,
        "parcel": change.parcel,
        "n": change.n,
        "before": change.before,
        "status": change.status,
        "seen_at": change.seen_at,
        "told_at": change.told_at,
        "as_of": change.as_of,
        "seen_by": actor.name,
    }


def _parcel_row(moved: Moved, now: datetime) -> dict[str, Any]:
    change = moved.change
    return {
        "process_id": moved.process_id,
        "parcel": change.parcel,
        "store": moved.store,
        "order_name": moved.order_name,
        "tracking": change.tracking,
        "carrier": change.carrier,
        "status": change.status,
        "changes": change.n,
        "since": change.at,
        "looked_at": now,
        "moving": change.parcel != OF_RETURN and change.status not in AT_ITS_END,
    }


# What is asked about, what has stopped, and until when a store's list was read.


def tracked_until(conn: Connection, store: str, now: datetime) -> datetime | None:
    """Until when the store's list was read for changes; None where it never was, or by a clock that was ahead."""
    at: datetime | None = conn.execute(select(tracked.c.at).where(tracked.c.store == store)).scalar()
    return None if at is None or at > now + DIFFER else at


def note_tracked(conn: Connection, store: str, *, at: datetime) -> None:
    """Note that the store's list was read for all that had changed by then."""
    conn.execute(upsert(conn, tracked, ["store"], ["at"]), [{"store": store, "at": at}])


def parcels_due(conn: Connection, store: str, now: datetime) -> tuple[set[str], int]:
    """The store's returns with a parcel that is to be asked about again, and how many have one that moves."""
    moving = select(parcels).where(parcels.c.store == store, parcels.c.moving)
    due, all_of_them = set[str](), set[str]()
    for row in conn.execute(moving):
        all_of_them.add(row.process_id)
        if row.looked_at > now + DIFFER or due_for_a_look(row.since, row.looked_at, now):
            due.add(row.process_id)
    return due, len(all_of_them)


def last_looks(conn: Connection, process_ids: Collection[str]) -> dict[str, datetime]:
    """When all parcels of these returns were last looked at; those of which none was seen are left out."""
    query = (
        select(parcels.c.process_id, func.min(parcels.c.looked_at, type_=_AT).label("at"))
        .where(among(parcels.c.process_id, "ids"))
        .group_by(parcels.c.process_id)
    )
    return {row.process_id: row.at for ids in chunks(process_ids) for row in conn.execute(query, {"ids": ids})}


def standing_parcels(conn: Connection, store: str) -> list[StandingParcel]:
    """The parcels of a store that may still move, those that have stood longest first."""
    query = select(parcels).where(parcels.c.store == store, parcels.c.moving)
    return [
        StandingParcel(
            row.process_id, row.parcel, row.store, row.order_name, row.carrier, row.status, row.since, row.changes
        )
        for row in conn.execute(query.order_by(parcels.c.since, parcels.c.process_id, parcels.c.parcel))
    ]


def tell_once(conn: Connection, stopped: Sequence[StandingParcel]) -> list[StandingParcel]:
    """Those of these parcels of which nobody was told since they stand so: they are told of now, and not again."""
    new = []
    for it in sorted(stopped, key=lambda it: (it.process_id, it.parcel)):
        told = conn.execute(_TOLD.values(told=it.n), {"p": it.process_id, "of": it.parcel, "after": it.n})
        if told.rowcount:
            new.append(it)
    return new


def returns_tracked_as(conn: Connection, number: str) -> list[tuple[str, str]]:
    """The returns that have a parcel of this tracking number, or for which a label of it was registered: id, order.

    Blanks and capitals in the number do not count. A label that REVER refused, or that was never sent, is none.
    """
    folded = "".join(number.split()).lower()
    kept = select(parcels.c.process_id, parcels.c.order_name, parcels.c.tracking).where(
        func.lower(func.replace(parcels.c.tracking, " ", "")) == folded
    )
    found = {row.process_id: row.order_name for row in conn.execute(kept) if same_tracking(row.tracking, number)}
    registered = (
        select(intents.c.process_id, records.c.order_name, intents.c.details)
        .join(records, records.c.process_id == intents.c.process_id)
        .where(intents.c.kind == IntentKind.REGISTER_LABEL, intents.c.state.not_in(_CAME_TO_NOTHING))
    )
    for row in conn.execute(registered):
        if same_tracking(row.details[MADE_LABEL]["tracking_id"], number):
            found.setdefault(row.process_id, row.order_name)
    return sorted(found.items())


_CAME_TO_NOTHING = (IntentState.REFUSED, IntentState.WITHDRAWN, IntentState.DROPPED)


def forget_tracking(conn: Connection, process_ids: Collection[str]) -> int:
    """Remove the tracking numbers of these returns, by which a carrier shows an address; returns how many.

    With that of a label made by hand goes where its file lies: it cannot be sent any more.
    """
    ids = sorted(process_ids)
    query = update(parcels).where(parcels.c.process_id.in_(ids), parcels.c.tracking != "")
    many = conn.execute(query.values(tracking="")).rowcount
    registered = select(intents.c.id, intents.c.details).where(
        intents.c.process_id.in_(ids), intents.c.kind == IntentKind.REGISTER_LABEL
    )
    for row in conn.execute(registered).all():
        made = row.details[MADE_LABEL]
        many += bool(made["tracking_id"])
        without = made | {"tracking_id": "", "tracking_url": "", "file": "", "forgotten": True}
        details = row.details | {MADE_LABEL: without}
        conn.execute(update(intents).where(intents.c.id == row.id).values(details=details))
    return many
