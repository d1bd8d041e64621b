"""How far another clock is from ours, as far as its answers show."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from rever_api.messages import Answer

LAST = 2


@dataclass(frozen=True, slots=True)
class Sample:
    """One time of another clock, and between which two of ours it was read. `grain`: how coarse it is."""

    time: datetime
    asked_at: datetime
    came_at: datetime
    grain: timedelta = timedelta(0)


def sample(date: str | None, asked_at: datetime, came_at: datetime) -> list[Sample]:
    """Read an HTTP `Date`, which is cut to whole seconds; none where there is none to read."""
    try:
        time = parsedate_to_datetime(date or "")
    except (ValueError, TypeError, IndexError, OverflowError):  # what the parser meets in a text that is no date
        return []
    return [Sample(time, asked_at, came_at, timedelta(seconds=1))] if time.tzinfo else []


def ahead(samples: Sequence[Sample]) -> timedelta:
    """By how much the other clock is ahead of ours at least (behind: negative); 0 where they may agree."""
    least = max(each.time - each.came_at for each in samples)
    most = min(each.time - each.asked_at + each.grain for each in samples)
    return least if least > timedelta(0) else most if most < timedelta(0) else timedelta(0)


class OtherClock:
    """REVER's clock beside ours, by the `Date` of the last answers that have one.

    Of the last two the one nearest to ours is believed, so that none decides alone (an old one, or a server that is
    wrong), and a clock that jumps during a run is noticed at the second answer after it.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._samples: deque[Sample] = deque(maxlen=LAST)

    def hear(self, answer: Answer) -> None:
        """Note the time of an answer, if it has one. A malformed one raises nothing: it may answer an effect."""
        now = self._clock()
        if answer.theirs and answer.headers.get("age", "0").strip() == "0":  # no label's file, nothing out of a cache
            self._samples += sample(answer.headers.get("date"), now - timedelta(seconds=answer.took), now)

    @property
    def ahead(self) -> timedelta:
        """By how much REVER's clock is ahead of ours (behind: negative); 0 where it may agree or sends no time."""
        return min((ahead([each]) for each in self._samples), key=abs, default=timedelta(0))


def in_words(span: timedelta) -> str:
    """A span between two clocks, in the unit that fits it."""
    seconds = round(span.total_seconds())
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    return f"{seconds} s" if seconds < 120 else f"{minutes} min" if minutes < 120 else f"{hours} h"
