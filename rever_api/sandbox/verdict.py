"""What the auditor says: violations, what is still due, and the totals."""

from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise. `invariant` is 1 (paid too much), 2 (done twice), 3 (paid where nothing may be paid) or
    4 (refunded and exchanged); `effect` is the number in the books of the effect that broke it.
    """

    invariant: int
    kind: str
    process_id: str
    effect: int
    why: str


@dataclass(frozen=True, slots=True)
class Due:
    """What a running return is still owed: money, units of goods, a label. `blocked` says why a person must decide.

    `payer` is `desk`, or `rever` where REVER pays by itself. `unreviewed` units wait for their inspection.
    """

    process_id: str
    store: str
    currency: str
    amount: Decimal
    exchange_units: int
    label: bool
    unreviewed: int
    payer: str
    blocked: str = ""
    label_blocked: str = ""

    @property
    def anything(self) -> bool:
        """Whether somebody who uses the API has something to do about it."""
        pays = self.payer == "desk" and (self.amount > 0 or self.exchange_units > 0 or bool(self.blocked))
        return pays or self.label


@dataclass(frozen=True, slots=True)
class Audit:
    """The verdict. `paid` is what went out through the API, `paid_by_others` what went out otherwise."""

    violations: tuple[Violation, ...]
    due: tuple[Due, ...]
    paid: dict[str, Decimal]
    paid_by_others: dict[str, Decimal]

    @property
    def clean(self) -> bool:
        """Whether no promise was broken. What is forgotten is another question."""
        return not self.violations

    @property
    def due_total(self) -> dict[str, Decimal]:
        """Currency -> money that the desk can pay now, without a person's say."""
        totals: dict[str, Decimal] = {}
        for due in self.due:
            if due.payer == "desk" and not due.blocked and due.amount > 0:
                totals[due.currency] = totals.get(due.currency, Decimal(0)) + due.amount
        return dict(sorted(totals.items()))

    @property
    def waits_for_review(self) -> tuple[str, ...]:
        """Ids of the running returns with units that nobody has inspected."""
        return tuple(due.process_id for due in self.due if due.unreviewed)

    def counts(self) -> dict[str, int]:
        """Kind of violation -> how many; the kinds that everybody asks for are there with 0."""
        zero = dict.fromkeys(("double_refund", "double_exchange", "second_label", "over_paid"), 0)
        return zero | dict(Counter(violation.kind for violation in self.violations))

    def forgotten(self, explained: Collection[str] = ()) -> tuple[str, ...]:
        """Return the ids with something due that are not among `explained` (held, or open at the desk)."""
        return tuple(due.process_id for due in self.due if due.anything and due.process_id not in explained)

    def as_json(self, explained: Collection[str] = ()) -> dict[str, Any]:
        """Return all of it, amounts as strings."""
        return {
            "clean": self.clean,
            "counts": self.counts(),
            "violations": [asdict(violation) for violation in self.violations],
            "paid": {currency: str(amount) for currency, amount in self.paid.items()},
            "paid_by_others": {currency: str(amount) for currency, amount in self.paid_by_others.items()},
            "due_total": {currency: str(amount) for currency, amount in self.due_total.items()},
            "due": [asdict(due) | {"amount": str(due.amount)} for due in self.due],
            "waits_for_review": list(self.waits_for_review),
            "forgotten": list(self.forgotten(explained)),
        }
