"""All checks over one consistent view of the ledger."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Table, func, select

from tasks.ledger.checking import audited, counted, lateness, money, references, taking
from tasks.ledger.checking.finding import Finding
from tasks.ledger.schema import audit, intents, records


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at, and what was found wrong in it."""

    returns: int
    intents: int
    steps: int
    findings: tuple[Finding, ...]


def check(conn: Connection, *, now: datetime) -> Checked:
    """Check everything. A finding is no repair: nothing is changed."""
    found = tuple(_file(conn))
    if not found:  # a file that is damaged cannot be read any further
        for rule in (references.check_references, taking.check_taken, money.check_money, counted.check_counters, audited.check_audit):
            found += tuple(rule(conn))
        found += tuple(lateness.check_lateness(conn, now)) + tuple(lateness.ahead_of(conn, now))
    return Checked(_many(conn, records), _many(conn, intents), _many(conn, audit), found)


def _many(conn: Connection, table: Table) -> int:
    return int(conn.execute(select(func.count()).select_from(table)).scalar_one())


def _file(conn: Connection) -> Iterator[Finding]:
    if conn.dialect.name != "sqlite":
        return
    for (said,) in conn.exec_driver_sql("PRAGMA integrity_check(20)"):
        if said != "ok":
            yield Finding("file", "the database file", f"SQLite finds it damaged: {said}")
