"""A check stands by itself: it never raises, never takes long, and says what kept it from looking."""

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.doctor.command import examine
from deployments.doctor.examination import Examination, Line, Named, NotChecked, State, clock_line, in_thread, ok, sound
from rever_api.messages import Sample, ahead, sample


async def well(_: Examination) -> Line:
    return ok("well", "it is")


async def prevented(_: Examination) -> Line:
    raise NotChecked("the one before is broken")


async def faulty(_: Examination) -> Line:
    raise KeyError("an address of a shopper")


async def slow(_: Examination) -> Line:
    await asyncio.sleep(60)
    return ok("slow", "it came")


async def blocked(_: Examination) -> Line:
    await in_thread(lambda: time.sleep(60))
    return ok("blocked", "it came")


def test_each_check_gets_its_line_whatever_happens_in_it() -> None:
    checks = [
        Named("faulty", faulty), Named("slow", slow, 0.05), Named("blocked", blocked, 0.05),
        Named("prevented", prevented), Named("well", well),
    ]  # fmt: skip
    started = time.monotonic()
    lines = examine(checks)
    assert time.monotonic() - started < 5
    left = [thread for thread in threading.enumerate() if thread.name == "doctor"]
    assert len(left) == 1
    assert left[0].daemon, "the program's end does not wait for it"
    assert [(line.name, line.state) for line in lines] == [
        ("faulty", State.BROKEN),
        ("slow", State.BROKEN),
        ("blocked", State.BROKEN),
        ("prevented", State.NOT_CHECKED),
        ("well", State.OK),
    ]
    assert "KeyError at test_examination.py" in lines[0].found
    assert "shopper" not in lines[0].found
    assert lines[3].found == "the one before is broken"
    assert not sound(lines)


async def test_work_on_a_thread_answers_and_raises() -> None:
    assert await in_thread(lambda: 3) == 3
    try:
        await in_thread(lambda: 1 // 0)
    except ZeroDivisionError:
        return
    raise AssertionError("the error was lost")


NOW = datetime(2026, 3, 29, 1, 0, 0, 400_000, tzinfo=UTC)


def told(offset: timedelta, before: timedelta, after: timedelta) -> Sample:
    """What a server `offset` ahead of us says in its Date header, between a question and its answer."""
    date = format_datetime((NOW + offset).astimezone(UTC), usegmt=True)
    return sample(date, NOW - before, NOW + after)[0]


WAITS = st.timedeltas(timedelta(0), timedelta(seconds=3))


@given(st.timedeltas(timedelta(days=-2), timedelta(days=2)), st.lists(st.tuples(WAITS, WAITS), min_size=1, max_size=5))
def test_a_clock_is_never_said_to_be_farther_off_than_it_is(
    offset: timedelta, waits: list[tuple[timedelta, timedelta]]
) -> None:
    found = ahead([told(offset, before, after) for before, after in waits])
    assert found * (1 if offset >= timedelta(0) else -1) >= timedelta(0)
    assert abs(found) <= abs(offset)
    slowest = min(before + after for before, after in waits)
    assert abs(offset) - abs(found) <= slowest + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("offset", "state", "words"),
    [
        (0, State.OK, "agree to within 5 s"),
        (4, State.OK, "agree to within 5 s"),
        (20, State.ATTENTION, "is 20 s ahead of ours"),
        (-20, State.ATTENTION, "is 19 s behind ours"),
        (-600, State.BROKEN, "is 10 min behind ours"),
        (7200, State.BROKEN, "is 2 h ahead of ours"),
    ],
)
def test_a_line_says_how_far_and_which_way(offset: int, state: State, words: str) -> None:
    line = clock_line("clock", "its", [told(timedelta(seconds=offset), timedelta(0), timedelta(0))])
    assert line.state is state
    assert words in line.found


@pytest.mark.parametrize("date", [None, "", "yesterday", "Sun, 29 Mar 2026 01:00:00 -0000"])
def test_a_date_that_tells_no_time_is_no_sample(date: str | None) -> None:
    assert sample(date, NOW, NOW) == []
