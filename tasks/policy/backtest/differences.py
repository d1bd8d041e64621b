"""Two replays of a return side by side: what the candidate pays earlier, later, more, less, another way, or holds."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from tasks.policy.backtest.outcome import Payment, Replayed
from tasks.policy.money import ZERO, shown


class Change(StrEnum):
    """In which way the candidate differs. An amount is counted once, but for another way, which may stand beside."""

    EARLIER = "earlier"
    LATER = "later"
    MORE = "more"
    LESS = "less"
    HELD = "held"
    OTHER_WAY = "another way"

    @property
    def column(self) -> str:
        """Its name as a column of a table, and as a field in JSON."""
        return self.replace(" ", "_")


class Purse(NamedTuple):
    """What amounts are added up in: a currency, and apart from money the goods that are worth it."""

    currency: str
    goods: bool = False

    @property
    def name(self) -> str:
        """`EUR`, or `EUR goods`, in ledgers and in JSON."""
        return f"{self.currency} goods" if self.goods else self.currency

    @classmethod
    def named(cls, name: str) -> "Purse":
        """The one of this name."""
        currency, _, goods = name.partition(" ")
        return cls(currency, goods == "goods")

    def shown(self, amount: Decimal) -> str:
        """An amount in words; of goods it says so."""
        return f"{shown(amount, self.currency)}{' in goods' if self.goods else ''}"


@dataclass(frozen=True, slots=True)
class Difference:
    """One return in one currency that the candidate would have treated otherwise.

    `changes` has the amount of each change. `days` is by how many days of the store the payment moves at most, negative
    for earlier; None where nobody can say, or nothing moves. `current_at` and `candidate_at` are the last payments.
    `rules` are those that make the difference. `really` is what was really paid by the ledger, `really_at` when last.
    """

    process_id: str
    order: str
    store: str
    purse: Purse
    current: Decimal
    candidate: Decimal
    changes: Mapping[Change, Decimal]
    rules: tuple[str, ...]
    why: str = ""
    days: int | None = None
    current_at: datetime | None = None
    candidate_at: datetime | None = None
    really: Decimal = ZERO
    really_at: datetime | None = None

    @property
    def amount(self) -> Decimal:
        """The largest amount that any of its changes is about."""
        return max(self.changes.values(), default=ZERO)


@dataclass(slots=True)
class Compared:
    """What two replays pay in one purse, and how the second differs. `days` are those of each payment that moves."""

    purse: Purse
    current: Decimal
    candidate: Decimal
    changes: dict[Change, Decimal] = field(default_factory=dict)
    days: list[int | None] = field(default_factory=list)

    def change(self, kind: Change, amount: Decimal) -> None:
        """Count an amount of a change; of a hold also one of nothing."""
        if amount or kind is Change.HELD:
            self.changes[kind] = self.changes.get(kind, ZERO) + amount

    @property
    def most_days(self) -> int | None:
        """The days by which a payment moves at most; None where one is not known, or none moves."""
        known = [days for days in self.days if days is not None]
        return max(known, key=abs) if known and len(known) == len(self.days) else None


def compared(current: Replayed, candidate: Replayed, zone: tzinfo) -> Iterator[Compared]:
    """Each purse in which the candidate differs.

    What one side has not paid by the end of the replay, and still waits for, it pays later; on which day is not known.
    """
    ours, theirs = _purses(current.payments), _purses(candidate.payments)
    held = candidate.held if current.held is None else None
    at_stake = {Purse(held.currency)} if held and (held.amount or not ours) else set()
    for purse in sorted({*ours, *theirs, *at_stake}):
        one, other = ours.get(purse, []), theirs.get(purse, [])
        found = Compared(purse, _total(one), _total(other))
        _move(found, one, other, zone)
        found.change(Change.OTHER_WAY, _other_way(one, other))
        short = found.current - found.candidate
        if short > 0:
            kind = Change.HELD if candidate.held else Change.LATER if candidate.waits else Change.LESS
            found.change(kind, short)
            found.days += [None] if kind is Change.LATER else []
        elif purse in at_stake and held:
            found.change(Change.HELD, held.amount or ZERO)
        if short < 0:
            found.change(Change.EARLIER if current.waits else Change.MORE, -short)
            found.days += [None] if current.waits else []
        if found.changes:
            yield found


def rules_of(replayed: Replayed) -> tuple[str, ...]:
    """The rules that made a result: those of its payments, of its hold, and those that decided last."""
    held = replayed.held
    of_hold = (*held.rules, held.rule) if held else ()
    paid = (rule for payment in replayed.payments for rule in payment.rules)
    return tuple(dict.fromkeys((*paid, *of_hold, *replayed.heard.last)))


def rules_between(current: Replayed, candidate: Replayed) -> tuple[str, ...]:
    """The rules that make the difference: the candidate's own, else those of the current policy that it lacks."""
    had, has = rules_of(current), rules_of(candidate)
    return tuple(rule for rule in has if rule not in had) or tuple(rule for rule in had if rule not in has) or has


def _purses(payments: Iterable[Payment]) -> dict[Purse, list[Payment]]:
    found: dict[Purse, list[Payment]] = defaultdict(list)
    for payment in payments:
        if payment.amount:
            found[Purse(payment.currency, payment.goods)].append(payment)
    return found


def _total(payments: Iterable[Payment]) -> Decimal:
    return sum((payment.amount for payment in payments), ZERO)


def _move(found: Compared, one: Sequence[Payment], other: Sequence[Payment], zone: tzinfo) -> None:
    """Find what both pay, but on another day: the first money of one beside the first of the other, and so on."""
    i = j = 0
    before, after = [it.amount for it in one], [it.amount for it in other]
    while i < len(one) and j < len(other):
        part, days = min(before[i], after[j]), _days(one[i], other[j], zone)
        if days != 0:
            found.change(Change.LATER if days is not None and days > 0 else Change.EARLIER, part)
            found.days.append(days)
        before[i] -= part
        after[j] -= part
        i, j = i + (not before[i]), j + (not after[j])


def _days(one: Payment, other: Payment, zone: tzinfo) -> int | None:
    """The days of the store from one payment to the other; None: the other is earlier, nobody knows by how much.

    A payment whose time is not exact was due at some time before. Where that may be on either side, it is no move.
    """
    days = (other.at.astimezone(zone).date() - one.at.astimezone(zone).date()).days
    if one.exact == other.exact:
        return days
    if not other.exact:
        return None if other.at <= one.at else 0
    return max(days, 0)


def _other_way(one: Sequence[Payment], other: Sequence[Payment]) -> Decimal:
    """How much of what both pay goes by another method."""
    methods: dict[str, Decimal] = defaultdict(Decimal)
    for sign, payments in ((-1, one), (1, other)):
        for payment in payments:
            methods[payment.method] += sign * payment.amount
    gained = sum((amount for amount in methods.values() if amount > 0), ZERO)
    lost = -sum((amount for amount in methods.values() if amount < 0), ZERO)
    return min(gained, lost)
