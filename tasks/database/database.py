"""A database of this desk: runs operations on it, each in one transaction; writes share a commit.

It is read beside its writer, or without leaving a trace.
"""

import asyncio
import logging
import queue
import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, MetaData, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from tasks.database import DatabaseError
from tasks.database.engines import (
    FAILURES,
    Where,
    damaged,
    looking_engine,
    passes,
    reading_engine,
    sentence,
    translated,
)

# Group commit: one writer thread; operations that wait at the same time share one transaction and one fsync.

T = TypeVar("T")
Item = TypeVar("Item")

MOST = 256
"""Operations in one transaction: more would make the first wait too long for its answer."""

TRIES = 5
"""Of one operation that a deadlock or a lost connection has undone."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Waiting(Generic[T]):
    """One item, the operation that it is given to, and its answer to come."""

    work: Callable[[Connection, Sequence[Any]], Sequence[T]]
    item: Any
    answer: "Future[T]" = field(default_factory=Future)


class GroupCommit:
    """Runs operations in the order they were given. Each answer comes after its commit, never before.

    Operations share a transaction without savepoints; where one of them raises, nothing of it has happened, and each is
    run again in a transaction of its own, so that the one that raises sinks only itself. So an operation may be run
    more than once, and only its last run counts.

    An operation on many (`submit_joined`) is called once for all its items that wait side by side, so that it needs few
    statements. It returns an answer for each item, in their order.
    """

    def __init__(
        self, engine: Engine, where: Where, unreadable: Callable[[Connection], bool] = lambda _: False
    ) -> None:
        self._engine = engine
        self._unreadable = unreadable
        self._where = where
        self._waiting: queue.SimpleQueue[Waiting[Any] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._closed = False

    def submit(self, work: Callable[[Connection], T]) -> "Future[T]":
        """Hand over an operation. Raises `DatabaseError` where the ledger is closed."""
        return self.submit_joined(lambda conn, _: [work(conn)], None)

    def submit_joined(self, work: Callable[[Connection, Sequence[Item]], Sequence[T]], item: Item) -> "Future[T]":
        """Hand over one item of an operation on many. Raises `DatabaseError` where the ledger is closed."""
        with self._starting:
            if self._closed:
                raise DatabaseError(f"the {self._where.what} {self._where} is closed")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"{self._where.what}-writer", daemon=True)
                self._thread.start()
            waiting = Waiting(work, item)
            self._waiting.put(waiting)
        return waiting.answer

    def close(self) -> None:
        """Finish what was handed over, then end."""
        with self._starting:
            self._closed = True
            thread = self._thread
            self._waiting.put(None)
        if thread is not None:
            thread.join()
        self._engine.dispose()

    def _run(self) -> None:
        ended = False
        while not ended:
            batch = [self._waiting.get()]
            while len(batch) < MOST and not self._waiting.empty():
                batch.append(self._waiting.get())
            ended = None in batch
            todo = [waiting for waiting in batch if waiting is not None]
            if todo:
                self._commit(todo)

    def _commit(self, batch: Sequence[Waiting[Any]]) -> None:
        if len(batch) == 1:
            self._alone(batch[0])
            return
        try:
            answered = self._together(batch)
        except _CommitFailed as error:
            for waiting in batch:
                waiting.answer.set_exception(error.told)
        except Exception:  # noqa: BLE001 - whose it is shows when each is run by itself
            for waiting in batch:
                self._alone(waiting)
        else:
            for waiting, answer in answered:
                waiting.answer.set_result(answer)

    def _alone(self, waiting: Waiting[Any]) -> None:
        for last in (*(False,) * (TRIES - 1), True):
            try:
                ((_, answer),) = self._together([waiting])
            except _CommitFailed as error:
                waiting.answer.set_exception(error.told)
            except FAILURES as error:
                if not last and (passes(error) or _lost(error)):
                    continue
                waiting.answer.set_exception(sentence(error, self._where))
            except Exception as error:  # noqa: BLE001 - it belongs to who asked
                waiting.answer.set_exception(self._judged(error))
            else:
                waiting.answer.set_result(answer)
            return

    def _judged(self, error: Exception) -> Exception:
        """The error of an operation, or, where the database holds what cannot be read, the one that says so."""
        if isinstance(error, DatabaseError):
            return error
        try:
            with self._engine.connect() as conn:
                conn.begin()
                return damaged(self._where) if self._unreadable(conn) else error
        except FAILURES as failed:
            return sentence(failed, self._where)

    def _together(self, batch: Sequence[Waiting[Any]]) -> list[tuple[Waiting[Any], Any]]:
        with self._engine.connect() as conn:
            conn.begin()
            answered: list[tuple[Waiting[Any], Any]] = []
            for work, joined in groupby(batch, key=attrgetter("work")):
                side_by_side = list(joined)
                answers = work(conn, [waiting.item for waiting in side_by_side])
                answered += zip(side_by_side, answers, strict=True)
            try:
                conn.commit()
            except FAILURES as error:
                if passes(error):
                    raise
                raise _CommitFailed(sentence(error, self._where)) from None
        return answered


class _CommitFailed(Exception):  # noqa: N818 - an event, and never seen outside
    """Nobody knows whether the commit came through, so nothing of it is run again."""

    def __init__(self, told: DatabaseError) -> None:
        super().__init__(str(told))
        self.told = told


def _lost(error: Exception) -> bool:
    """Whether a connection that had been idle was dead: the next try gets a fresh one."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


P = ParamSpec("P")


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
        """Write SQLite's file anew without the pages that are free; writers wait meanwhile.

        It takes room for the file as it will be, twice. Raises `DatabaseError` where there is too little, or a writer
        is in the way for too long, and on PostgreSQL, which does it by itself; the file is as it was then.
        """
        if self._where.path is None:
            raise DatabaseError(
                "PostgreSQL keeps the space that is free now for new rows, once autovacuum has been there; VACUUM FULL"
                " or pg_repack gives it back to the disk"
            )
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
