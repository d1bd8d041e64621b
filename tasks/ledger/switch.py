"""The stop switch: one row, read in every step to `sent`."""

from datetime import datetime

from sqlalchemy import Connection

from tasks.ledger.types import Switch


def stop_switch(conn: Connection, *, on: bool, by: str, why: str, now: datetime) -> Switch:
    """Stop all effects (`on=True`), or let them go again."""
    raise NotImplementedError


def switch(conn: Connection) -> Switch:
    """How the switch stands."""
    raise NotImplementedError
