"""The inbox: what REVER told, durably, until a run has looked at it."""

from contextlib import suppress
from datetime import datetime
from shutil import disk_usage
from typing import Self

from sqlalchemy import Connection, Engine, event, inspect, update

from deployments.receiver.tables import make, version
from tasks.database.address import Where
from tasks.database.database import Database
from tasks.database.engines import check_durable, reading_engine, writing_engine
from tasks.database.failures import told
from tasks.database.group_commit import GroupCommit
from tasks.database.readers import Reading
from tasks.ledger import LedgerError

VARIABLE = "REVER_INBOX_URL"

LEAST_FREE = 1024 * 1024
"""Bytes on the disk below which it counts as full: four of the largest bodies that are taken."""


class Inbox(Database):
    """One open inbox. An answer to `write` or `awrite` comes once what was written is on the disk."""

    @classmethod
    def open(cls, url: str) -> Self:
        """Open, and make its tables at first use. Raises `LedgerError`, whose sentence names the inbox."""
        where = Where.of(url, what="inbox", variable=VARIABLE)
        engine = writing_engine(where)
        _overwrite_what_is_removed(engine, where)
        try:
            with told(where), engine.connect() as conn:
                conn.begin()
                make(conn, where)
                check_durable(conn, where)
                conn.commit()
        except LedgerError:
            engine.dispose()
            raise
        return cls(where, GroupCommit(engine, where), Reading(where))

    @classmethod
    def exists(cls, url: str) -> bool:
        """Whether there is one. Raises `LedgerError` where its server cannot be asked."""
        where = Where.of(url, what="inbox", variable=VARIABLE)
        if where.path is not None:
            return where.path.is_file()
        engine = reading_engine(where)
        try:
            with told(where), engine.connect() as conn:
                return inspect(conn).has_table(version.name)
        finally:
            engine.dispose()

    def full(self) -> str:
        """That the disk of an inbox on SQLite has no room left; "" where it has, or that cannot be told.

        Small changes may still go well on it, into pages that are there: whether `beat` does says too little.
        """
        if self._where.path is not None:
            with suppress(OSError):
                if disk_usage(self._where.path.parent).free < LEAST_FREE:
                    return f"the disk of the inbox {self._where} is full; make room"
        return ""

    def trim(self) -> None:
        """Have nothing of what was removed left in SQLite's write-ahead log. PostgreSQL sees to its own."""
        if self._where.path is None:
            return
        engine = reading_engine(self._where)
        try:
            # The log cannot be shortened inside of a transaction, and every connection of ours begins one.
            with told(self._where), engine.connect() as conn:
                conn.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            engine.dispose()


def beat(conn: Connection, *, now: datetime) -> None:
    """Write something, to see whether the inbox takes it."""
    conn.execute(update(version).values(beat=now))


def _overwrite_what_is_removed(engine: Engine, where: Where) -> None:
    if where.path is None:
        return

    @event.listens_for(engine, "connect")
    def prepare(connection: object, _record: object) -> None:
        connection.execute("PRAGMA secure_delete=ON")  # type: ignore[attr-defined]
