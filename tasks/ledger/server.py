"""On which PostgreSQL server, and on which timeline of it, a ledger is: a fail-over is a restore nobody announces.

An asynchronous standby that takes over lacks the last commits, and looks sound. But each promotion begins a new
timeline, as does a point-in-time recovery, and another server has another identifier. The ledger keeps the ones that it
was last opened on; where they are others by now it counts as restored.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, event, select, update
from sqlalchemy.exc import DBAPIError

from tasks.ledger.errors import LedgerError
from tasks.ledger.restored import mark_restored
from tasks.ledger.schema import ledger
from tasks.ledger.types import Actor
from tasks.ledger.where import Where

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
