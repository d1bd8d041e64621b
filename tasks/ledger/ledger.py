"""The ledger: opens it, makes or migrates it where needed, binds it to its account, and looks at its condition."""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, Self

from sqlalchemy import Connection, inspect, select, text

from tasks.database.database import Database, GroupCommit, Reader, ReadOnlyReader
from tasks.database.engines import Where, check_durable, looking_engine, translated, upsert, writing_engine
from tasks.ledger.after_restore import check_server, identity, stay_on_server
from tasks.ledger.checking import unreadable
from tasks.ledger.schema import REVISION, VERSION_TABLE, ledger, metadata
from tasks.ledger.types import LedgerError, NoLedgerError

# Bring a ledger to the newest revision, once, however many processes open it at the same time; and look at one.

_ONE_AT_A_TIME = 7_203_665_001
"""The key of PostgreSQL's advisory lock around a migration; any number that nobody else uses."""

_IN_THIS_PROCESS = Lock()
"""Alembic keeps the migration under way in a global: two at once, even of two ledgers, write over each other."""


def revision(conn: Connection) -> str:
    """The revision of the ledger, empty where there is none yet."""
    if not inspect(conn).has_table(VERSION_TABLE):
        return ""
    return str(conn.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar() or "")  # noqa: S608 - our own name


def migrate(conn: Connection, where: Where, *, existing: bool = False) -> bool:
    """Migrate in the caller's write transaction, or make the tables where there are none yet; says whether it did.

    Raises `LedgerError` for a ledger newer than this program, and for a file that holds something else; with `existing`
    `NoLedgerError` where there is none.

    On SQLite that transaction is `BEGIN IMMEDIATE` and so the only one; on PostgreSQL an advisory lock makes it so.
    """
    if revision(conn) == REVISION:
        return False
    if conn.dialect.name == "postgresql":
        conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ONE_AT_A_TIME})
    found = revision(conn)
    if not found:
        if existing:
            raise no_ledger(where)
        check_vacant(conn, where)
    if found != REVISION:
        _upgrade(conn, where, found)
    return not found


def has_revision(conn: Connection, where: Where) -> bool:
    """Whether there is a ledger, of whatever version. Raises `LedgerError` for a file that holds something else."""
    found = bool(revision(conn))
    if not found:
        check_vacant(conn, where)
    return found


def check_revision(conn: Connection, where: Where) -> bool:
    """For reading alone: whether there is a ledger at all. Raises `LedgerError` for an older or newer one."""
    found = revision(conn)
    if found and found != REVISION:
        if found > REVISION:
            raise _newer(where, found)
        raise LedgerError(
            f"the ledger {where} is of an older version ({found}); a run with mode=act brings it up to {REVISION}"
        )
    if not found:
        check_vacant(conn, where)
    return bool(found)


def no_ledger(where: Where) -> NoLedgerError:
    """The error that says that there is no ledger, and what to look at before one is made."""
    return NoLedgerError(
        f"there is no ledger {where}. With a REVER on this machine the first run with mode=act makes it. Else check"
        " REVER_LEDGER_URL, and that its disk or server is the right one. If this"
        " account never had a ledger, make one: rever-returns ledger create --by NAME. If it is lost, restore a backup:"
        " rever-returns ledger restore"
    )


def check_vacant(conn: Connection, where: Where) -> None:
    """Refuse to make a ledger in a SQLite file that holds something else. (A server's database may be shared.)"""
    if where.path is not None and inspect(conn).get_table_names():
        raise LedgerError(
            f"the file of {where} holds something else, not a ledger; point REVER_LEDGER_URL elsewhere, or restore a"
            " backup where it was one"
        )


def _upgrade(conn: Connection, where: Where, found: str) -> None:
    # Alembic takes a tenth of a second to import, and nearly every start finds nothing to do.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found and found not in known:
        raise _newer(where, found)
    config.attributes["connection"] = conn
    with _IN_THIS_PROCESS:
        command.upgrade(config, "head")


def _newer(where: Where, found: str) -> LedgerError:
    return LedgerError(
        f"the ledger {where} was made by a newer version of rever-returns (its revision is {found}, this one knows"
        f" {REVISION}); upgrade rever-returns"
    )


# The condition of a ledger's database, seen from outside and without leaving a trace.

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


class Ledger(Database):
    """One open ledger, bound to one REVER account."""

    unreadable = staticmethod(unreadable)
    made = False
    """Whether this opening made the ledger: it knows nothing of what was done before."""

    @classmethod
    def exists(cls, url: str) -> bool:
        """Whether there is a ledger at this URL. Raises `LedgerError` where that cannot be seen."""
        return _exists(Where.of(url))

    @classmethod
    def open(
        cls,
        url: str,
        *,
        account: str,
        clock: Callable[[], datetime],
        read_only: bool = False,
        existing: bool = False,
    ) -> Self:
        """Open, and make or migrate it where that is needed; binds it to `account` at first use. Raises `LedgerError`.

        `read_only` never creates or changes anything: a SQLite file that does not exist is an empty ledger. With
        `existing` a ledger that is not there is not made, nor read as an empty one: raises `NoLedgerError`.
        """
        where = Where.of(url)
        if existing and not _exists(where):
            raise no_ledger(where)
        if read_only:
            reader = ReadOnlyReader(where, metadata, check_revision)
            with translated(where):
                reader.run(partial(_check_account, where=where, account=account))
            return cls(where, None, reader)
        engine = writing_engine(where)
        try:
            with translated(where), engine.connect() as conn:
                conn.begin()
                made = migrate(conn, where, existing=existing)
                check_durable(conn, where)
                _bind(conn, where, account, clock())
                check_server(conn, clock())
                server = identity(conn)
                conn.commit()
        except LedgerError:
            engine.dispose()
            raise
        stay_on_server(engine, where, server)
        opened = cls(where, GroupCommit(engine, where, unreadable), Reader(where))
        opened.made = made
        return opened


def _exists(where: Where) -> bool:
    """Whether there is a ledger; seen without leaving so much as an empty file."""
    reader = ReadOnlyReader(where, metadata, has_revision)
    try:
        with translated(where):
            return reader.finds()
    finally:
        reader.close()


def _bind(conn: Connection, where: Where, account: str, now: datetime) -> None:
    """Bind a new ledger to its account, with a key of its own for shoppers' hashes; refuse another account's."""
    if conn.execute(select(ledger.c.account)).first() is None:
        row = {"id": 1, "account": account, "created_at": now, "shopper_key": secrets.token_bytes(32)}
        conn.execute(upsert(conn, ledger, ["id"]).values(row))  # another worker may do it at this moment
    _check_account(conn, where=where, account=account)


def _check_account(conn: Connection, *, where: Where, account: str) -> None:
    bound = conn.execute(select(ledger.c.account)).scalar()
    if bound is not None and bound != account:
        raise LedgerError(
            f"the ledger {where} belongs to the REVER account {bound!r}, not to {account!r}: two accounts in one ledger"
            " would mix their returns; point REVER_LEDGER_URL to a ledger of its own"
        )
