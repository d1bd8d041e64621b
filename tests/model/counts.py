"""What was run: steps, rules, workers and how they ended, what was found."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counts:
    """Counted over all examples of a process."""

    examples: int = 0
    steps: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    runs: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    effects: Counter[str] = field(default_factory=Counter)
    holds: Counter[str] = field(default_factory=Counter)
    races: int = 0
    asked_for: int = 0
    violations: int = 0
    forgotten: int = 0
    returns: int = 0

    def lines(self) -> list[str]:
        """All of it in a few lines."""
        return [
            f"examples {self.examples}, steps {self.steps}, returns {self.returns}",
            f"rules      {_told(self.rules)}",
            f"runs       {_told(self.runs)}",
            f"their ends {_told(self.ends)}",
            f"struck at  {_told(self.points)}",
            f"faults     {_told(self.faults)}",
            f"effects    {_told(self.effects)}",
            f"holds      {_told(self.holds)}",
            f"races that are REVER's {self.races}, second effects that a person asked for {self.asked_for}",
            f"violations {self.violations}, forgotten {self.forgotten}",
        ]


def _told(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counter.items())) or "none"


COUNTS = Counts()
"""Of this process."""
