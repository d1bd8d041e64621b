"""Group commit: one writer thread; operations that wait at the same time share one transaction and one fsync."""

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from tasks.database import DatabaseError
from tasks.database.address import Where
from tasks.database.errors import FAILURES, damaged, passes, sentence

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
