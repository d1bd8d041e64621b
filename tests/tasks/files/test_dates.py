"""Dates are read as the mapping says they are written; what can be read in two ways is not read."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.files.dates import DateFormat, format_of, read_time

MADRID = ZoneInfo("Europe/Madrid")


@pytest.mark.parametrize(
    ("text", "written", "means"),
    [
        ("2026-03-02 14:05:00", DateFormat.ISO, "2026-03-02T13:05:00+00:00"),
        ("2026-06-05T15:31:40+00:00", DateFormat.DAY_FIRST, "2026-06-05T15:31:40+00:00"),
        ("2026-10-02 17:09:34 -0300", DateFormat.ISO, "2026-10-02T20:09:34+00:00"),
        ("'14/06/2026 16:55:07'", DateFormat.DAY_FIRST, "2026-06-14T14:55:07+00:00"),
        ("14-06-26", DateFormat.DAY_FIRST, "2026-06-14T21:59:59+00:00"),
        ("3/2/2026 2:05 PM", DateFormat.MONTH_FIRST, "2026-03-02T13:05:00+00:00"),
        ("1772460300", DateFormat.UNIX, "2026-03-02T14:05:00+00:00"),
        ("1772460300000", DateFormat.UNIX, "2026-03-02T14:05:00+00:00"),
    ],
)
def test_times_are_read_as_the_mapping_says(text: str, written: DateFormat, means: str) -> None:
    assert read_time(text, written, MADRID).astimezone(UTC).isoformat() == means


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("14/06/2026", DateFormat.ISO),
        ("14/06/2026", DateFormat.MONTH_FIRST),
        ("45384.34", DateFormat.DAY_FIRST),
        ("soon", DateFormat.ISO),
    ],
)
def test_a_time_that_is_written_otherwise_is_refused(text: str, written: DateFormat) -> None:
    with pytest.raises(ValueError, match=r"write it as|no such day"):
        read_time(text, written, MADRID)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)).map(lambda at: at.replace(microsecond=0)))  # noqa: DTZ001
def test_a_date_is_read_as_it_was_written(at: datetime) -> None:
    at = at.replace(tzinfo=timezone(timedelta(hours=2)))
    for written, form in (
        (DateFormat.DAY_FIRST, "%d/%m/%Y %H:%M:%S"),
        (DateFormat.MONTH_FIRST, "%m-%d-%Y %I:%M:%S %p"),
    ):
        assert read_time(at.strftime(form), written, at.tzinfo or UTC) == at


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["02/03/2026", "14/03/2026"], DateFormat.DAY_FIRST),
        (["02/03/2026", "03/14/2026"], DateFormat.MONTH_FIRST),
        (["02/03/2026", "", "03/04/2026"], None),
        (["14/03/2026", "03/14/2026"], None),
        (["2026-03-02", "2026-03-14 10:00"], DateFormat.ISO),
        (["1772460300"], DateFormat.UNIX),
        (["soon"], None),
        ([], None),
    ],
)
def test_the_file_decides_between_day_and_month_or_nobody_does(texts: list[str], found: DateFormat | None) -> None:
    assert format_of(texts) is found
