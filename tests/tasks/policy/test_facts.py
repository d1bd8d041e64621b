"""Times that tell of the past are taken in only where they can be; units are counted, contradictions found."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from rever_api.models import Refund, ReturnProcess
from tasks.policy.case import Case
from tasks.policy.facts import believed, inspect
from tests.tasks.policy.factories import EXCHANGE, NOW, approved, line, process, record, refund, reviews, rules

DAY = timedelta(days=1)


def told(ahead: timedelta) -> ReturnProcess:
    """A return all of whose times lie so far ahead."""
    at = NOW + ahead
    return process(
        line(quantity=2),
        reviews=[*reviews("retl_1", "APPROVED", at=at), *reviews("retl_1", "APPROVED")],
        refunds=[refund("10.00").model_copy(update={"refunded_at": at}), refund("2.00")],
        started_at=at,
        updated_at=at,
    )


@pytest.mark.parametrize("ahead", [DAY + timedelta(seconds=1), timedelta(days=400), timedelta(days=365 * 900)])
def test_every_time_more_than_a_day_ahead_counts_as_not_told(ahead: timedelta) -> None:
    for found in (believed(told(ahead), NOW), Case(told(ahead), rules(), record(), NOW).process):
        assert (found.started_at, found.updated_at) == (None, None)
        assert [it.review_date for it in found.reviews or ()] == [None, NOW - timedelta(hours=1)]
        assert found.compensation is not None
        assert [it.refunded_at for it in found.compensation.refunds or ()] == [None, NOW]
        assert [it.amount for it in found.compensation.refunds or ()] == [10, 2]


@pytest.mark.parametrize("ahead", [-DAY, timedelta(0), DAY])
def test_a_time_that_can_be_is_left_as_it_is(ahead: timedelta) -> None:
    it = told(ahead)
    assert believed(it, NOW) is it


def test_what_is_not_told_stays_not_told() -> None:
    it = process(line(), reviews=None, started_at=NOW + 2 * DAY).model_copy(update={"compensation": None})
    assert (believed(it, NOW).reviews, believed(it, NOW).compensation) == (None, None)


def test_every_outcome_is_counted() -> None:
    seen = reviews("retl_1", "APPROVED", "APPROVED", "DECLINED", "MISSING")
    found = inspect(process(line(quantity=6), reviews=seen), rules()).lines[0]
    assert (found.approved, found.declined, found.missing, found.uninspected) == (2, 1, 1, 2)
    assert found.counted == 2
    assert not found.reviewed


@pytest.mark.parametrize(
    ("timing", "return_status", "logistics", "counted"),
    [
        ("ON_ITEM_VERIFIED", "COLLECTED", ["COLLECTED"], 1),
        ("", "COLLECTED", ["COLLECTED"], 1),
        ("ON_START", "STARTED", [], 3),
        ("ON_ITEM_SENT", "STARTED", ["CREATED"], 1),
        ("ON_ITEM_SENT", "STARTED", ["COLLECTED"], 3),
        ("ON_ITEM_SENT", "COLLECTED", [], 3),
    ],
)
def test_timing_says_whether_unreviewed_units_count(
    timing: str, return_status: str, logistics: list[str], counted: int
) -> None:
    seen = reviews("retl_1", "APPROVED", "DECLINED")
    it = process(line(quantity=4), reviews=seen, return_status=return_status, logistics=logistics)
    assert inspect(it, rules(timing=timing)).lines[0].counted == counted


def test_an_exchange_waits_for_the_inspection_whatever_the_timing() -> None:
    it = process(line(quantity=2, method=EXCHANGE, variant="v"))
    assert inspect(it, rules(timing="ON_START")).lines[0].counted == 0


def test_what_was_never_received_counts_but_for_what_a_review_says() -> None:
    it = process(line(quantity=3, reason="NOT_RECEIVED"), reviews=reviews("retl_1", "DECLINED"))
    found = inspect(it, rules())
    assert (found.lines[0].counted, found.uninspected) == (2, 0)


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({"return_line_items": ()}, "no lines"),
        ({"return_line_items": (line(), line())}, "2 times"),
        ({"return_line_items": (line(quantity=0),)}, "quantity 0"),
        ({"return_line_items": (line(quantity=10**9),)}, "quantity 1000000000"),
        ({"return_line_items": (line(total=None),)}, "no total"),
        ({"return_line_items": (line(total="-1"),)}, "negative total"),
        ({"return_line_items": (line(total="1.005"),)}, "more than the 2 decimals"),
        ({"return_line_items": (line(total="1.5", currency="JPY"),)}, "more than the 0 decimals"),
        ({"return_line_items": (line(total="1E+15"),)}, "no sensible amount"),
        ({"return_line_items": (line(currency=""),)}, "no currency"),
        ({"return_line_items": (line(currency="EURO"),)}, "not three capital letters"),
        ({"return_line_items": (line(), line("retl_2", currency="SEK"))}, "more than one currency"),
        ({"reviews": tuple(approved(units=2))}, "2 reviews of 1 unit"),
        ({"reviews": tuple(approved("retl_9"))}, "does not have"),
        ({"return_costs": Decimal(-1)}, "costs are negative"),
        ({"return_costs": Decimal("0.001")}, "costs are 0.001"),
    ],
)
def test_contradictions_are_named(broken: dict[str, Any], says: str) -> None:
    assert says in "; ".join(inspect(process(**broken), rules()).contradictions)


def test_a_refund_of_no_sensible_amount_is_a_contradiction() -> None:
    huge: Refund = refund("9E+15")
    it: ReturnProcess = process(refunds=[huge, huge])
    assert "no sensible amount" in inspect(it, rules()).contradictions[0]


def test_a_sound_process_has_no_contradiction() -> None:
    it = process(line(quantity=3), line("retl_2", total="0"), reviews=approved(units=3), refunds=[refund()])
    assert inspect(it, rules()).contradictions == ()
