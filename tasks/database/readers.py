"""Two ways to read: beside the writer of an open database, or without leaving a trace."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine, MetaData, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from tasks.database.address import Where
from tasks.database.engines import looking_engine, reading_engine

T = TypeVar("T")


class Reader:
    """Reads beside the writer, and waits for nobody."""

    def __init__(self, where: Where) -> None:
        self._engine = reading_engine(where)

    def run(self, op: Callable[[Connection], T]) -> T:
        """Run one operation on one consistent view."""
        with self._engine.begin() as conn:
            return op(conn)

    def close(self) -> None:
        """Close its connections."""
        self._engine.dispose()


class ReadOnlyReader:
    """Reads what is there and makes nothing: a database that does not exist (yet) reads as one with empty `tables`.

    `made` returns whether the tables have been made there, and raises `DatabaseError` where they cannot be read.
    """

    def __init__(self, where: Where, tables: MetaData, made: Callable[[Connection, Where], bool]) -> None:
        self._where = where
        self._tables = tables
        self._made = made
        self._engine = looking_engine(where)
        self._nothing: Engine | None = None

    def run(self, op: Callable[[Connection], T]) -> T:
        """Run one operation; again, where somebody began to write while it read a database at rest."""
        if not self._has_file():
            return self._on_nothing(op)
        return self._steadily(lambda: self._once(op))

    def finds(self) -> bool:
        """Whether the tables have been made."""
        return self._has_file() and self._steadily(self._has_tables)

    def close(self) -> None:
        """Close its connections."""
        self._engine.dispose()
        if self._nothing is not None:
            self._nothing.dispose()

    def _steadily(self, look: Callable[[], T]) -> T:
        at_rest = not self._in_use()
        try:
            answer = look()
        except DBAPIError:
            if not (at_rest and self._in_use()):
                raise
            return look()
        return look() if at_rest and self._in_use() else answer

    def _has_tables(self) -> bool:
        with self._engine.begin() as conn:
            return self._made(conn, self._where)

    def _once(self, op: Callable[[Connection], T]) -> T:
        with self._engine.begin() as conn:
            if self._made(conn, self._where):
                return op(conn)
        return self._on_nothing(op)

    def _has_file(self) -> bool:
        return not self._where.vacant

    def _in_use(self) -> bool:
        path = self._where.path
        return path is not None and path.with_name(path.name + "-wal").exists()

    def _on_nothing(self, op: Callable[[Connection], T]) -> T:
        if self._nothing is None:
            # Readers' threads share the one connection, so that all see the same (empty) tables.
            self._nothing = create_engine(
                "sqlite+pysqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
            )
            self._tables.create_all(self._nothing)
        with self._nothing.connect() as conn:
            return op(conn)
