"""Rate and in-flight limits per API key, shared by all calls of a process, from any thread or event loop.

A slot is taken before the ledger writes that an effect is being sent, so that nothing waits between that and the
request: it holds one place in flight and the tokens of the calls that will be made in it. Nobody who holds a slot may
call without `slot=`: the second place it would wait for may be one that waits for it.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from rever_api.metering import NOW, Places, Tokens


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
        turn = self._tokens.reserve(calls) if calls else NOW
        while turn.wait > 0:
            await self._sleep(turn.wait)
            turn = self._tokens.reserve(calls) if self._tokens.missed(turn) else NOW
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
