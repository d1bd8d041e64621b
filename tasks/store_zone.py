"""A store's time zone, as REVER names it: the one place where a name becomes a zone."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

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
