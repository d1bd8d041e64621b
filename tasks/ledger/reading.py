"""What people and reports read from the ledger."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection

from tasks.ledger.types import History, IntentRow, Unfinished


def history(conn: Connection, process_id: str) -> History | None:
    """All that is known of one return; None for one never seen."""
    raise NotImplementedError


def unfinished(conn: Connection, stores: Collection[str] | None = None) -> list[Unfinished]:
    """Returns not at their end and without an open intent, with the time at which each is looked at next."""
    raise NotImplementedError


def done_between(
    conn: Connection, since: datetime, until: datetime, stores: Collection[str] | None = None
) -> list[IntentRow]:
    """Intents that ended as done or done by hand in `since <= t < until`, for reconciling."""
    raise NotImplementedError
