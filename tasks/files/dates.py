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
    SERIAL = "SERIAL"


DATE = re.compile(
    r"""(?P<one>\d{1,4})[/.-](?P<two>\d{1,2})[/.-](?P<three>\d{4}|\d{1,2})
    (?:[T ]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?\s*(?P<half>[AaPp]\.?\s?[Mm]\.?)?)?
    \s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?""",
    re.VERBOSE | re.ASCII,
)
_MONTHS = (
    "jan gen ene sty", "feb fev fév lut", "mar mär mrt maa mrz", "apr abr avr kwi", "may mai mag mei maj",
    "jun jui giu cze", "jul lug lip", "aug ago aou aoû sie", "sep set wrz", "oct okt ott out paź paz", "nov lis",
    "dec dez déc dic gru",
)  # fmt: skip
_MONTH = {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()} | {"juil": 7}
"""How the names of months begin, in eight languages -> their number."""
_BY_NAME = re.compile(
    r"""(?:[^\W\d]{2,10}[.,]?\s+)??
    (?:(?P<day>\d{1,2})(?:st|nd|rd|th|\.|º)?[\s./-]*(?:de\s+)?(?P<name>[^\W\d]{3,10})\.?[\s./,-]*(?:del?\s+)?
    |(?P<named>[^\W\d]{3,10})\.?\s+(?P<of>\d{1,2})(?:st|nd|rd|th)?,?\s+)
    (?P<year>\d{4}|\d{2})(?P<rest>(?:[,T\s].*)?)""",
    re.VERBOSE,
)
"""A date with the name of its month: 21-Nov-2026, Nov 21, 2026 3:15 PM, 22 de noviembre de 2026."""
UNIX = re.compile(r"\d{9,10}|\d{13}", re.ASCII)
"""Seconds or milliseconds since 1970."""

_SERIAL = re.compile(r"[2-6]\d{4}(?:[.,]\d+)?", re.ASCII)
"""Days since the end of 1899, as a spreadsheet program keeps a date: from 1954 to 2091."""
_FIRST_DAY = datetime(1899, 12, 30, tzinfo=UTC)

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


def date_in(text: str) -> re.Match[str] | None:
    """The parts of a date and its time; None where it is none. A month's name is its number."""
    if found := DATE.fullmatch(bare(text)):
        return found
    plain = " ".join(bare(text).split())
    if not (named := _BY_NAME.fullmatch(plain)):
        return DATE.fullmatch(plain)
    name = (named["name"] or named["named"]).casefold()
    month = _MONTH.get(name[:4]) or _MONTH.get(name[:3])
    year = named["year"] if len(named["year"]) == 4 else f"20{named['year']}"
    rest = named["rest"].lstrip(", ")
    return DATE.fullmatch(f"{year}-{month:02}-{int(named['day'] or named['of']):02} {rest}".strip()) if month else None


def is_time(text: str) -> bool:
    """Whether a cell may be a date or a time, however it is written."""
    return bool(date_in(text) or UNIX.fullmatch(bare(text)) or _SERIAL.fullmatch(bare(text)))


def read_time(text: str, written: DateFormat, zone: tzinfo) -> datetime:
    """The time that a cell means; `zone` is that of a time that names none. A date is the last second of that day.

    Raises `ValueError` with what would be right.
    """
    plain = bare(text)
    if written is DateFormat.UNIX and UNIX.fullmatch(plain):
        return datetime.fromtimestamp(int(plain) / (1000 if len(plain) == 13 else 1), UTC)
    if written is DateFormat.SERIAL and _SERIAL.fullmatch(plain):
        moment = _FIRST_DAY + timedelta(seconds=round(float(plain.replace(",", ".")) * 86_400))
        if "." not in plain and "," not in plain:
            moment += timedelta(days=1, seconds=-1)
        return moment.replace(tzinfo=zone)
    found = date_in(plain)
    if found is None:
        raise ValueError(f"write it as {written}")
    one, two, three, hour, minute, second, half, named = found.groups()
    if len(one) == 4:
        year, month, day = one, two, three
    elif written is DateFormat.DAY_FIRST:
        day, month, year = one, two, three
    elif written is DateFormat.MONTH_FIRST:
        month, day, year = one, two, three
    else:
        raise ValueError(f"write it as {written}, or state `date_format`")
    hours, minutes, seconds = (int(hour), int(minute), int(second or 0)) if hour else (23, 59, 59)
    if half:
        hours = hours % 12 + (12 if half[0] in "Pp" else 0)
    at = (named and zone_named(named)) or zone
    of_year = int(year) if len(year) > 2 else int(year) + 2000
    try:
        return datetime(of_year, int(month), int(day), hours, minutes, seconds, tzinfo=at)
    except ValueError:
        raise ValueError(f"there is no such day or time, written as {written}") from None


def format_of(texts: list[str]) -> DateFormat | None:
    """How these dates are written, decided by themselves; None where it could be in two ways, or in none.

    A first number above 12 is a day, a second one above 12 a day too.
    """
    dates = [date_in(text) for text in texts if text.strip()]
    for pattern, written in ((UNIX, DateFormat.UNIX), (_SERIAL, DateFormat.SERIAL)):
        if dates and all(pattern.fullmatch(bare(text)) for text in texts if text.strip()):
            return written
    found = [date for date in dates if date]
    if not found or len(found) < len(dates):
        return None
    if all(len(date["one"]) == 4 for date in found):
        return DateFormat.ISO
    first, second = (max(int(date[part]) for date in found if len(date["one"]) < 4) for part in ("one", "two"))
    if (first > 12) == (second > 12):
        return None
    return DateFormat.DAY_FIRST if first > 12 else DateFormat.MONTH_FIRST
