"""Dates and times as files write them. What could be read in two ways is not read."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from enum import StrEnum
from functools import lru_cache

from tasks.policy.clocks import store_zone


class DateFormat(StrEnum):
    """How a file writes dates. ISO 8601 (2026-03-02) is read whatever is stated, and so are / . and - between."""

    ISO = "YYYY-MM-DD"
    DAY_FIRST = "DD/MM/YYYY"
    MONTH_FIRST = "MM/DD/YYYY"
    UNIX = "UNIX"


DATE = re.compile(
    r"""(?P<one>\d{1,4})[/.-](?P<two>\d{1,2})[/.-](?P<three>\d{4}|\d{1,2})
    (?:[T ]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?\s*(?P<half>[AaPp][Mm])?)?
    \s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?""",
    re.VERBOSE | re.ASCII,
)
UNIX = re.compile(r"\d{9,10}|\d{13}", re.ASCII)
"""Seconds or milliseconds since 1970."""

_OFFSET = re.compile(r"([+-])([01]\d|2[0-3]):?([0-5]\d)", re.ASCII)


@lru_cache(maxsize=256)
def zone_named(name: str) -> tzinfo | None:
    """The zone of a name (`Europe/Madrid`, `UTC`, `Z`) or an offset (`+01:00`); None where there is none."""
    if offset := _OFFSET.fullmatch(name):
        away = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return timezone(-away if offset[1] == "-" else away)
    if name in {"UTC", "GMT", "Z"}:
        return UTC
    found = store_zone(name)
    return None if found.problem else found.zone


def bare(text: str) -> str:
    """A cell's date without the quotation marks that some programs put around it."""
    return text.strip().strip("'\"").strip()


def read_time(text: str, written: DateFormat, zone: tzinfo) -> datetime:
    """The time that a cell means; `zone` is that of a time that names none. A date is the last second of that day.

    Raises `ValueError` with what would be right.
    """
    plain = bare(text)
    if written is DateFormat.UNIX and UNIX.fullmatch(plain):
        return datetime.fromtimestamp(int(plain) / (1000 if len(plain) == 13 else 1), UTC)
    found = DATE.fullmatch(plain)
    if found is None:
        raise ValueError(f"write it as {written}")
    one, two, three = (int(part) for part in found.group("one", "two", "three"))
    if len(found["one"]) == 4:
        year, month, day = one, two, three
    elif written is DateFormat.DAY_FIRST:
        day, month, year = one, two, three
    elif written is DateFormat.MONTH_FIRST:
        month, day, year = one, two, three
    else:
        raise ValueError(f"write it as {written}, or state `date_format`")
    if found["hour"] is None:
        hour, minute, second = 23, 59, 59
    else:
        hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    if found["half"]:
        hour = hour % 12 + (12 if found["half"].lower() == "pm" else 0)
    at = zone_named(found["zone"]) if found["zone"] else zone
    try:
        return datetime(year + 2000 if year < 100 else year, month, day, hour, minute, second, tzinfo=at or zone)
    except ValueError:
        raise ValueError(f"there is no such day or time, written as {written}") from None


def format_of(texts: list[str]) -> DateFormat | None:
    """How these dates are written, decided by themselves; None where it could be in two ways, or in none.

    A first number above 12 is a day, a second one above 12 a day too.
    """
    dates = [DATE.fullmatch(bare(text)) for text in texts if text.strip()]
    if dates and all(UNIX.fullmatch(bare(text)) for text in texts if text.strip()):
        return DateFormat.UNIX
    found = [date for date in dates if date]
    if not found or len(found) < len(dates):
        return None
    if all(len(date["one"]) == 4 for date in found):
        return DateFormat.ISO
    first, second = (max(int(date[part]) for date in found if len(date["one"]) < 4) for part in ("one", "two"))
    if (first > 12) == (second > 12):
        return None
    return DateFormat.DAY_FIRST if first > 12 else DateFormat.MONTH_FIRST
