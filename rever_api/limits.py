"""Rate and in-flight limits per API key, shared by all calls of a process, from any thread or event loop.

A slot is taken before the ledger writes that an effect is being sent, so that nothing waits between that and the
request: it holds one place in flight and the tokens of the calls that will be made in it. Nobody who holds a slot may
call without `slot=`: the second place it would wait for may be one that waits for it.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from threading import Lock


class Tokens:
    """One request every `1 / rate` seconds, evenly and without bursts; `rate` None means no limit but a pause.

    Thread-safe. It never sleeps: it says how long its caller has to.
    """

    def __init__(self, rate: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = 1 / rate if rate else 0.0
        self._clock = clock
        self._lock = Lock()
        self._next = self._resume = clock()

    def reserve(self, calls: int) -> float:
        """Take `calls` tokens and say in how many seconds they may be used, all at once."""
        with self._lock:
            now = self._clock()
            start = max(now, self._next, self._resume)
            self._next = start + calls * self._interval
            return start - now

    def paused(self) -> bool:
        """Whether REVER asked everybody to wait."""
        return self._clock() < self._resume

    def pause(self, seconds: float) -> None:
        """Let nobody start for so long: REVER asked one of us to wait, and it is one limit for all."""
        with self._lock:
            self._resume = max(self._resume, self._clock() + seconds)


class Places:
    """So many requests in flight, first come first served. Thread-safe."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._lock = Lock()
        self._waiting: deque[Future[None]] = deque()

    def take(self) -> "Future[None]":
        """Ask for a place; the future is done when it is there."""
        place: Future[None] = Future()
        with self._lock:
            if self._free:
                self._free -= 1
                place.set_result(None)
            else:
                self._waiting.append(place)
        return place

    def give_up(self, place: "Future[None]") -> None:
        """Stop waiting for a place, or give it back when it came meanwhile."""
        if not place.cancel():
            self.give_back()

    def give_back(self) -> None:
        """Free a place for whoever has waited longest."""
        with self._lock:
            while self._waiting:
                place = self._waiting.popleft()
                if place.set_running_or_notify_cancel():
                    place.set_result(None)
                    return
            self._free += 1


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
        self, calls: int, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> "AsyncIterator[AsyncSlot]":
        """Take a place and `calls` tokens, waiting for both."""
        place = self.places.take()
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
    def slot(self, calls: int, sleep: Callable[[float], None] = time.sleep) -> "Iterator[Slot]":
        """Take a place and `calls` tokens, waiting for both."""
        place = self.places.take()
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


class AsyncSlot:
    """A place in flight, and the tokens paid for. Not for two calls at the same time."""

    def __init__(self, tokens: Tokens, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._tokens = tokens
        self._sleep = sleep
        self._prepaid = 0

    async def prepay(self, calls: int) -> None:
        """Wait for the tokens of so many calls."""
        wait = self._tokens.reserve(calls) if calls else 0.0
        while wait > 0:
            await self._sleep(wait)
            wait = self._tokens.reserve(calls) if self._tokens.paused() else 0.0
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
        wait = self._tokens.reserve(calls) if calls else 0.0
        while wait > 0:
            self._sleep(wait)
            wait = self._tokens.reserve(calls) if self._tokens.paused() else 0.0
        self._prepaid += calls

    def pay(self, *, first: bool) -> None:
        """Pay for an attempt: the first one of a call from what was prepaid, any further one with a new token."""
        if not (first and self._prepaid):
            self.prepay(1)
        self._prepaid -= 1
