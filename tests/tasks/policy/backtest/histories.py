"""Past returns with dated happenings, and the two policies of a store, so that a test says only what it is about."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from rever_api.models import Review, Shopper
from tasks.policy.backtest.backtest import Backtest, StorePolicies, backtest
from tasks.policy.backtest.past import PastReturn
from tasks.policy.record import Record
from tasks.policy.store import StoreRules
from tests.tasks.policy.factories import line, process, rules
from tests.tasks.policy.rule_texts import rules_of

DAY = timedelta(days=1)
BEGAN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
UNTIL = BEGAN + 40 * DAY


def past(
    *lines: Any,
    name: str = "retp_1",
    began: datetime | None = BEGAN,
    reviewed: Sequence[tuple[str, float | None]] = (("APPROVED", 5),),
    email: str = "a@example.com",
    record: Record | None = None,
    scanned_at: datetime | None = None,
    arrived_at: datetime | None = None,
    **fields: Any,
) -> PastReturn:
    """A completed return; `reviewed` has the status of each unit in turn and the days after the start."""
    lines = lines or (line("a"),)
    units = [each.id for each in lines for _ in range(each.quantity)]
    found = tuple(
        Review(
            line_item_id=unit,
            status=status,
            review_date=None if days is None or began is None else began + days * DAY,
        )
        for unit, (status, days) in zip(units, reviewed, strict=False)
    )
    made = process(
        *lines,
        **{
            "status": "COMPLETED",
            "rever_process_id": name,
            "order_name": f"#{name}",
            "reviews": found,
            "started_at": began,
            "updated_at": began and began + 9 * DAY,
            "shopper": Shopper(email=email),
            **fields,
        },
    )
    return PastReturn("acme", made, record or Record(name), scanned_at, arrived_at)


def ruled(text: str = "", **policy: Any) -> StoreRules:
    """The rules of a store with these merchant's rules; keywords are fields of its policy."""
    return replace(rules(**policy), merchant_rules=rules_of(f"rules:\n{text}") if text else ())


def tried(
    current: StoreRules, candidate: StoreRules, *returns: PastReturn, until: datetime = UNTIL, **more: Any
) -> Backtest:
    """The backtest of a candidate at one store."""
    return backtest(returns, {"acme": StorePolicies(current, candidate)}, until, **more)
