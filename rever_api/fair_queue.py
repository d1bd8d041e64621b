"""Who is next among calls that wait: each store has its turn, however many calls of it wait.

Start-time fair queueing, with a store's next turn in place of a tag for each call: the store that has been given least
since it began to wait is next, and of its calls the urgent ones, then the oldest. A store that comes back after it had
nothing to wait for begins where the others are: it has saved up nothing and owes nothing.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Share(NamedTuple):
    """Whose share a call is taken from. `urgent` ones go before the other calls of the same store."""

    store: str = ""
    urgent: bool = False


NOBODYS = Share()
_share: ContextVar[Share] = ContextVar("share", default=NOBODYS)


def current_share() -> Share:
    """The share from which the calls of this thread or task are taken now."""
    return _share.get()


@contextmanager
def share_of(store: str, *, urgent: bool = False) -> Iterator[None]:
    """Take the calls that are made in this block from the share of a store. What is urgent outside is urgent inside."""
    token = _share.set(Share(store, urgent=urgent or _share.get().urgent))
    try:
        yield
    finally:
        _share.reset(token)


@dataclass(slots=True)
class _Waiting(Generic[T]):
    """What waits of one store, each with its cost."""

    urgent: deque[tuple[T, int]] = field(default_factory=deque)
    others: deque[tuple[T, int]] = field(default_factory=deque)

    def next(self, wants: Callable[[T], bool]) -> tuple[T, int] | None:
        """Take out the next one that still wants its turn."""
        for queue in (self.urgent, self.others):
            while queue:
                found = queue.popleft()
                if wants(found[0]):
                    return found
        return None

    def __bool__(self) -> bool:
        return bool(self.urgent or self.others)


class FairQueue(Generic[T]):
    """Items that wait, handed out store by store. Not thread-safe; a step costs the logarithm of the stores that wait.

    Of two stores that both wait all the time, neither is given more than the other by over the greatest cost of an item
    of each.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, _Waiting[T]] = {}
        self._turns: list[tuple[int, int, str]] = []
        self._given: dict[str, int] = {}
        self._now = self._order = 0

    def __bool__(self) -> bool:
        return bool(self._turns)

    def add(self, item: T, share: Share = NOBODYS, cost: int = 1) -> None:
        """Let an item wait for its turn."""
        mine = self._waiting.get(share.store)
        if mine is None:
            mine = self._waiting[share.store] = _Waiting()
            self._line_up(share.store, max(self._now, self._given.get(share.store, 0)))
        (mine.urgent if share.urgent else mine.others).append((item, cost))

    def next(self, wants: Callable[[T], bool] = lambda _: True) -> T | None:
        """Take out the item whose turn it is; None where none waits. One that no longer `wants` it costs nothing."""
        while self._turns:
            turn, _, store = heappop(self._turns)
            mine = self._waiting[store]
            found = mine.next(wants)
            if found is not None:
                item, cost = found
                self._now, self._given[store] = turn, turn + cost
            if mine:
                self._line_up(store, self._given[store])
            else:
                del self._waiting[store]
            if not self._turns:
                self._now = 0
                self._given.clear()
            if found is not None:
                return item
        return None

    def _line_up(self, store: str, turn: int) -> None:
        self._order += 1
        heappush(self._turns, (turn, self._order, store))
