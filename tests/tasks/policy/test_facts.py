"""Times that tell of the past are taken in only where they can be."""

from datetime import timedelta

import pytest

from rever_api.models import ReturnProcess
from tasks.policy.case import Case
from tasks.policy.facts import believed
from tests.tasks.policy.factories import NOW, line, process, record, refund, reviews, rules

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
