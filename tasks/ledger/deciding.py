"""Decide about a batch of returns and carry the decisions out in the ledger, in one transaction."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from tasks.ledger.types import Actor, Decided, DecideRequest


def decide(
    conn: Connection, requests: Sequence[DecideRequest], *, actor: Actor, now: datetime, lease: timedelta
) -> list[Decided]:
    """Decide, write down, claim and hold for a whole batch; the answers are in the order of the requests."""
    raise NotImplementedError
