"""The condition of a ledger's database, seen from outside and without leaving a trace."""

import os
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, inspect, select

from tasks.database.engines import Where, looking_engine, translated
from tasks.ledger.migrate import revision
from tasks.ledger.schema import REVISION, ledger

_WAL = 2  # the file format's version numbers of a SQLite file in WAL mode, bytes 18 and 19 of its header


@dataclass(frozen=True, slots=True)
class Condition:
    """What was found.

    Attributes:
        where: the ledger's place, without password.
        revision: of its tables, "" where there are none yet; `newest` is the one this program makes.
        account: the REVER account it is bound to, "" for none yet.
        writable: whether this user may write to it, as far as can be told without writing.
        durable: whether what it commits is on the disk when it is answered.
        now: its database's clock; None where that is this machine's (SQLite).
    """

    where: str
    revision: str
    newest: str
    account: str
    writable: bool
    durable: bool
    now: datetime | None


def condition(url: str) -> Condition:
    """Look at a ledger. Raises `LedgerError` for a database that cannot be reached or read."""
    where = Where.of(url)
    if where.path is not None and not (where.path.exists() and where.path.stat().st_size):
        return Condition(str(where), "", REVISION, "", os.access(where.path.parent, os.W_OK), durable=True, now=None)
    engine = looking_engine(where)
    try:
        with translated(where), engine.connect() as conn:
            found = revision(conn)
            account = conn.execute(select(ledger.c.account)).scalar() if _has_ledger(conn) else None
            state = _server(conn) if where.path is None else _file(where)
            return Condition(str(where), found, REVISION, account or "", **state)
    finally:
        engine.dispose()


def _has_ledger(conn: Connection) -> bool:
    return inspect(conn).has_table(ledger.name)


def _file(where: Where) -> dict[str, Any]:
    path = where.path
    assert path is not None  # noqa: S101 - the caller's case
    with path.open("rb") as file:
        header = file.read(20)
    writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    return {"writable": writable, "durable": list(header[18:20]) == [_WAL, _WAL], "now": None}


def _server(conn: Connection) -> dict[str, Any]:
    """PostgreSQL: `synchronous_commit` is set by each connection of ours, but a server may leave out the fsync."""
    standby, now = conn.exec_driver_sql("SELECT pg_is_in_recovery(), clock_timestamp()").one()
    fsync = conn.exec_driver_sql("SHOW fsync").scalar() == "on"
    committed = conn.exec_driver_sql("SHOW synchronous_commit").scalar() in {"on", "remote_apply"}
    return {"writable": not standby, "durable": fsync and committed, "now": now}
