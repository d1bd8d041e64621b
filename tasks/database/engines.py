"""The two databases: how each is reached and set up so that what is committed is on the disk, and what each lacks.

SQLite: WAL, `synchronous=FULL` (with NORMAL a power cut may lose a `sent` whose call went out), `BEGIN IMMEDIATE` for
writers (a deferred one that reads first and writes later fails as soon as another wrote), 30 s of patience; reads
go through a second engine whose `BEGIN` is deferred, so that they wait for nobody. PostgreSQL: psycopg 3,
`synchronous_commit=on`, and row locks where SQLite has its one writer.
"""

import json
import shutil
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, DateTime, Dialect, Engine, Insert, Table, Text, create_engine, event, make_url
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import NullPool, PoolProxiedConnection
from sqlalchemy.types import TypeDecorator
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from tasks.database import DatabaseError

# Where a database is: from the plain URL a person writes to the one a driver takes, and to words without password.

EXAMPLES = "sqlite:////var/lib/rever-returns/ledger.sqlite or postgresql://user:password@host/database"


@dataclass(frozen=True, slots=True)
class Where:
    """A database's place. `path` is its file, None for PostgreSQL. As text it names the place without password.

    `what` is what is kept there, `variable` the setting that names it; both for the sentences of errors.
    """

    url: URL
    path: Path | None
    what: str = "ledger"
    variable: str = "REVER_LEDGER_URL"

    @classmethod
    def of(cls, url: str, *, what: str = "ledger", variable: str = "REVER_LEDGER_URL") -> "Where":
        """Read a plain URL. Raises `DatabaseError` for an invalid one, or for a database that cannot be used."""
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise DatabaseError(f"the {what}'s URL cannot be read; write it like {EXAMPLES}") from None
        backend = parsed.get_backend_name()
        if backend in {"postgresql", "postgres"}:
            return cls(parsed.set(drivername="postgresql+psycopg"), None, what, variable)
        if backend != "sqlite":
            raise DatabaseError(f"the {what} cannot be kept in {backend!r}; write its URL like {EXAMPLES}")
        if parsed.database in {None, "", ":memory:"} or "mode=memory" in (parsed.database or ""):
            raise DatabaseError(f"the {what} in memory would forget all it knows; write its URL like {EXAMPLES}")
        return cls(parsed.set(drivername="sqlite+pysqlite", query={}), Path(str(parsed.database)), what, variable)

    @property
    def vacant(self) -> bool:
        """Whether there is certainly nothing: no file, or an empty one. A server must be asked."""
        return self.path is not None and not (self.path.is_file() and self.path.stat().st_size)

    def __str__(self) -> str:
        plain = self.url.set(drivername=self.url.get_backend_name())
        return plain.render_as_string(hide_password=True)


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


# A database's errors in one sentence: which ledger, what is wrong, how to mend it. Never a password, never values.

DAMAGED = "the file is damaged; restore it from a backup before anything is sent"
_FULL = "the disk is full; make room, then run again"
_SQLITE = (
    ("unable to open database file", "its file cannot be opened; check that the folder exists and may be written"),
    ("readonly database", "its file may not be written; check the permissions of the file and its folder"),
    ("database is locked", "another program has locked it for more than 30 s; end that program, then run again"),
    ("disk is full", _FULL),
    ("disk i/o error", "its disk reports an error; check the disk, then run again"),
    ("not a database", "the file is not a SQLite database; point {variable} to the {what} or to a new file"),
    ("malformed", DAMAGED),
    ("could not decode", DAMAGED),
    ("no such column", DAMAGED),
    ("no such table", DAMAGED),
)
_POSTGRES = (
    ("password authentication failed", "the server refuses the user or password; correct them in {variable}"),
    ("no password supplied", "the server asks for a password; state it in {variable}"),
    ("does not exist", "the server has no such database, user or table; create it, or correct {variable}"),
    ("permission denied", "its user may not do this; grant it the rights to create and change tables"),
    ("read-only transaction", "the server takes no writes; point {variable} to the primary server"),
    ("lock timeout", "another program has locked a row of it for more than 30 s; end that program, then run again"),
    ("no space left", "the server's disk is full; make room, then run again"),
    ("too many", "the server has no connection free; raise its limit or run fewer workers"),
)
_UNREACHABLE = "the server cannot be reached; check that it runs and that {variable} names its host and port"
_TRY_AGAIN = ("database is locked", "deadlock detected", "could not serialize", "lock timeout")


_SAVEPOINT_GONE = "no such savepoint"

_OR_FULL = {mend for words, mend in _SQLITE if words in {"unable to open database file", "disk i/o error"}}
"""What SQLite also says of a full disk, where it cannot make the files that it keeps beside the database."""

LITTLE = 64 * 1024
"""Bytes: less than SQLite needs for the files beside a database."""

FAILURES = (DBAPIError, PoolTimeout, UnicodeDecodeError)
"""What a database, or the way to it, can raise. SQLite's driver raises the last one for a damaged file, whose own error
quotes what it found there.
"""


def sentence(error: Exception, where: Where) -> DatabaseError:
    """The error that a caller gets to see."""
    if isinstance(error, PoolTimeout):
        return DatabaseError(f"the {where.what} {where} cannot be used: all connections to it are busy")
    if isinstance(error, UnicodeDecodeError):
        return _cannot(where, DAMAGED)
    error = _before_rollback(error)
    said = str(error.orig) if isinstance(error, DBAPIError) else type(error).__name__
    for words, mend in _SQLITE if where.path is not None else _POSTGRES:
        if words in said.lower():
            return _cannot(where, _FULL if mend in _OR_FULL and _no_room(where) else mend)
    if where.path is None and isinstance(error, DBAPIError) and _lost(said, error):
        return _cannot(where, _UNREACHABLE)
    # Only the first line: PostgreSQL puts values of the row into the next ones.
    return DatabaseError(f"the {where.what} {where} failed: {said.splitlines()[0] if said else type(error).__name__}")


def _no_room(where: Where) -> bool:
    try:
        return where.path is not None and shutil.disk_usage(where.path.parent).free < LITTLE
    except OSError:
        return False


def _cannot(where: Where, mend: str) -> DatabaseError:
    words = mend.format(variable=where.variable, what=where.what)
    return DatabaseError(f"the {where.what} {where} cannot be used: {words}")


def _before_rollback(error: Exception) -> Exception:
    """What went wrong first: on a full or failing disk SQLite rolls back by itself, and a savepoint is gone then."""
    found: BaseException | None = error
    while found is not None and (not isinstance(found, DBAPIError) or _SAVEPOINT_GONE in str(found.orig)):
        found = found.__context__
    return found if isinstance(found, DBAPIError) else error


def _lost(said: str, error: DBAPIError) -> bool:
    return error.connection_invalidated or "connection" in said.lower() or "resolve" in said.lower()


def damaged(where: Where) -> DatabaseError:
    """The error of a file that holds what it cannot hold."""
    return _cannot(where, DAMAGED)


def passes(error: BaseException) -> bool:
    """Whether the same work may succeed when it is simply done again: nothing of it has happened."""
    if not isinstance(error, DBAPIError):
        return False
    return any(words in str(error.orig).lower() for words in _TRY_AGAIN)


@contextmanager
def translated(where: Where) -> Iterator[None]:
    """Turn what a database raises into `DatabaseError`. A wrong statement of our own stays what it is."""
    try:
        yield
    except FAILURES as error:
        raise sentence(error, where) from None


# What SQLAlchemy lacks for SQLite and PostgreSQL alike: exact money, aware times, one upsert, lists in pieces.

Id = TypeVar("Id", str, int)

CHUNK = 500
"""Ids in one statement: below SQLite's limit of bound values on any build."""


class Money(TypeDecorator[Decimal]):
    """An exact decimal, kept as text in plain notation: neither database rounds it, and SQLite has no decimals."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Write it out, digit for digit."""
        return None if value is None else format(value, "f")

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        """Read it back, digit for digit."""
        return None if value is None else Decimal(value)


class UtcTime(TypeDecorator[datetime]):
    """An instant. Always aware, always UTC; SQLite keeps it without a zone. A naive time is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn it to UTC. Raises `ValueError` for a naive time."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("the database takes aware times only")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Make it aware again."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def chunks(ids: Collection[Id]) -> Iterator[list[Id]]:
    """These ids, each once and sorted, in pieces that one statement takes."""
    ordered = sorted(set(ids))
    for start in range(0, len(ordered), CHUNK):
        yield ordered[start : start + CHUNK]


def upsert(
    conn: Connection, table: Table, keys: Sequence[str], change: Sequence[str] | Mapping[str, Any] = ()
) -> Insert:
    """Return an INSERT that, for a row whose `keys` are there already, changes that row instead.

    `change` names the columns that take the new row's values, or maps columns to expressions. If it is empty, the row
    that is there stays as it is, and is not returned. SQLAlchemy compiles such a statement anew each time.
    """
    make: Any = postgresql_insert if conn.dialect.name == "postgresql" else sqlite_insert
    statement = make(table)
    if not change:
        return statement.on_conflict_do_nothing(index_elements=keys)  # type: ignore[no-any-return]
    new = change if isinstance(change, Mapping) else {name: statement.excluded[name] for name in change}
    return statement.on_conflict_do_update(index_elements=keys, set_=new)  # type: ignore[no-any-return]
