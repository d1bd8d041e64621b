"""How far another clock is from ours, as far as its answers tell. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from deployments.doctor.line import Line, attention, broken, ok

WORTH_SAYING = timedelta(seconds=5)
TOO_MUCH = timedelta(seconds=60)
"""As long as a claimed effect is left to its worker by default (`REVER_LEASE`)."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One time told by another clock, and between which two of ours it was told. `grain`: how coarse it is."""

    told: datetime
    asked_at: datetime
    came_at: datetime
    grain: timedelta = timedelta(0)


def sample(date: str | None, asked_at: datetime, came_at: datetime) -> list[Sample]:
    """Read an HTTP `Date`, which is cut to whole seconds; none where there is none to read."""
    try:
        told = parsedate_to_datetime(date or "")
    except ValueError:
        return []
    return [Sample(told, asked_at, came_at, timedelta(seconds=1))] if told.tzinfo else []


def ahead(samples: Sequence[Sample]) -> timedelta:
    """By how much the other clock is ahead of ours at least (behind: negative); 0 where they may agree."""
    least = max(each.told - each.came_at for each in samples)
    most = min(each.told + each.grain - each.asked_at for each in samples)
    return least if least > timedelta(0) else most if most < timedelta(0) else timedelta(0)


def judged(name: str, whose: str, samples: Sequence[Sample]) -> Line:
    """One line about another clock; there is at least one sample."""
    skew = ahead(samples)
    if abs(skew) <= WORTH_SAYING:
        return ok(name, f"{whose} clock and ours agree to within {WORTH_SAYING.total_seconds():.0f} s")
    way = "ahead of" if skew > timedelta(0) else "behind"
    found = f"{whose} clock is {_told(abs(skew))} {way} ours"
    mend = "synchronise this machine's clock (NTP: `timedatectl`), or theirs"
    return (broken if abs(skew) > TOO_MUCH else attention)(name, found, mend)


def _told(skew: timedelta) -> str:
    seconds = round(skew.total_seconds())
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    return f"{seconds} s" if seconds < 120 else f"{minutes} min" if minutes < 120 else f"{hours} h"
