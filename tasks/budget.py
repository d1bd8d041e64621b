"""The most money one run may send out, per currency. What goes beyond it waits for the next run."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from tasks.policy.decision import Compensate, Decision, Wait


@dataclass(slots=True)
class Budget:
    """A cap on a run's refunds, the same number in each currency; None is no cap.

    It remembers the amount by return, so that deciding about the same return again does not count it twice.
    """

    most: Decimal | None = None
    _kept: dict[tuple[str, str], Decimal] = field(default_factory=dict)

    def within(self, process_id: str, decision: Decision, until: datetime) -> Decision:
        """The decision itself where its refunds fit into what is left, else a wait until the next run."""
        if self.most is None or not isinstance(decision, Compensate) or not decision.refunds:
            return decision
        currency = decision.refunds[0].currency
        amount = sum((refund.amount for refund in decision.refunds), Decimal(0))
        mine = (process_id, currency)
        others = sum((kept for key, kept in self._kept.items() if key[1] == currency and key != mine), Decimal(0))
        if others + max(amount, self._kept.get(mine, Decimal(0))) > self.most:
            left = self.most - others
            why = f"{amount} {currency} is due, but this run may pay only {left} {currency} more (max_amount)"
            return Wait("run_limit", why, until)
        self._kept[mine] = max(amount, self._kept.get(mine, Decimal(0)))
        return decision
