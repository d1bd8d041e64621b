"""How many runs for how many returns: one each for a few, so that each is quick; one for many in a storm. Pure."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

ONE, MANY = "process-return/process-return", "process-pending-returns/process-told-returns"
"""The deployments whose runs are offered, both of the fast lane. The scheduled one cancels runs that meet."""

FEW = 5
"""Returns that get a run each."""

MOST = 100
"""Returns in one run: what the flows take in one batch."""

BREATH_S = 2.0
"""After `FEW` runs within this time the next wait for its end, and are folded with what comes in meanwhile."""


@dataclass(frozen=True, slots=True)
class Fold:
    """Returns that one run of a deployment is to look at."""

    deployment: str
    process_ids: tuple[str, ...]


def fold(process_ids: Sequence[str], *, few: int = FEW, most: int = MOST) -> list[Fold]:
    """The runs to offer for these returns, in their order."""
    if len(process_ids) <= few:
        return [Fold(ONE, (process_id,)) for process_id in process_ids]
    starts = range(0, len(process_ids), most)
    return [Fold(MANY, tuple(process_ids[start : start + most])) for start in starts]


def parameters_of(deployment: str, process_ids: Sequence[str]) -> dict[str, object]:
    """The parameters of the run: the flow's form, filled."""
    about = {"process_id": process_ids[0]} if deployment == ONE else {"process_ids": list(process_ids)}
    return {"parameters": {"mode": "act", **about}}


@dataclass(slots=True)
class Pace:
    """Tells a storm from a few events. Times are in seconds of a monotonic clock."""

    few: int = FEW
    breath: float = BREATH_S
    _offered: deque[float] = field(default_factory=deque)

    def wait(self, now: float) -> float:
        """For how long nothing is offered yet."""
        while self._offered and self._offered[0] <= now - self.breath:
            self._offered.popleft()
        return 0.0 if len(self._offered) < self.few else self._offered[0] + self.breath - now

    def note(self, now: float, runs: int) -> None:
        """So many runs were offered."""
        self._offered.extend([now] * runs)
