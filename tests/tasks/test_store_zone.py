"""A store's time zone: whatever REVER names, there is one, and what is wrong with the name is said."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.store_zone import store_zone

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
