"""The ledger: opens it, makes or migrates it where that is needed, and binds it to its account."""

import secrets
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Self

from sqlalchemy import Connection, insert, select

from tasks.database.database import Database, GroupCommit, Reader, ReadOnlyReader
from tasks.database.engines import Where, check_durable, translated, writing_engine
from tasks.ledger.after_restore import check_server, identity, stay_on_server
from tasks.ledger.checking import unreadable
from tasks.ledger.migrate import check_revision, has_revision, migrate, no_ledger
from tasks.ledger.schema import ledger, metadata
from tasks.ledger.types import LedgerError


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
        conn.execute(insert(ledger).values(row))
    _check_account(conn, where=where, account=account)


def _check_account(conn: Connection, *, where: Where, account: str) -> None:
    bound = conn.execute(select(ledger.c.account)).scalar()
    if bound is not None and bound != account:
        raise LedgerError(
            f"the ledger {where} belongs to the REVER account {bound!r}, not to {account!r}: two accounts in one ledger"
            " would mix their returns; point REVER_LEDGER_URL to a ledger of its own"
        )
