"""What a run says of the policy that decides in shadow: how many returns it decides otherwise, with the money."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tasks.policy.backtest.differences import Change, Purse
from tasks.policy.facts import counted
from tasks.policy.money import ZERO
from tasks.policy.shadow import Candidate, Differs

NO_MONEY = "without money"
"""What a difference is counted as in which no money is known to be concerned: another wait, another carrier."""

COLUMNS = ("return", "store", "order", "changes", "live", "candidate", "why live", "why candidate")


@dataclass
class ShadowTally:
    """The differences of one run, counted by what the candidate would change, with the money per currency.

    A return may be counted under several changes. `compared` are the returns about which both were asked.
    """

    name: str
    digest: str
    problem: str = ""
    compared: int = 0
    differing: list[Differs] = field(default_factory=list)
    returns: Counter[str] = field(default_factory=Counter)
    money: dict[str, dict[Purse, Decimal]] = field(default_factory=dict)

    @classmethod
    def of(cls, candidate: Candidate) -> "ShadowTally":
        """An empty one."""
        return cls(candidate.name, candidate.digest, candidate.problem)

    def count(self, many: int, differing: Iterable[Differs]) -> None:
        """Enter so many compared returns, and how those differ that do."""
        self.compared += many
        for differs in differing:
            self.differing.append(differs)
            self.returns.update([kind.value for kind in differs.kinds] or [NO_MONEY])
            for purse, changes in differs.changes.items():
                for kind, amount in changes.items():
                    sums = self.money.setdefault(kind.value, {})
                    sums[purse] = sums.get(purse, ZERO) + amount

    @property
    def words(self) -> str:
        """The differences in one line."""
        if self.problem:
            return f"{self.name} decides nothing: see the notes"
        if not self.differing:
            return f"{self.name} decides {counted(self.compared, 'return')} as the live policy does"
        of = f"{len(self.differing)} of {counted(self.compared, 'return')}"
        return f"{self.name} decides {of} otherwise: {', '.join(self.changes())}"

    def changes(self) -> Iterable[str]:
        """What would be changed, each with its money and the number of returns."""
        for kind in (*Change, NO_MONEY):
            if many := self.returns[kind]:
                sums = (purse_words(purse, amount) for purse, amount in sorted(self.money.get(kind, {}).items()))
                yield " ".join(filter(None, [kind, " and ".join(filter(None, sums)), f"({counted(many, 'return')})"]))

    def as_json(self) -> dict[str, Any]:
        """The object `shadow` of `--json`. Amounts are decimal strings, by currency; `EUR goods` are goods worth it."""
        return {
            "file": self.name,
            "candidate": self.digest,
            "problem": self.problem or None,
            "compared": self.compared,
            "differing": len(self.differing),
            "changes": {
                kind: {
                    "returns": many,
                    "amounts": {
                        purse.name: format(amount, "f")
                        for purse, amount in sorted(self.money.get(kind, {}).items())
                        if purse.currency
                    },
                }
                for kind, many in sorted(self.returns.items())
            },
        }

    def table(self) -> list[dict[str, str]]:
        """A row for each return that differs."""
        return [dict(zip(COLUMNS, cells(differs), strict=True)) for differs in self.differing]


def cells(differs: Differs) -> tuple[str, ...]:
    """A difference as the cells of `COLUMNS`."""
    live, other = differs.live, differs.candidate
    named = (differs.process_id, differs.store, differs.order)
    return (*named, changes_words(differs), live.words, other.words, live.why, other.why)


def changes_words(differs: Differs) -> str:
    """What the candidate would change about a return, with the money."""
    told = (
        f"{kind} {purse_words(purse, amount)}".strip()
        for purse, changes in sorted(differs.changes.items())
        for kind, amount in changes.items()
    )
    return ", ".join(told) or NO_MONEY


def purse_words(purse: Purse, amount: Decimal) -> str:
    """An amount in words; empty where no currency is known."""
    return purse.shown(amount) if purse.currency else ""
