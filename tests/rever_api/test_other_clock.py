"""REVER's clock by its answers: whatever they say is no error, and no single one decides."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rever_api.messages import Answer
from rever_api.other_clock import OtherClock

NOW = datetime(2026, 3, 29, 1, 0, 0, 400_000, tzinfo=UTC)
DAY = timedelta(days=1)


def answer(date: str, *, took: float = 0.0, theirs: bool = True, **headers: str) -> Answer:
    return Answer("someOperation", 200, {"date": date, **headers}, b"", NOW, took=took, theirs=theirs)


def date(offset: timedelta) -> str:
    return format_datetime(NOW + offset, usegmt=True)


def heard(*answers: Answer) -> timedelta:
    clock = OtherClock(lambda: NOW)
    for each in answers:
        clock.hear(each)
    return clock.ahead


DATES = st.from_regex(r"[A-Z][a-z]{2}, \d{1,30} (Jan|Dec|Foo) \d{1,30} \d{1,3}:\d{1,3}(:\d{1,3})? ?(GMT|[+-]\d{1,30}|)")


@given(st.text() | DATES)
def test_no_date_is_an_error(text: str) -> None:
    heard(answer(text))


@pytest.mark.parametrize(
    "text",
    [
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Mon, 01 Jan 0001 00:00:00 +1400",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 29 Mar 2026 01:00:00 GMT, Sun, 29 Mar 2026 01:00:00 GMT",
    ],
)
def test_an_odd_date_is_no_error(text: str) -> None:
    heard(answer(text))


def test_nothing_told_is_no_difference() -> None:
    assert heard() == timedelta(0)
    assert heard(answer(""), Answer("someOperation", 200, {}, b"", NOW)) == timedelta(0)


@pytest.mark.parametrize("offset", [DAY, -DAY])
def test_the_nearest_of_the_last_two_is_believed(offset: timedelta) -> None:
    odd, right = answer(date(offset)), answer(date(timedelta(0)))
    assert heard(odd, right) == heard(right, odd) == timedelta(0)
    assert abs(heard(right, odd, odd) - offset) <= timedelta(seconds=1)
    assert abs(heard(odd) - offset) <= timedelta(seconds=1)
    assert heard(odd, odd, right) == timedelta(0)


def test_the_time_an_answer_took_is_no_difference() -> None:
    """An answer that was written ten minutes ago, and came only now, as after a sleep of this machine."""
    assert heard(answer(date(timedelta(minutes=-10)), took=600)) == timedelta(0)
    assert heard(answer(date(timedelta(minutes=-10)), took=60)) == timedelta(minutes=-9, seconds=1) - timedelta(
        microseconds=400_000
    )


def test_a_cache_and_a_labels_place_tell_nothing_of_rever() -> None:
    assert heard(answer(date(-DAY), age="86400")) == timedelta(0)
    assert heard(answer(date(-DAY), theirs=False)) == timedelta(0)
    assert heard(answer(date(-DAY), age="0")) < timedelta(0)
