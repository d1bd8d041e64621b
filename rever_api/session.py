"""How a call is made: its slot, its attempts, its one place where a 429 makes everybody wait. Sync and async."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import httpx
from tenacity import AsyncRetrying, Retrying

from rever_api.answers import Answer
from rever_api.calls import Call, Result
from rever_api.config import ClientConfig
from rever_api.errors import RefusedForNow, ReverError
from rever_api.http import AsyncSender, Sender
from rever_api.limits import AsyncSlot, Limits, Slot, shared_limits
from rever_api.requests import Routes
from rever_api.retries import strategy

Watch = Callable[[Answer], None]


def utc_now() -> datetime:
    """The wall clock, aware, UTC."""
    return datetime.now(UTC)


class _Session:
    """What both sessions share. Its repr shows where it goes, never the key."""

    def __init__(
        self, config: ClientConfig, limits: Limits | None, monotonic: Callable[[], float], watch: Watch | None
    ) -> None:
        self.config = config
        self._limits = limits or shared_limits(config)
        self._monotonic = monotonic
        self._watch = watch
        self._routes = Routes(config.base_url, config.endpoints)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.config.base_url!r})"

    def _parsed(self, call: Call[Result], answer: Answer) -> Result:
        """Read an answer. An error leaves behind the frames and the causes that hold parts of the body."""
        if self._watch is not None:
            self._watch(answer)
        try:
            return call.parse(answer)
        except ReverError as error:
            bare = error.with_traceback(None)
            bare.__context__ = None
        if isinstance(bare, RefusedForNow) and bare.retry_after:
            self._limits.pause(min(bare.retry_after, self.config.retry_after_cap))
        raise bare


class AsyncSession(_Session):
    """Makes calls with `await`. Belongs to one event loop; its limits are shared with every other session of the key.

    `clock` is what `Retry-After` dates are measured from, `monotonic` what a read's patience is; `sleep` waits for both
    the limits and the next attempt. `watch` is shown every answer as it came, also those that end as an error.

    `http_client` is an httpx client to send with, for proxies, certificates, event hooks or a mock transport of one's
    own; its owner closes it. Its headers go to REVER with the key. Its redirects, authentication, cookies and timeouts
    are not used: an effect is sent once, within the deadline of `config`. Where its transport does not report to the
    trace extension of httpcore, a request without an answer counts as sent, and so an effect as `OutcomeUnknown`.
    """

    def __init__(
        self,
        config: ClientConfig,
        *,
        limits: Limits | None = None,
        clock: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        watch: Watch | None = None,
        http_client: httpx.AsyncClient | None = None,
    ) -> None:
        super().__init__(config, limits, monotonic, watch)
        self._sleep = sleep
        self._sender = AsyncSender(config, clock, http_client)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._sender.aclose()

    def slot(self, calls: int = 1) -> AbstractAsyncContextManager[AsyncSlot]:
        """Take one in-flight place and `calls` rate tokens up front; calls made with `slot=` then wait for neither.

        A read that is tried again takes further tokens, never those of the calls that follow it.
        """
        return self._limits.aslot(calls, self._sleep)

    async def _call(self, call: Call[Result], slot: AsyncSlot | None) -> Result:
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
        return self._parsed(call, answer)


class Session(_Session):
    """Makes calls and waits for them, from any number of threads. The arguments are those of `AsyncSession`."""

    def __init__(
        self,
        config: ClientConfig,
        *,
        limits: Limits | None = None,
        clock: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        watch: Watch | None = None,
        http_client: httpx.Client | None = None,
    ) -> None:
        super().__init__(config, limits, monotonic, watch)
        self._sleep = sleep
        self._sender = Sender(config, clock, http_client)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._sender.close()

    def slot(self, calls: int = 1) -> AbstractContextManager[Slot]:
        """Take one in-flight place and `calls` rate tokens up front; calls made with `slot=` then wait for neither.

        A read that is tried again takes further tokens, never those of the calls that follow it.
        """
        return self._limits.slot(calls, self._sleep)

    def _call(self, call: Call[Result], slot: Slot | None) -> Result:
        """Make an effect once, and a read until it brings something or its patience ends."""
        if call.request.effect:
            return self._attempt(call, slot, first=True)
        for attempt in Retrying(sleep=self._sleep, **strategy(self.config, self._monotonic)):
            with attempt:
                return self._attempt(call, slot, first=attempt.retry_state.attempt_number == 1)
        raise AssertionError("tenacity ends with a result or an error")

    def _attempt(self, call: Call[Result], slot: Slot | None, *, first: bool) -> Result:
        """Make one attempt, in the slot given or in one of its own."""
        calls = 1 if call.request.with_key else 0
        with self.slot(calls) if slot is None else nullcontext(slot) as held:
            if calls:
                held.pay(first=first or slot is None)
            answer = self._sender.send(call.request)
        return self._parsed(call, answer)
