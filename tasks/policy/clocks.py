"""Clocks and zones. Of times that were stored none is believed further ahead than the longest span its rule can give.

A clock that was ahead once leaves times behind that lie years in the future. What waits for such a time waits no longer
than it ever could have: it is due now.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DIFFER = timedelta(minutes=2)
"""By so much the clocks of two machines that work together may differ; what is further off is a wrong clock."""


def come(at: datetime | None, now: datetime, longest: timedelta) -> bool:
    """Whether a stored time has come: it has passed, or no rule could have given it.

    `longest` is the longest span from now to such a time; None is a time that was never set, which is no wait.
    """
    return at is None or at <= now or ahead(at, now, longest)


def ahead(at: datetime, now: datetime, longest: timedelta = timedelta(0)) -> bool:
    """Whether a stored time lies further in the future than any right clock can have put it."""
    return at - now > longest + DIFFER


def skew(*, here: datetime, there: datetime) -> timedelta | None:
    """By how much the clock there is ahead of the one here; what the two showed at one moment is given.

    Where they differ by more than twice `DIFFER` (once for the clocks, once for the time that it takes to read both)
    one of them is wrong, nobody knows which: None.
    """
    ahead_by = there - here
    return ahead_by if abs(ahead_by) <= 2 * DIFFER else None


def translated(at: datetime, *, here: datetime, there: datetime) -> datetime | None:
    """A time by one clock, told by another; `here` and `there` as for `skew`. Where one is wrong it is not known."""
    by = skew(here=here, there=there)
    return None if by is None else at + by


LONGEST_SETTING = timedelta(days=1)
"""No time-out, lease or delay can be set to more (`tasks.settings`)."""


def believed(at: datetime, now: datetime) -> datetime:
    """A stored time of the next look, or now where no setting could have given it."""
    return now if ahead(at, now, LONGEST_SETTING) else at


def clock_time(at: datetime, zone: tzinfo = UTC, *, seconds: bool = False) -> str:
    """A time as a clock of that zone shows it, with the zone's name: `2026-11-29 16:17 CET`."""
    return f"{at.astimezone(zone):{'%Y-%m-%d %H:%M:%S %Z' if seconds else '%Y-%m-%d %H:%M %Z'}}"


# A store's time zone, as REVER names it: the one place where a name becomes a zone.

LONGEST = 64
"""No name in the zone database is longer (the longest has 32 characters)."""

OF_THE_MACHINE = frozenset({"localtime", "posixrules"})
"""Files beside the zones that stand for a machine's own zone: two workers could differ."""


@dataclass(frozen=True, slots=True)
class StoreZone:
    """A store's zone. `problem` says why it is UTC, where REVER names none that can be used; else it is empty."""

    zone: tzinfo
    problem: str = ""

    def day(self, now: datetime) -> date:
        """The store's own date at this time."""
        return now.astimezone(self.zone).date()

    def begins(self, at: date | datetime) -> datetime:
        """The time that is meant, in UTC: a date is the start of that day at the store."""
        if not isinstance(at, datetime):
            at = datetime(at.year, at.month, at.day, tzinfo=self.zone)
        return at.astimezone(UTC)


@lru_cache(maxsize=256)
def store_zone(name: str) -> StoreZone:
    """The zone of this name (IANA, such as `Europe/Madrid`); UTC where there is none, with what is wrong in words.

    Whatever REVER answers is taken: a folder of the zone database (`Europe`), a path, or a text of any length too.
    """
    if not name.strip():
        return StoreZone(UTC, "REVER names no time zone for it")
    wrong = StoreZone(UTC, f"REVER names the time zone {_shown(name)}, which is not a known zone")
    if len(name) > LONGEST or name in OF_THE_MACHINE:
        return wrong
    try:
        return StoreZone(ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return wrong


def _shown(name: str) -> str:
    return repr(name if len(name) <= LONGEST else f"{name[: LONGEST - 3]}...")
