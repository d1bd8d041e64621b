"""A time by one machine's clock, told by another's, and what that means for an event and the run that looked at it."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.policy.clocks import DIFFER, store_zone, translated

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
SKEWS = st.timedeltas(-DIFFER, DIFFER)
TOOK = st.timedeltas(timedelta(0), timedelta(seconds=5))
SHARES = st.floats(0, 1)


def test_a_clock_that_is_ahead_and_one_that_is_behind_are_brought_together() -> None:
    minute = timedelta(minutes=1)
    assert translated(NOON, here=NOON, there=NOON + minute) == NOON + minute
    assert translated(NOON, here=NOON + minute, there=NOON) == NOON - minute


@pytest.mark.parametrize("off", [timedelta(minutes=5), timedelta(days=-400)])
def test_a_time_is_not_known_where_a_clock_is_wrong(off: timedelta) -> None:
    assert translated(NOON, here=NOON, there=NOON + off) is None
    assert translated(NOON, here=NOON + off, there=NOON) is None


def as_the_receiver_sees_it(
    began: datetime, worker: timedelta, receiver: timedelta, took: tuple[timedelta, timedelta], share: float
) -> datetime:
    """The beginning of a run by the receiver's clock, of which the ledger's is right and the others are off.

    As a run writes it (its clock is read after the ledger's) and as the receiver reads it (its clock is read before).
    """
    to_write, to_read = took
    stored = translated(began + worker, here=began + to_write + worker, there=began + to_write * share)
    assert stored is not None
    read = began + timedelta(seconds=30)
    seen = translated(stored, here=read + to_read * share, there=read + receiver)
    assert seen is not None
    return seen


@given(
    worker=SKEWS,
    receiver=SKEWS,
    to_write=TOOK,
    to_read=TOOK,
    share=SHARES,
    after=st.timedeltas(timedelta(minutes=-10), timedelta(minutes=10)),
)
def test_a_run_that_began_before_an_event_never_counts_and_one_that_began_after_it_does(
    worker: timedelta, receiver: timedelta, to_write: timedelta, to_read: timedelta, share: float, after: timedelta
) -> None:
    """However far apart worker, ledger and receiver are, up to two minutes each, and however long a question takes."""
    began = NOON
    came_in = began - after
    counts = as_the_receiver_sees_it(began, worker, receiver, (to_write, to_read), share) >= came_in + receiver
    if after < timedelta(0):
        assert not counts, "the event came in after the run had begun: it may have read the return before"
    if after >= to_write + to_read:
        assert counts, "a second run would be made for nothing"


NONE_THERE_IS = ["Europe", "America/Argentina", "x" * 300, "../x", "/etc/passwd", "europe/madrid", "\0", "\ud800", ".",
                 "Europe/", "zone.tab", "localtime", "UTC+1", " Europe/Madrid"]  # fmt: skip


@pytest.mark.parametrize("name", NONE_THERE_IS)
def test_a_name_that_is_no_zone_is_utc_and_is_named(name: str) -> None:
    found = store_zone(name)
    assert (found.zone, found.day(datetime(2026, 6, 30, 23, 30, tzinfo=UTC))) == (UTC, date(2026, 6, 30))
    assert repr(name)[1:10] in found.problem
    assert len(found.problem) < 120


@pytest.mark.parametrize("name", ["", "  "])
def test_no_name_is_utc_too(name: str) -> None:
    assert store_zone(name).zone is UTC
    assert "no time zone" in store_zone(name).problem


@given(st.text())
def test_no_name_is_a_fault(name: str) -> None:
    assert store_zone(name).begins(date(2026, 11, 1)).tzinfo is UTC


@pytest.mark.parametrize(
    ("zone", "day", "begins"),
    [
        ("Europe/Madrid", date(2026, 11, 1), "2026-10-31T23:00"),
        ("Europe/Madrid", date(2026, 7, 1), "2026-06-30T22:00"),
        ("America/New_York", date(2026, 11, 1), "2026-11-01T04:00"),
        ("Asia/Beirut", date(2022, 3, 27), "2022-03-26T22:00"),  # there the clocks went from 00:00 to 01:00
        ("UTC", date(2026, 11, 1), "2026-11-01T00:00"),
    ],
)
def test_a_date_is_the_start_of_that_day_at_the_store(zone: str, day: date, begins: str) -> None:
    found = store_zone(zone)
    assert found.problem == ""
    assert found.begins(day) == datetime.fromisoformat(f"{begins}+00:00")
    assert (found.day(found.begins(day)), found.day(found.begins(day) - timedelta(seconds=1))) == (
        day,
        day - timedelta(days=1),
    )


def test_a_time_with_an_offset_is_that_time_at_every_store() -> None:
    at = datetime(2026, 11, 1, 9, tzinfo=timezone(timedelta(hours=1)))
    assert store_zone("America/New_York").begins(at) == datetime(2026, 11, 1, 8, tzinfo=UTC)
