"""Time that passes only when somebody sleeps."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@dataclass
class FakeTime:
    """Clocks and sleeps that belong together; `slept` keeps every sleep, in seconds."""

    passed: float = 0.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        """The wall clock."""
        return START + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        """The monotonic clock."""
        return self.passed

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept.append(seconds)
        self.passed += seconds

    async def asleep(self, seconds: float) -> None:
        """Let time pass."""
        self.sleep(seconds)
