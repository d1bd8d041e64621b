"""A run's cap on money: its parts for the stores, and what becomes of a part that a store does not need."""

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from heapq import heapify, heappop, heapreplace
from threading import Lock

from tasks.policy.decision import Decision, Wait, refunds_of
from tasks.policy.money import ZERO


@dataclass(slots=True)
class _Purse:
    """One store's refunds in one currency: what was let pass and its `total`, and what waits, each by return. Of so
    many something was `claimed`, when that was last looked at.
    """

    passed: dict[str, Decimal] = field(default_factory=dict)
    waiting: dict[str, Decimal] = field(default_factory=dict)
    total: Decimal = ZERO
    claimed: int = 0

    def let_pass(self, process_id: str, amount: Decimal) -> None:
        self.total += amount - self.passed.get(process_id, ZERO)
        self.passed[process_id] = amount
        self.waiting.pop(process_id, None)

    def take_back(self, claimed: Set[str]) -> bool:
        """Count no more what came to nothing; whether all that was let pass since the last time did."""
        nothing = self.passed.keys() - claimed
        self.total -= sum((self.passed.pop(each) for each in nothing), ZERO)
        before, self.claimed = self.claimed, len(self.passed)
        return bool(nothing) and self.claimed == before


@dataclass(slots=True)
class Budget:
    """A cap on a run's refunds, the same number in each currency. Thread-safe: all stores share it.

    Each of `stores` has an equal part of it, and what one does not need goes to the others (`hand_on`). It remembers
    the amount by return, so that deciding about the same return again does not count it twice.
    """

    most: Decimal
    stores: int = 1
    _purses: dict[tuple[str, str], _Purse] = field(default_factory=dict)
    _claimed: set[str] = field(default_factory=set)
    _handed_on: set[str] = field(default_factory=set)
    _idle: set[str] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)

    def within(self, store: str, process_id: str, decision: Decision, until: datetime) -> Decision:
        """The decision itself where its refunds fit into what is left for the store, else a wait until the next run."""
        refunds = refunds_of(decision)
        if not refunds:
            return decision
        currency = refunds[0].currency
        amount = sum((refund.amount for refund in refunds), ZERO)
        with self._lock:
            purse = self._purses.setdefault((store, currency), _Purse())
            before = purse.passed.get(process_id, ZERO)
            most, left = max(amount, before), self._left(currency) + before
            in_part = purse.total - before + most <= self.most / self.stores or process_id in self._handed_on
            if in_part and most <= left:
                purse.let_pass(process_id, most)
                return decision
            if not before and process_id not in self._handed_on:
                purse.waiting[process_id] = amount
        limit = f"only {left:,} {currency} more"
        if self.stores > 1:
            limit = f"{self.most:,} {currency} in all, and too little of that is left for it"
        why = f"{amount:,} {currency} is due, but this run may pay {limit} (max_amount)"
        return Wait("run_limit", why, until, for_another_run=True)

    def claim(self, process_ids: Iterable[str]) -> None:
        """Note of which returns something was claimed, or would be: what was let pass for the others is not paid."""
        with self._lock:
            self._claimed.update(process_ids)

    def hand_on(self, stores: Sequence[str]) -> dict[str, list[str]]:
        """The returns to be decided about again, by store: each found no room, and finds it in what is left by now.

        The store for which the least is paid is next, each time with its first return that fits; of stores that are
        alike, the first of these. A store has nothing of it once all that was let pass for it came to nothing: it is
        paused, or each refund is held.
        """
        found: dict[str, list[str]] = {}
        with self._lock:
            self._idle |= {store for (store, _), purse in self._purses.items() if purse.take_back(self._claimed)}
            going = [store for store in stores if store not in self._idle]
            for currency in sorted({currency for _, currency in self._purses}):
                for store, process_id in self._next(currency, going):
                    found.setdefault(store, []).append(process_id)
            self._handed_on.update(*found.values())
        return found

    def _left(self, currency: str) -> Decimal:
        return self.most - sum((it.total for (_, of), it in self._purses.items() if of == currency), ZERO)

    def _next(self, currency: str, stores: Sequence[str]) -> Iterator[tuple[str, str]]:
        purses = [self._purses.get((store, currency), _Purse()) for store in stores]
        waiting = [iter([*purse.waiting.items()]) for purse in purses]
        turns = [(purse.total, place) for place, purse in enumerate(purses)]
        left = self._left(currency)
        heapify(turns)
        while turns:
            paid, place = turns[0]
            fits = next((it for it in waiting[place] if it[1] <= left), None)
            if fits is None:
                heappop(turns)
                continue
            process_id, amount = fits
            left -= amount
            heapreplace(turns, (paid + amount, place))
            del purses[place].waiting[process_id]
            yield stores[place], process_id
