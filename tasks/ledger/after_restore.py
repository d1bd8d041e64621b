"""A ledger that came from a backup: nothing is sent to a store until reconcile has gone over all that it shows.

Such a ledger does not know what was done since the backup. The mark is one row, set before the restored file is put in
place and read in every step to `sent`; each store takes it off for itself. It also throws the stop switch, whatever the
backup said: what people answered since the backup is seen nowhere, so a person looks before effects go again.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, delete, event, func, select, update
from sqlalchemy.exc import DBAPIError

from tasks.database.engines import Where, upsert
from tasks.ledger.audit import append, audit_row
from tasks.ledger.schema import audit, caught_up, ledger, records, waivers
from tasks.ledger.types import Actor, LedgerError
from tasks.policy.clocks import DIFFER, ahead
from tasks.policy.rules.gates import LABEL_ASKED, MONEY_ASKED

ASKED_ANEW = (MONEY_ASKED, LABEL_ASKED)
"""Rules that a person lets pass after one restore, and not after the next."""


@dataclass(frozen=True, slots=True)
class FormerReturn:
    """A return of which the former ledger knows more: what, in words for the person who is asked about it."""

    store: str
    order_name: str
    told: str


@dataclass(frozen=True, slots=True)
class Restored:
    """A restore that some stores have not caught up with. `since` is the last thing that the backup knew of."""

    at: datetime
    since: datetime
    stores: tuple[str, ...]


def mark_restored(
    conn: Connection,
    *,
    why: str,
    now: datetime,
    actor: Actor,
    known: Mapping[str, FormerReturn] | None = None,
) -> datetime:
    """Note that this ledger came from a backup, and stop all effects; return the time of the last thing it knows.

    `known` is what the former ledger knows and this one does not, where it could be read: just these returns are asked
    about before anything is done for them. Without it every return is that began before `now`.
    """
    found = conn.execute(select(ledger)).one()
    # What a clock that was ahead has written says nothing of when: rather too far back than not far enough.
    known_at = select(func.max(audit.c.at)).where(audit.c.at <= now + DIFFER)
    last: datetime = conn.execute(known_at).scalar() or min(found.created_at, now)
    before = f"; before that {found.stopped_by} had stopped them: {found.stopped_why}" if found.stopped else ""
    stop = {
        "stopped": True,
        "stopped_since": now,
        "stopped_by": actor.name,
        "stopped_why": f"{why}, and a person looks first at what is due: `rever-returns holds`{before}",
    }
    review = {"review_before": now} if known is None else {}
    conn.execute(update(ledger).values(restored_at=now, restored_from=last, restored_why=why, **stop, **review))
    conn.execute(delete(waivers).where(waivers.c.rule.in_(ASKED_ANEW)))
    if known:
        rows = [
            {"process_id": each, "store": it.store, "order_name": it.order_name, "former": it.told, "final": False}
            for each, it in known.items()
        ]
        conn.execute(upsert(conn, records, ["process_id"], ["former", "final"]), rows)
    append(conn, [audit_row(actor, now, "restored", "", evidence={"why": why, "knows_until": last.isoformat()})])
    return last


def restored(conn: Connection, stores: Collection[str]) -> Restored | None:
    """The restore that these stores have still to catch up with, if any."""
    row = conn.execute(select(ledger.c.restored_at, ledger.c.restored_from)).first()
    if row is None or row.restored_at is None:
        return None
    behind = sorted(set(stores) - up_to_date(conn, row.restored_at))
    return Restored(row.restored_at, row.restored_from, tuple(behind)) if behind else None


def up_to_date(conn: Connection, restored_at: datetime) -> set[str]:
    """The stores that have caught up with the restore of this time."""
    query = select(caught_up.c.store).where(caught_up.c.at >= restored_at)
    return {row.store for row in conn.execute(query)}


def catch_up(
    conn: Connection,
    stores: Collection[str],
    *,
    read_since: datetime,
    settle_after: timedelta,
    now: datetime,
    actor: Actor,
    why: str = "reconcile has gone over all that changed at REVER since the backup",
) -> tuple[str, ...]:
    """Let effects at these stores go again; answers those that may, for the first time since the restore.

    Only where REVER was read from `settle_after` after the restore on: until then what was sent just before it may
    still come to be seen.
    """
    mark = restored(conn, stores)
    if mark is None or (read_since < mark.at + settle_after and not ahead(mark.at, now)):
        return ()
    now = max(now, mark.at)  # a mark by a clock that was ahead is caught up with too
    conn.execute(upsert(conn, caught_up, ["store"], ["at"]), [{"store": store, "at": now} for store in mark.stores])
    said = {"why": why, "stores": ", ".join(mark.stores)}
    append(conn, [audit_row(actor, now, "caught_up", "", evidence=said)])
    return mark.stores


# On which PostgreSQL server, and on which timeline of it, a ledger is: a fail-over is a restore nobody announces.
#
# An asynchronous standby that takes over lacks the last commits, and looks sound. But each promotion begins a new
# timeline, as does a point-in-time recovery, and another server has another identifier. The ledger keeps the ones
# that it was last opened on; where they are others by now it counts as restored.


_IDENTITY = (
    "SELECT system_identifier::text || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8) FROM pg_control_system()"
)
WHY = (
    "the ledger's PostgreSQL server is not the one it was on before: a standby took over, or a dump or an older state"
    " was put back, and the last commits may be missing"
)


def identity(conn: Connection) -> str:
    """The server's identifier and timeline; "" on SQLite, and where this user may not ask or the server has none."""
    if conn.dialect.name != "postgresql":
        return ""
    try:
        with conn.begin_nested():
            return str(conn.exec_driver_sql(_IDENTITY).scalar_one())
    except DBAPIError:
        return ""


def check_server(conn: Connection, now: datetime) -> None:
    """Mark the ledger as restored, once for all who open it, where its server is another than at the last opening."""
    found = identity(conn)
    if not found:
        return
    before = conn.execute(select(ledger.c.server)).scalar_one()
    if found == before:
        return
    mine = update(ledger).where(ledger.c.server == before).values(server=found).returning(ledger.c.server)
    if conn.execute(mine).first() is not None and before:
        mark_restored(conn, why=WHY, now=now, actor=Actor("the ledger itself"))


def stay_on_server(engine: Engine, where: Where, found: str) -> None:
    """Refuse each later connection of this engine that comes to another server than the run began on."""
    if not found:
        return

    @event.listens_for(engine, "connect")
    def compare(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_IDENTITY)
            (now,) = cursor.fetchone()
        connection.rollback()
        if now != found:
            raise LedgerError(
                f"the server of the {where.what} {where} has changed under this run (a fail-over); nothing more is"
                " sent, and the next run looks at what is missing"
            )
