"""What a worker process is told: which flows to run at which hour, and where it dies, stops or is cancelled."""

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

BEFORE_COMMIT = "before the outcome is committed"
"""A point of this harness: the commit that writes down what REVER answered. The others are `CrashPoint`s."""


class Blow(StrEnum):
    """What happens to a worker at a point."""

    KILL = "kill"
    """SIGKILL: nothing of it can react."""
    STOP = "stop"
    """SIGSTOP, until somebody lets it go on."""
    CANCEL = "cancel"
    """The run's task is cancelled."""
    TERMINATE = "terminate"
    """SIGTERM, as Prefect sends it when a run is cancelled from its UI."""


@dataclass(frozen=True, slots=True)
class Strike:
    """A blow at the `nth` time (from 1) that the worker comes to a point."""

    blow: Blow
    point: str
    nth: int = 1


@dataclass(frozen=True, slots=True)
class Step:
    """One flow to run. `copies` run at once in one event loop, as a webhook does that is repeated."""

    flow: str
    values: dict[str, str] = field(default_factory=dict)
    copies: int = 1


@dataclass(frozen=True, slots=True)
class Job:
    """One worker's life. `later` is by how many seconds its clock is ahead; `jumps` seeds a clock that jumps."""

    steps: tuple[Step, ...]
    environment: dict[str, str]
    answers: str
    later: float = 0.0
    jumps: int | None = None
    strikes: tuple[Strike, ...] = ()

    def as_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, line: str) -> "Job":
        """The reverse of `as_json`."""
        told: dict[str, Any] = json.loads(line)
        steps = tuple(Step(**step) for step in told.pop("steps"))
        strikes = tuple(Strike(Blow(each.pop("blow")), **each) for each in told.pop("strikes"))
        return cls(steps=steps, strikes=strikes, **told)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one flow of a worker came to: its report, or the error that ended it."""

    flow: str
    report: dict[str, Any] | None
    error: str = ""
