"""The sandbox's clock: real time, and as much more as a test has let pass."""

from datetime import UTC, datetime, timedelta


class SandboxClock:
    """Answers the time in UTC when called. `advance` lets time pass without waiting for it."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def __call__(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC) + self._ahead

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass; a negative number is a clock that jumps back."""
        self._ahead += timedelta(seconds=seconds)
