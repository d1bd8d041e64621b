"""A database of this desk: runs operations on it, each in one transaction; writes share a commit.

It is read beside its writer, or without leaving a trace.
"""

import asyncio
import logging
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, MetaData, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from tasks.database import DatabaseError
from tasks.database.address import Where
from tasks.database.engines import looking_engine, reading_engine
from tasks.database.errors import FAILURES, damaged, translated
from tasks.database.group_commit import GroupCommit

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")

logger = logging.getLogger(__name__)


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
        """Run one operation; again, if a writer began while it read a database at rest."""
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


READERS = 4
"""Threads that read for coroutines."""


class Database:
    """One open database. Operations are plain functions `op(connection, ...) -> result`, run here in a transaction.

    All writes of a process go through one thread, which lets those that wait share a commit. An operation may be run
    again after a conflict, so it must keep its effects to the connection.
    """

    unreadable: Callable[[Connection], bool] = staticmethod(lambda _: False)
    """Whether it holds values that cannot be read: asked when an operation fails for no reason that is known."""

    def __init__(self, where: Where, writer: GroupCommit | None, reader: Reader | ReadOnlyReader) -> None:
        self._where = where
        self._writer = writer
        self._reader = reader
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix=f"{where.what}-reader")

    def write(self, op: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one operation in one write transaction and commit it. Raises `DatabaseError`."""
        return self._submit(op, *args, **kwargs).result()

    async def awrite(self, op: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Like `write`, from a coroutine; operations that wait at the same time share one commit.

        The answer comes after the commit. A caller that is cancelled does not stop the operation.
        """
        return await _answered(self._submit(op, *args, **kwargs))

    async def awrite_joined(self, op: Callable[[Connection, Sequence[Item]], Sequence[T]], item: Item) -> T:
        """Like `awrite` for an operation on many: the items that wait side by side are given to it in one call.

        It returns an answer for each item, in their order. Where it raises, it is called again for each by itself.
        """
        return await _answered(self._open_writer().submit_joined(op, item))

    def read(self, op: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one reading operation. Raises `DatabaseError`."""
        with translated(self._where):
            try:
                return self._reader.run(lambda conn: op(conn, *args, **kwargs))
            except (DatabaseError, *FAILURES):
                raise
            except Exception:
                if self._reader.run(self.unreadable):
                    raise damaged(self._where) from None
                raise

    async def aread(self, op: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Like `read`, from a coroutine."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: self.read(op, *args, **kwargs))

    def trim(self) -> None:
        """Empty SQLite's write-ahead log, which still has what was removed. On PostgreSQL nothing is done."""
        if self._where.path is None:
            return
        engine = reading_engine(self._where)
        try:
            # Not possible inside a transaction, and every connection of ours begins one.
            with translated(self._where), engine.connect() as conn:
                conn.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            engine.dispose()

    def shrink(self) -> None:
        """Write SQLite's file anew without the pages that are free; writers wait meanwhile. Nothing on PostgreSQL.

        It takes room for the file as it will be, twice. Raises `DatabaseError` where there is too little, or a writer
        is in the way for too long; the file is as it was then.
        """
        if self._where.path is None:
            return
        engine = reading_engine(self._where)
        try:
            with translated(self._where), engine.connect() as conn:
                cursor = conn.connection.cursor()
                pages, free, size = (
                    int(cursor.execute(f"PRAGMA {name}").fetchone()[0])
                    for name in ("page_count", "freelist_count", "page_size")
                )
                needs, room = 2 * (pages - free) * size, shutil.disk_usage(self._where.path.parent).free
                if room < needs:
                    raise DatabaseError(
                        f"the {self._where.what} {self._where} was not made smaller: that needs {needs:,} bytes of free"
                        f" disk, of which there are {room:,}"
                    )
                cursor.execute("VACUUM")
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            engine.dispose()

    def close(self) -> None:
        """Finish what was given to it, and let go of the database."""
        if self._writer is not None:
            self._writer.close()
        self._threads.shutdown()
        self._reader.close()

    def _submit(self, op: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        return self._open_writer().submit(lambda conn: op(conn, *args, **kwargs))

    def _open_writer(self) -> GroupCommit:
        if self._writer is None:
            raise DatabaseError(f"the {self._where.what} {self._where} was opened for reading only")
        return self._writer


async def _answered(answer: "Future[T]") -> T:
    """Wait for an answer; a caller that is cancelled does not stop the operation."""
    try:
        return await asyncio.shield(asyncio.wrap_future(answer))
    except asyncio.CancelledError:
        answer.add_done_callback(_nobody_waits)
        raise


def _nobody_waits(answer: "Future[Any]") -> None:
    """The caller was cancelled: a failure would be seen by nobody else."""
    error = answer.exception()
    if error is not None:
        logger.error("a database step, whose caller was cancelled, failed: %s", error)
