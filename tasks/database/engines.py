"""Engines: how each connection is set up so that what is committed is on the disk, and writers queue instead of fail.

SQLite: WAL, `synchronous=FULL` (with NORMAL a power cut may lose a `sent` whose call went out), `BEGIN IMMEDIATE` for
writers (a deferred one that reads first and writes later fails as soon as another wrote), 30 s of patience; reads
go through a second engine whose `BEGIN` is deferred, so that they wait for nobody. PostgreSQL: psycopg 3,
`synchronous_commit=on`, and row locks where SQLite has its one writer.
"""

import json
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool, PoolProxiedConnection
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from tasks.database import DatabaseError
from tasks.database.address import Where

PATIENCE_S = 30
"""How long a connection waits for a lock before it gives up."""

STANDSTILL_S = 20
"""How long a worker may stand still in the middle of a transaction before PostgreSQL undoes it. Less than `PATIENCE_S`:
those who wait for its locks then go on. (SQLite has no such thing: there the worker must be ended.)
"""

_JSON = json.JSONEncoder(default=str, ensure_ascii=False).encode
_PRAGMAS = (f"busy_timeout={PATIENCE_S * 1000}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
_SETTINGS = (
    "SET synchronous_commit = on",
    f"SET lock_timeout = '{PATIENCE_S}s'",
    f"SET idle_in_transaction_session_timeout = '{STANDSTILL_S}s'",
    "SET default_transaction_isolation = 'read committed'",
    "SET TIME ZONE 'UTC'",
)


def writing_engine(where: Where) -> Engine:
    """For the one writer of this process."""
    if where.path is None:
        return _postgres(where, pool_size=2)
    engine, path = _sqlite(where, pool_size=2), where.path
    _begin_with(engine, "BEGIN IMMEDIATE")

    @event.listens_for(engine, "do_connect")
    def make(*_: object) -> None:
        make_private(path)

    return engine


def make_private(path: Path) -> None:
    """Make the file of a new database, for its owner alone, whatever the umask; SQLite gives its logs the same mode."""
    with suppress(OSError):  # it is there, or cannot be made: SQLite says so in its own words
        path.touch(mode=0o600, exist_ok=False)


def reading_engine(where: Where) -> Engine:
    """For the readers of this process."""
    if where.path is None:
        return _postgres(where, pool_size=4).execution_options(postgresql_readonly=True)
    engine = _sqlite(where, pool_size=8)
    _begin_with(engine, "BEGIN")
    return engine


def looking_engine(where: Where) -> Engine:
    """For reading alone, without leaving a trace: no file is made, and no lock file beside one that is at rest.

    Without a WAL file nobody has the ledger open, and it is read as it lies there (`immutable`); with one, SQLite
    needs its shared memory to read past a writer. A connection lasts for one reading, so that this is judged anew.
    """
    path = where.path
    if path is None:
        return reading_engine(where)

    def connect() -> sqlite3.Connection:
        at_rest = not path.with_name(path.name + "-wal").exists()
        uri = f"{path.resolve().as_uri()}?mode=ro{'&immutable=1' if at_rest else ''}"
        return sqlite3.connect(uri, uri=True, timeout=PATIENCE_S, check_same_thread=False)

    engine = create_engine("sqlite+pysqlite://", creator=connect, poolclass=NullPool, json_serializer=_JSON)
    _own_begin(engine)
    _begin_with(engine, "BEGIN")
    return engine


def _sqlite(where: Where, pool_size: int) -> Engine:
    engine = create_engine(
        where.url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=PATIENCE_S,
        connect_args={"timeout": PATIENCE_S, "check_same_thread": False},
        json_serializer=_JSON,
        hide_parameters=True,
    )
    _own_begin(engine)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in _PRAGMAS:
            _patiently(connection.execute, f"PRAGMA {pragma}")

    return engine


_patiently = Retrying(
    retry=retry_if_exception(lambda error: isinstance(error, sqlite3.OperationalError) and "locked" in str(error)),
    stop=stop_after_delay(PATIENCE_S),
    wait=wait_random(0.01, 0.1),
    reraise=True,
)
"""SQLite refuses to change a file to WAL at once, whatever its patience, while another process begins to write it."""


def _own_begin(engine: Engine) -> None:
    @event.listens_for(engine, "connect", insert=True)
    def take_over(connection: sqlite3.Connection, _record: object) -> None:
        # Else the driver begins by itself, late and deferred: only before the first write.
        connection.isolation_level = None


def _begin_with(engine: Engine, words: str) -> None:
    """Begin each transaction with these words. Not by an event of the engine: one makes all its statements dearer."""

    def begin(connection: PoolProxiedConnection) -> None:
        connection.cursor().execute(words)

    engine.dialect.do_begin = begin  # type: ignore[assignment, method-assign]


def _postgres(where: Where, pool_size: int) -> Engine:
    try:
        engine = create_engine(
            where.url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=PATIENCE_S,
            connect_args={"connect_timeout": 10},
            json_serializer=_JSON,
            hide_parameters=True,
        )
    except ImportError:
        raise DatabaseError(
            f"the {where.what} {where} needs the PostgreSQL driver psycopg; "
            "install it with: pip install 'psycopg[binary]'"
        ) from None

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            for setting in _SETTINGS:
                cursor.execute(setting)
        connection.commit()

    return engine


def check_durable(conn: Connection, where: Where) -> None:
    """Refuse to go on where a commit might not be on the disk when it is answered. Raises `DatabaseError`."""
    if where.path is None:
        durable = conn.exec_driver_sql("SHOW synchronous_commit").scalar() in {"on", "remote_apply"}
    else:
        wal = conn.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        durable = wal and int(conn.exec_driver_sql("PRAGMA synchronous").scalar() or 0) >= 2
    if not durable:
        raise DatabaseError(
            f"the {where.what} {where} cannot promise that what it commits is kept (SQLite needs WAL and"
            " synchronous=FULL, so no network drive; PostgreSQL needs synchronous_commit=on); keep it elsewhere"
        )
