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
        ("3/2/2026 2:05 p.\u00a0m.", DateFormat.MONTH_FIRST, "2026-03-02T13:05:00+00:00"),
        ("21-Nov-2026 02:15 PM", DateFormat.ISO, "2026-11-21T13:15:00+00:00"),
        ("3-Nov-26", DateFormat.ISO, "2026-11-03T22:59:59+00:00"),
        ("Nov 3rd, 2026 10:12 AM", DateFormat.ISO, "2026-11-03T09:12:00+00:00"),
        ("Fri, 20 Nov 2026 10:00:00 +0000", DateFormat.ISO, "2026-11-20T10:00:00+00:00"),
        ("22 de noviembre de 2026 14:30", DateFormat.DAY_FIRST, "2026-11-22T13:30:00+00:00"),
        ("1. M\u00e4rz 2026", DateFormat.DAY_FIRST, "2026-03-01T22:59:59+00:00"),
        ("12 juillet 2026", DateFormat.DAY_FIRST, "2026-07-12T21:59:59+00:00"),
        ("12 juin 2026", DateFormat.DAY_FIRST, "2026-06-12T21:59:59+00:00"),
        ("46346.604166", DateFormat.SERIAL, "2026-11-20T13:30:00+00:00"),
        ("46346", DateFormat.SERIAL, "2026-11-20T22:59:59+00:00"),
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
        ("Sunday 2026", DateFormat.ISO),
        ("3 Smarch 2026", DateFormat.ISO),
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
        (["3-Nov-2026", "Nov 14, 2026"], DateFormat.ISO),
        (["46346.6", "46347"], DateFormat.SERIAL),
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
