"""The stop switch: one row, read in every step to `sent`."""

from datetime import datetime

from sqlalchemy import Connection, select, update

from tasks.ledger.errors import LedgerError
from tasks.ledger.restored import up_to_date
from tasks.ledger.schema import ledger
from tasks.ledger.trail import append, audit_row
from tasks.ledger.types import Actor, Switch


def stop_switch(conn: Connection, *, on: bool, by: str, why: str, now: datetime) -> Switch:
    """Stop all effects (`on=True`), or let them go again. Once it is committed nothing more becomes `sent`.

    Raises `LedgerError` for a start after a restore that no store has caught up with: a start that waits in the dark
    for something else would let effects go when nobody expects it.
    """
    if not on:
        _check_caught_up(conn)
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


def _check_caught_up(conn: Connection) -> None:
    at = conn.execute(select(ledger.c.restored_at)).scalar()
    if at is not None and not up_to_date(conn, at):
        raise LedgerError(
            "nothing was changed: effects stay stopped. The ledger was restored or made at"
            f" {at:%F %H:%M:%S} UTC, and no store has caught up yet with what was done before: first rever-returns run"
            " reconcile mode=act, begun REVER_SETTLE_AFTER after that moment or later, then look at what it holds, then"
            " start"
        )
