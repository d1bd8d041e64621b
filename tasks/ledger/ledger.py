"""The ledger: opens it, and runs operations on it, each in one transaction."""

import asyncio
import logging
import secrets
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from sqlalchemy import Connection, insert, select

from tasks.ledger.commit import GroupCommit
from tasks.ledger.engines import check_durable, writing_engine
from tasks.ledger.errors import LedgerError
from tasks.ledger.failures import told
from tasks.ledger.migrate import migrate
from tasks.ledger.readers import Looking, Reader, Reading
from tasks.ledger.schema import ledger
from tasks.ledger.where import Where

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)

READERS = 4
"""Threads that read for coroutines."""


class Ledger:
    """One open ledger. Operations are plain functions `op(connection, ...) -> result`, run here in a transaction.

    All writes of a process go through one thread, which lets those that wait share a commit. An operation may be run
    again after a conflict, so it must keep its effects to the connection.
    """

    def __init__(self, where: Where, writer: GroupCommit | None, reader: Reader) -> None:
        self._where = where
        self._writer = writer
        self._reader = reader
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="ledger-reader")

    @classmethod
    def open(cls, url: str, *, account: str, clock: Callable[[], datetime], read_only: bool = False) -> Self:
        """Open, and make or migrate it where that is needed; binds it to `account` at first use. Raises `LedgerError`.

        `read_only` never creates or changes anything: a SQLite file that does not exist is an empty ledger.
        """
        where = Where.of(url)
        if read_only:
            looking = Looking(where)
            with told(where):
                looking.run(partial(_check_account, where=where, account=account))
            return cls(where, None, looking)
        engine = writing_engine(where)
        try:
            with told(where), engine.connect() as conn:
                conn.begin()
                migrate(conn, where)
                check_durable(conn, where)
                _bind(conn, where, account, clock())
                conn.commit()
        except LedgerError:
            engine.dispose()
            raise
        return cls(where, GroupCommit(engine, where), Reading(where))

    def write(self, op: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one operation in one write transaction and commit it. Raises `LedgerError`."""
        return self._submit(op, *args, **kwargs).result()

    async def awrite(self, op: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Like `write`, from a coroutine; operations that wait at the same time share one commit.

        The answer comes after the commit. A caller that is cancelled does not stop the operation.
        """
        answer = self._submit(op, *args, **kwargs)
        try:
            return await asyncio.shield(asyncio.wrap_future(answer))
        except asyncio.CancelledError:
            answer.add_done_callback(_nobody_waits)
            raise

    def read(self, op: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one reading operation. Raises `LedgerError`."""
        with told(self._where):
            return self._reader.run(lambda conn: op(conn, *args, **kwargs))

    async def aread(self, op: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Like `read`, from a coroutine."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: self.read(op, *args, **kwargs))

    def close(self) -> None:
        """Finish what was given to it, and let go of the database."""
        if self._writer is not None:
            self._writer.close()
        self._threads.shutdown()
        self._reader.close()

    def _submit(self, op: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        if self._writer is None:
            raise LedgerError(f"the ledger {self._where} was opened for reading only")
        return self._writer.submit(lambda conn: op(conn, *args, **kwargs))


def _nobody_waits(answer: "Future[Any]") -> None:
    """The caller was cancelled: a failure would be seen by nobody else."""
    error = answer.exception()
    if error is not None:
        logger.error("a step was given to the ledger by a run that was cancelled, and failed: %s", error)


def _bind(conn: Connection, where: Where, account: str, now: datetime) -> None:
    """Bind a new ledger to its account, with a key of its own for shoppers' hashes; refuse another account's."""
    if conn.execute(select(ledger.c.account)).first() is None:
        row = {"id": 1, "account": account, "created_at": now, "shopper_key": secrets.token_bytes(32)}
        conn.execute(insert(ledger).values(row))
    _check_account(conn, where=where, account=account)


def _check_account(conn: Connection, *, where: Where, account: str) -> None:
    bound = conn.execute(select(ledger.c.account)).scalar()
    if bound is not None and bound != account:
        raise LedgerError(
            f"the ledger {where} belongs to the REVER account {bound!r}, not to {account!r}: two accounts in one ledger"
            " would mix their returns; point REVER_LEDGER_URL to a ledger of its own"
        )
