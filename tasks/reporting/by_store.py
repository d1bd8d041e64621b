"""What a run did at each of its stores: the counts that go into one row a store."""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

OUTCOMES = ("done", "unknown", "refused", "held")
"""What a run counts in any case: effects that were done, are unknown or were refused, and holds that were opened."""

Money = dict[str, Decimal]
"""Currency -> amount."""


@dataclass(slots=True)
class StoreTally:
    """What a run did at one store. `seen` counts what the run was about there, `failures` what could not be worked on.

    `decided` counts the decisions that ask for something: all but those to wait or to do nothing. `ended` says that the
    work there came to its end or was given up; `seconds` is how long it took, side by side with that at other stores.
    """

    seen: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    decided: Counter[str] = field(default_factory=Counter)
    due: Money = field(default_factory=dict)
    paid: Money = field(default_factory=dict)
    on_its_way: Money = field(default_factory=dict)
    failures: int = 0
    seconds: float = 0.0
    ended: bool = False

    @property
    def tells(self) -> bool:
        """Whether there is anything to say of it beside how many it has seen."""
        counted = self.outcomes.total() or self.decided.total()
        return bool(counted or self.failures or self.due or self.paid or self.on_its_way)

    def as_json(self) -> dict[str, Any]:
        """The object of a store in `--json`. Amounts are decimal strings."""
        return {
            "seen": self.seen,
            "outcomes": {name: self.outcomes[name] for name in OUTCOMES},
            "due": _strings(self.due),
            "paid": _strings(self.paid),
            "on_its_way": _strings(self.on_its_way),
            "failures": self.failures,
            "seconds": round(self.seconds, 3),
        }


def _strings(money: Money) -> dict[str, str]:
    return {currency: str(amount) for currency, amount in sorted(money.items())}
