"""What makes the calls of a client, asynchronous. Its synchronous twin is generated: `make sync-client`.

Within the limits of the key, an effect is sent once, and a read is tried again (`rever_api.retries`).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import httpx
from tenacity import AsyncRetrying

from rever_api.config import ClientConfig
from rever_api.errors import RefusedForNow, ReverError
from rever_api.http import AsyncSender, closed
from rever_api.limits import AsyncSlot, Limits, shared_limits
from rever_api.messages import Answer
from rever_api.operations import Call, Result
from rever_api.retries import strategy


def utc_now() -> datetime:
    """The wall clock, aware, UTC."""
    return datetime.now(UTC)


class AsyncCaller:
    """Connections and limits of a client, and how each of its calls is made.

    Args:
        config: where REVER is, the key, and how long, how fast and how often to call.
        limits: rate and calls in flight; default: those that all clients of the key in this process share.
        clock: the time, aware; `Retry-After` dates are measured from it.
        monotonic: seconds; a read's patience is measured by it.
        sleep: waits for the limits and for a read's next attempt.
        watch: is called with every answer as it came, also those that end as an error. No event hook of httpx's can
            do this: it runs before the body is there, belongs to whoever owns the client that was handed in, and gets
            the request too, with the key and the shopper's data in it.
        http_client: see `AsyncReverClient`.
    """

    def __init__(
        self,
        config: ClientConfig,
        *,
        limits: Limits | None = None,
        clock: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        watch: Callable[[Answer], None] | None = None,
        http_client: httpx.AsyncClient | None = None,
    ) -> None:
        self.config = config
        self._limits = limits or shared_limits(config)
        self._monotonic = monotonic
        self._sleep = sleep
        self._watch = watch
        self._sender = AsyncSender(config, clock, http_client)

    def __repr__(self) -> str:
        """Where it goes, never the key."""
        return f"{type(self).__name__}({self.config.base_url!r})"

    async def __aenter__(self) -> Self:
        if self._sender.closed:
            raise closed()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections. A call made afterwards raises `ClientClosed`."""
        await self._sender.aclose()

    @property
    def rate_waits(self) -> int:
        """How many calls of asynchronous clients of the key wait for the rate, in this process and at this moment."""
        return self._limits.tokens.waiting

    def slot(self, calls: int = 1) -> AbstractAsyncContextManager[AsyncSlot]:
        """Take one in-flight place and `calls` rate tokens up front; calls made with `slot=` then wait for neither.

        A read that is tried again takes further tokens, never those of the calls that follow it.
        """
        return self._limits.aslot(calls, self._sleep)

    async def _call(self, call: Call[Result], slot: AsyncSlot | None = None) -> Result:
        """Make an effect once, and a read until it brings something or its patience ends."""
        if call.request.effect:
            return await self._attempt(call, slot, first=True)
        async for attempt in AsyncRetrying(sleep=self._sleep, **strategy(self.config, self._monotonic)):
            with attempt:
                return await self._attempt(call, slot, first=attempt.retry_state.attempt_number == 1)
        raise AssertionError("tenacity ends with a result or an error")

    async def _attempt(self, call: Call[Result], slot: AsyncSlot | None, *, first: bool) -> Result:
        """Make one attempt, in the slot given or in one of its own."""
        calls = 1 if call.request.with_key else 0
        async with self.slot(calls) if slot is None else nullcontext(slot) as held:
            if calls:
                await held.pay(first=first or slot is None)
            answer = await self._sender.send(call.request)
        return self._read(call, answer)

    def _read(self, call: Call[Result], answer: Answer) -> Result:
        """Read an answer. An error leaves behind the frames and the causes that hold parts of the body.

        A 429 that says how long to wait makes everybody of the key wait.
        """
        if self._watch is not None:
            self._watch(answer)
        try:
            return call.read(answer)
        except ReverError as error:
            bare = error.with_traceback(None)
            bare.__context__ = None
        if isinstance(bare, RefusedForNow) and bare.retry_after:
            self._limits.pause(min(bare.retry_after, self.config.retry_after_cap))
        raise bare
