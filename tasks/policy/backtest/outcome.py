"""What a policy makes of one past return: its payments, its hold, and how the merchant's rules stood."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from tasks.policy.record import LineUnits
from tasks.policy.verdict import Decided, Standing, Verdict


@dataclass(frozen=True, slots=True)
class Payment:
    """What a policy pays at one moment by one method. `goods` is an exchange, whose `amount` is what it is worth.

    `exact` is false where it was due at some time before, which nobody has told. `rules` are the merchant's rules that
    decided about its lines, or the desk's own.
    """

    at: datetime
    amount: Decimal
    currency: str
    method: str
    items: tuple[LineUnits, ...]
    rules: tuple[str, ...] = ()
    exact: bool = True
    goods: bool = False


@dataclass(frozen=True, slots=True)
class HeldPayment:
    """A hold, which nobody answers in a replay. `amount` is what it keeps back, where that is known."""

    at: datetime
    rule: str
    why: str
    amount: Decimal | None = None
    currency: str = ""
    rules: tuple[str, ...] = ()


@dataclass(slots=True)
class RulesHeard:
    """How the merchant's rules stood to a return at any moment: those that matched, decided, were outranked, and those
    that could not be answered, each with what is missing. `last` are those that decided about money last.
    """

    matched: set[str] = field(default_factory=set)
    decided: set[str] = field(default_factory=set)
    outranked: set[str] = field(default_factory=set)
    unknown: dict[str, tuple[str, ...]] = field(default_factory=dict)
    last: tuple[str, ...] = ()

    def hear(self, verdict: Verdict) -> None:
        """Note how the rules stand now."""
        for each in verdict.stood:
            if each.standing is Standing.MATCHES:
                self.matched.add(each.rule.name)
            elif each.standing is Standing.UNKNOWN:
                self.unknown.setdefault(each.rule.name, each.needs)
        for outcomes in (verdict.whole, *verdict.lines.values()):
            for outcome in outcomes.values():
                if isinstance(outcome, Decided):
                    self.decided.add(outcome.rule)
                    self.outranked.update(outcome.outranked)


def deciding(verdict: Verdict, lines: Iterable[str]) -> tuple[str, ...]:
    """The rules that decide about these lines, each once."""
    outcomes = (it for line in lines for it in verdict.lines[line].values())
    return tuple(dict.fromkeys(it.rule for it in outcomes if isinstance(it, Decided)))


@dataclass(slots=True)
class Replayed:
    """What a policy makes of one return: its payments in order, and the hold or the wait that it ends with."""

    payments: list[Payment] = field(default_factory=list)
    held: HeldPayment | None = None
    waits: str = ""
    heard: RulesHeard = field(default_factory=RulesHeard)
