"""Rows of a ledger for tests of what people read of it."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from tasks.ledger import HoldRow
from tasks.policy.record import HoldKind

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

HOLD = HoldRow(
    hold_id="hold_1",
    version=2,
    process_id="retp_1",
    store="acme",
    order_name="#1001",
    kind=HoldKind.GUARD,
    rule="guard:max_refund",
    why="19.90 EUR is more than the cap of 10.00 EUR.",
    evidence={"cap": "10.00"},
    since=NOON,
    amount=Decimal("19.90"),
    currency="EUR",
    label=False,
    intent_id="",
    answers={"retry": "pay it all the same, once", "drop": "never pay it"},
)
"""A refund above a cap."""

NEW_HOLD = replace(
    HOLD,
    hold_id="h1",
    version=1,
    why="the refund of 80 EUR\nis above the most",
    evidence={},
    since=datetime.now(UTC),
    amount=Decimal("80.00"),
    answers={"retry": "lets it pass"},
)
"""The like, opened just now, with a reason of two lines."""
