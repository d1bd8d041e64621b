"""The step from `intended` to `sent`, and the ways back."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from tasks.ledger.types import Actor, Claim, Recorded, SendVerdict, Sent


def mark_sent(
    conn: Connection,
    claim: Claim,
    *,
    snapshot: Mapping[str, Any],
    deadline: datetime,
    settle_at: datetime,
    now: datetime,
    actor: Actor,
) -> SendVerdict:
    """The compare-and-set `intended -> sent`: my token, the switch on, the store not paused. Never looks at the lease."""
    raise NotImplementedError


def mark_sent_many(conn: Connection, sents: Sequence[Sent], *, now: datetime, actor: Actor) -> list[SendVerdict]:
    """Like `mark_sent` for several claims in one commit; each call starts after it."""
    raise NotImplementedError


def put_back(conn: Connection, claim: Claim, *, why: str, now: datetime, actor: Actor) -> Recorded:
    """`sent -> intended` with the same token: it certainly did nothing (never left, or 429)."""
    raise NotImplementedError


def withdraw(conn: Connection, claim: Claim, *, why: str, now: datetime, actor: Actor) -> Recorded:
    """`intended -> withdrawn`, or from `sent` where it certainly did nothing. Its units are free, its counters given back."""
    raise NotImplementedError


def release(conn: Connection, claim: Claim, *, now: datetime) -> Recorded:
    """End the lease now: the next run may withdraw it and decide again."""
    raise NotImplementedError
