"""A person's answer to a hold."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection

from tasks.ledger.types import Actor, Answer, Answered
from tasks.policy.record import LineUnits


def answer_hold(
    conn: Connection,
    *,
    hold_id: str,
    version: int,
    answer: Answer,
    by: str,
    why: str,
    now: datetime,
    actor: Actor,
    lease: timedelta,
    reference: str = "",
    amount: Decimal | None = None,
    on: date | None = None,
    items: Sequence[LineUnits] = (),
) -> Answered:
    """Carry out an answer, once. Raises `OutdatedAnswer` where the hold has changed, `AnswerError` where it cannot be."""
    raise NotImplementedError
