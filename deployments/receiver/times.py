"""How long the dispatcher waits for what."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Times:
    """How long things take and may take. An offer that shows nothing is made again after 5, 10, 20 s and so on.

    REVER is asked `doubts` times about a return before its events are closed, 5, 10, 20 and 40 s apart; where it cannot
    be asked, not again for `ask_again_s` seconds.

    Where Prefect does not take a run it is asked again after 0.1, 0.2, 0.4 s and so on: a server that is merely busy
    answers 503, and takes it a moment later.
    """

    doubts: int = 5
    first_again: timedelta = timedelta(seconds=5)
    most_again: timedelta = timedelta(hours=1)
    under_way: timedelta = timedelta(minutes=15)
    give_up: timedelta = timedelta(hours=24)
    poll_s: float = 1.0
    slow_poll_s: float = 5.0
    idle_s: float = 10.0
    first_trouble_s: float = 0.1
    most_trouble_s: float = 30.0
    ask_again_s: float = 60.0
    clean_s: float = 3600.0

    def again(self, attempt: int) -> timedelta:
        """How long to wait before a run is asked what became of it."""
        return min(self.first_again * (1 << min(attempt, 20)), self.most_again)


FRESH = timedelta(seconds=1)
"""No run can have looked yet at what came in within this time and was not offered: the ledger need not be asked."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Until the next step. `deaf`: what comes in meanwhile does not end it, since nothing could be done about it."""

    seconds: float
    deaf: bool = False
