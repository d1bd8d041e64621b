"""How far a run is, while it goes: returns done of those found, what is paid so far, what waits for the rate."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from tasks.policy.facts import counted


def _none() -> int:
    return 0


@dataclass
class Progress:
    """What a run has found so far and what it is done with; it only shows, and nothing is decided by it.

    `found` is what REVER counted, so it may move while the run goes. `paid` counts each refund as REVER confirms it.
    `rate_waits` returns how many calls wait for `REVER_RATE` at this moment.
    """

    found: int = 0
    done: int = 0
    paid: dict[str, Decimal] = field(default_factory=dict)
    rate_waits: Callable[[], int] = _none

    @property
    def share(self) -> float:
        """The part that is done, from 0 to 1; 0 while nothing is found."""
        return min(1.0, self.done / self.found) if self.found else 0.0

    def find(self, returns: int) -> None:
        """Add returns that the run will look at; a negative number takes back what was counted and did not come."""
        self.found += returns

    def finish(self, returns: int = 1) -> None:
        """Add returns that the run is done with."""
        self.done += returns

    def pay(self, currency: str, amount: Decimal) -> None:
        """Add what REVER has just confirmed."""
        self.paid[currency] = self.paid.get(currency, Decimal(0)) + amount

    @property
    def words(self) -> str:
        """The state in a few words: `1,200 of 2,000 returns, paid 31,204.50 EUR, 6 calls wait for the rate limit`."""
        money = ", ".join(f"{amount:,} {currency}" for currency, amount in sorted(self.paid.items()))
        waits = self.rate_waits()
        said = [f"{self.done:,} of {self.found:,} returns"]
        said += [f"paid {money}"] if money else []
        said += [f"{counted(waits, 'call')} {'waits' if waits == 1 else 'wait'} for the rate limit"] if waits else []
        return ", ".join(said)
