"""The ledger: opens it, and runs operations on it, each in one transaction."""

from collections.abc import Callable
from datetime import datetime
from typing import Concatenate, ParamSpec, Self, TypeVar

from sqlalchemy import Connection

P = ParamSpec("P")
T = TypeVar("T")


class Ledger:
    """One open ledger. Operations are plain functions `op(connection, ...) -> result`, run here in a transaction."""

    @classmethod
    def open(cls, url: str, *, account: str, clock: Callable[[], datetime], read_only: bool = False) -> Self:
        """Open, and make or migrate it where that is needed; binds it to `account` at first use. Raises `LedgerError`.

        `read_only` never creates or changes anything: a SQLite file that does not exist is an empty ledger.
        """
        raise NotImplementedError

    def write(self, op: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one operation in one write transaction and commit it. Raises `LedgerError`."""
        raise NotImplementedError

    async def awrite(self, op: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Like `write`, from a coroutine; operations that wait at the same time share one commit.

        The answer comes after the commit. A caller that is cancelled does not stop the operation.
        """
        raise NotImplementedError

    def read(self, op: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one reading operation. Raises `LedgerError`."""
        raise NotImplementedError

    async def aread(self, op: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Like `read`, from a coroutine."""
        raise NotImplementedError

    def close(self) -> None:
        """Finish what was given to it, and let go of the database."""
        raise NotImplementedError
