"""The stop switch: one row, read in every step to `sent`."""

from datetime import datetime

from sqlalchemy import Connection, select, update

from tasks.ledger.schema import ledger
from tasks.ledger.trail import append, audit_row
from tasks.ledger.types import Actor, Switch


def stop_switch(conn: Connection, *, on: bool, by: str, why: str, now: datetime) -> Switch:
    """Stop all effects (`on=True`), or let them go again. Once it is committed nothing more becomes `sent`."""
    values = {"stopped": on, "stopped_since": now, "stopped_by": by, "stopped_why": why}
    conn.execute(update(ledger).values(values))
    append(conn, [audit_row(Actor(by), now, "stopped" if on else "started", "", evidence={"why": why})])
    return switch(conn)


def switch(conn: Connection) -> Switch:
    """How the switch stands, and since when, by whom and why."""
    row = conn.execute(select(ledger)).first()
    if row is None:
        return Switch(stopped=False)
    return Switch(row.stopped, row.stopped_since, row.stopped_by, row.stopped_why)
