"""Parts of a run's report: the policy that decides in shadow, what was done at each store, and the files of labels."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tasks.policy.backtest.differences import Change, Purse
from tasks.policy.facts import counted
from tasks.policy.money import ZERO
from tasks.policy.shadow import Candidate, Differs

# The policy in shadow: how many returns it decides otherwise, with the money.

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


# What a run did at each of its stores: the counts that go into one row a store.

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


# What a run says of the files of labels: how many are kept now, which did not come and why, and where they are.

MOST_NAMED = 20
"""Files that did not come which are named in a report; the ledger has all (`rever-returns labels show`)."""


@dataclass(frozen=True, slots=True)
class MissingFile:
    """A label's file that did not come, and why, in a sentence."""

    process_id: str
    order: str
    parcel: int
    why: str

    @property
    def words(self) -> str:
        """Which it is, and why it is missing."""
        order = f" (order {self.order})" if self.order else ""
        return f"{self.process_id}{order}, parcel {self.parcel}: {self.why}"


@dataclass(slots=True)
class LabelFilesTally:
    """What became of the files of labels in a run. `missing` did not come, and are asked for again. `left` is how many
    this run has not asked for, or of a plan how many it would ask for; `why_left` says why. `deleted` were old.
    """

    kept: int = 0
    missing: list[MissingFile] = field(default_factory=list)
    left: int = 0
    why_left: str = ""
    deleted: int = 0
    acts: bool = True

    @property
    def words(self) -> str:
        """The counts, and how a person gets at a file."""
        if not self.acts:
            return f"{counted(self.left, 'file')} would be fetched" if self.left else "none to be fetched"
        said = [f"{self.kept} fetched"] if self.kept else []
        missing = f"{len(self.missing)} did not come (rever-returns labels show ORDER says when it is asked for again)"
        said += [missing] if self.missing else []
        said += [f"{self.left} left to another run"] if self.left else []
        said += [f"{self.deleted} deleted for their age (REVER_LABELS_KEPT)"] if self.deleted else []
        if self.kept:
            said.append("get one: rever-returns labels get ORDER --out FILE")
        return "; ".join(said) or "none to be fetched"

    def details(self) -> Iterator[str]:
        """Why files are missing, those named first that came first."""
        if self.why_left:
            yield self.why_left
        yield from (it.words for it in self.missing[:MOST_NAMED])
        if len(self.missing) > MOST_NAMED:
            yield f"and {len(self.missing) - MOST_NAMED} more"

    def as_json(self) -> dict[str, Any]:
        """The object under `label_files` in `--json`."""
        return {
            "kept": self.kept,
            "missing": [
                {"process_id": it.process_id, "order": it.order, "parcel": it.parcel, "why": it.why}
                for it in self.missing
            ],
            "left": self.left,
            "why_left": self.why_left,
            "deleted": self.deleted,
        }
