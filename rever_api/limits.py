"""How fast, how many at once, and how often again: rate and in-flight limits per API key, and the retries of reads.

The limits are shared by all calls of a process, from any thread or event loop.

Where calls wait for each other, the stores have equal shares of the rate (`share_of`), and of a store's own calls the
urgent ones go first. Calls wait for a place, and who has one waits for its tokens at most as long as the other places
take: so what waits is handed out by places, and paid for in tokens.

A slot is taken before the ledger writes that an effect is being sent, so that nothing waits between that and the
request: it holds one place in flight and the tokens of the calls that will be made in it. Nobody who holds a slot may
call without `slot=`: the second place it would wait for may be one that waits for it.
"""

import asyncio
import math
import random
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from heapq import heappop, heappush
from threading import Lock
from typing import Generic, NamedTuple, TypedDict, TypeVar
from weakref import WeakValueDictionary

from tenacity import RetryCallState

from rever_api.config import ClientConfig
from rever_api.errors import ClientClosed, NotSent, OutcomeUnknown, RefusedForNow, ReverError, Unreadable

# Who is next among calls that wait: each store has its turn, however many calls of it wait.
#
# Start-time fair queueing, with a store's next turn in place of a tag for each call: the store that has been given
# least since it began to wait is next, and of its calls the urgent ones, then the oldest. A store that comes back
# after it had nothing to wait for begins where the others are: it has saved up nothing and owes nothing.

T = TypeVar("T")


class Share(NamedTuple):
    """Whose share a call is taken from. `urgent` ones go before the other calls of the same store."""

    store: str = ""
    urgent: bool = False


NOBODYS = Share()
_current_share: ContextVar[Share] = ContextVar("share", default=NOBODYS)


def current_share() -> Share:
    """The share from which the calls of this thread or task are taken now."""
    return _current_share.get()


@contextmanager
def share_of(store: str, *, urgent: bool = False) -> Iterator[None]:
    """Take the calls that are made in this block from the share of a store. What is urgent outside is urgent inside."""
    token = _current_share.set(Share(store, urgent=urgent or _current_share.get().urgent))
    try:
        yield
    finally:
        _current_share.reset(token)


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


LATE_S = 0.5
"""How far behind the even pace calls may be and still catch up. Half of what a limiter that counts by the second, as
the sandbox's does, has in hand for us after we stood still that long; the other half is for calls delayed on their way.
"""


class Turn(NamedTuple):
    """When so many calls may start: `at` on the clock, which is `wait` seconds from when it was asked for."""

    at: float
    wait: float


NOW = Turn(0.0, 0.0)
"""Nothing to wait for."""


class Tokens:
    """One request every `1 / rate` seconds; `rate` None means no limit but a pause. Thread-safe; it never sleeps.

    Every call has its turn in an even schedule. A schedule that nobody kept, because this process had no processor or
    was busy with its ledger, may be up to `LATE_S` old: those turns are taken at once. So in any `t` seconds turns for
    no more than `rate * (t + LATE_S)` calls are taken, and those of one reservation besides.
    """

    def __init__(self, rate: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = 1 / rate if rate else 0.0
        self._clock = clock
        self._lock = Lock()
        self._next = self._resume = clock()
        self.waiting = 0
        """Calls of asynchronous clients that wait for a token now."""

    def reserve(self, calls: int) -> Turn:
        """Take the next `calls` tokens: when they may be used, all at once."""
        with self._lock:
            now = self._clock()
            at = max(now - LATE_S, self._next, self._resume)
            self._next = at + calls * self._interval
            return Turn(at, max(0.0, at - now))

    def missed(self, turn: Turn) -> bool:
        """Whether a turn that was waited for is void: too long ago, or REVER has asked everybody to wait."""
        now = self._clock()
        return now < self._resume or now > turn.at + LATE_S

    def pause(self, seconds: float) -> None:
        """Let no call start for so long: REVER asked for it, and its limit is one for all calls of the key."""
        with self._lock:
            self._resume = max(self._resume, self._clock() + seconds)


class Places:
    """So many requests in flight; who waits is served in fair turns. Thread-safe."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._lock = Lock()
        self._waiting: FairQueue[Future[None]] = FairQueue()

    def take(self, share: Share | None = None, calls: int = 1) -> "Future[None]":
        """Ask for a place for so many calls; the future is done when it is there."""
        place: Future[None] = Future()
        with self._lock:
            if self._free:
                self._free -= 1
                place.set_result(None)
            else:
                self._waiting.add(place, share or current_share(), max(1, calls))
        return place

    def give_up(self, place: "Future[None]") -> None:
        """Stop waiting for a place, or give it back when it came meanwhile."""
        if not place.cancel():
            self.give_back()

    def give_back(self) -> None:
        """Free a place for whoever is next."""
        with self._lock:
            place = self._waiting.next(Future.set_running_or_notify_cancel)
            if place is None:
                self._free += 1
            else:
                place.set_result(None)


class Limits:
    """The limits of one API key. `clock` is a monotonic one, in seconds."""

    def __init__(
        self, rate: float | None = None, max_in_flight: int = 8, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.tokens = Tokens(rate, clock)
        self.places = Places(max_in_flight)

    def pause(self, seconds: float) -> None:
        """Let no call start for so long."""
        self.tokens.pause(seconds)

    @asynccontextmanager
    async def aslot(
        self, calls: int, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep, *, urgent: bool = False
    ) -> "AsyncIterator[AsyncSlot]":
        """Take a place and `calls` tokens, waiting for both. An `urgent` one goes before the store's other calls."""
        place = self.places.take(_share(urgent=urgent), calls)
        try:
            if not place.done():
                await asyncio.wrap_future(place)
        except BaseException:
            self.places.give_up(place)
            raise
        try:
            slot = AsyncSlot(self.tokens, sleep)
            await slot.prepay(calls)
            yield slot
        finally:
            self.places.give_back()

    @contextmanager
    def slot(
        self, calls: int, sleep: Callable[[float], None] = time.sleep, *, urgent: bool = False
    ) -> "Iterator[Slot]":
        """Take a place and `calls` tokens, waiting for both. An `urgent` one goes before the store's other calls."""
        place = self.places.take(_share(urgent=urgent), calls)
        try:
            place.result()
        except BaseException:
            self.places.give_up(place)
            raise
        try:
            slot = Slot(self.tokens, sleep)
            slot.prepay(calls)
            yield slot
        finally:
            self.places.give_back()


def _share(*, urgent: bool) -> Share | None:
    return current_share()._replace(urgent=True) if urgent else None


class AsyncSlot:
    """A place in flight, and the tokens paid for. Not for two calls at the same time."""

    def __init__(self, tokens: Tokens, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._tokens = tokens
        self._sleep = sleep
        self._prepaid = 0

    async def prepay(self, calls: int) -> None:
        """Wait for the tokens of so many calls."""
        turn = self._tokens.reserve(calls) if calls else NOW
        self._tokens.waiting += 1
        try:
            while turn.wait > 0:
                await self._sleep(turn.wait)
                turn = self._tokens.reserve(calls) if self._tokens.missed(turn) else NOW
        finally:
            self._tokens.waiting -= 1
        self._prepaid += calls

    async def pay(self, *, first: bool) -> None:
        """Pay for an attempt: the first one of a call from what was prepaid, any further one with a new token."""
        if not (first and self._prepaid):
            await self.prepay(1)
        self._prepaid -= 1


class Slot:
    """A place in flight, and the tokens paid for. Not for two calls at the same time."""

    def __init__(self, tokens: Tokens, sleep: Callable[[float], None]) -> None:
        self._tokens = tokens
        self._sleep = sleep
        self._prepaid = 0

    def prepay(self, calls: int) -> None:
        """Wait for the tokens of so many calls."""
        turn = self._tokens.reserve(calls) if calls else NOW
        while turn.wait > 0:
            self._sleep(turn.wait)
            turn = self._tokens.reserve(calls) if self._tokens.missed(turn) else NOW
        self._prepaid += calls

    def pay(self, *, first: bool) -> None:
        """Pay for an attempt: the first one of a call from what was prepaid, any further one with a new token."""
        if not (first and self._prepaid):
            self.prepay(1)
        self._prepaid -= 1


# One set of limits per API key and process: clients that state the same numbers for the same key share it.
_lock = Lock()
_shared: "WeakValueDictionary[tuple[str, bytes, float | None, int], Limits]" = WeakValueDictionary()


def shared_limits(config: ClientConfig) -> Limits:
    """The limits of this key, rate and number in flight; they live as long as a client that uses them."""
    digest = sha256(config.api_key.get_secret_value().encode()).digest()
    identity = (config.base_url.rstrip("/"), digest, config.rate, config.max_in_flight)
    with _lock:
        limits = _shared.get(identity)
        if limits is None:
            limits = _shared[identity] = Limits(config.rate, config.max_in_flight)
        return limits


# When a read is tried again, and how long it waits before that.
#
# Only reads: an effect's next attempt is for the one who records what was sent. A read is tried again when it was not
# sent (but not over a client that is closed), was refused for now, or brought no usable answer. It waits for what
# `Retry-After` asks, up to a cap; without it (or with 0) exponentially longer, with jitter. Attempts and total time
# are bounded.

_FIRST_WAIT = 0.25
_LONGEST_WAIT = 8.0


class Strategy(TypedDict):
    """The arguments of tenacity's `Retrying` and `AsyncRetrying`."""

    retry: Callable[[RetryCallState], bool]
    stop: Callable[[RetryCallState], bool]
    wait: Callable[[RetryCallState], float]
    reraise: bool


def strategy(config: ClientConfig, monotonic: Callable[[], float]) -> Strategy:
    """Say how one read is tried again; its total time counts from now."""
    since = monotonic()

    def retry(state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, Unreadable):  # a third look would find the same
            return state.attempt_number == 1
        return isinstance(error, NotSent | RefusedForNow | OutcomeUnknown) and not isinstance(error, ClientClosed)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, ReverError) and error.retry_after:
            return min(error.retry_after, config.retry_after_cap)
        seconds: float = min(_FIRST_WAIT * 2.0 ** (state.attempt_number - 1), _LONGEST_WAIT)
        return seconds * random.uniform(1.0, 1.5)  # noqa: S311 - jitter, not a secret

    def stop(state: RetryCallState) -> bool:
        late = monotonic() - since + state.upcoming_sleep > config.read_patience
        return late or state.attempt_number >= config.read_attempts

    return {"retry": retry, "stop": stop, "wait": wait, "reraise": True}


_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{0,9})?")
_ABSURD = 24 * 3600.0


def seconds_to_wait(header: str | None, now: datetime) -> float | None:
    """The seconds that the header asks for, from `now` on, a fraction rounded up (Shopify sends such).

    None where it is missing, unreadable, negative, a date in the past or beyond a day: such a value says nothing about
    a rate limit.
    """
    text = (header or "").strip()
    if _SECONDS.fullmatch(text):
        seconds = float(math.ceil(float(text)))
    else:
        try:
            when = parsedate_to_datetime(text)
            when = when.replace(tzinfo=UTC) if when.tzinfo is None else when
            seconds = (when - now).total_seconds()
        except (ValueError, OverflowError):
            return None
    return seconds if 0 <= seconds <= _ABSURD else None
