"""A method for each operation of REVER's API, and how its calls are made, asynchronous.

Within the limits of the key, an effect is sent once, and a read is tried again (`rever_api.limits`).
The synchronous twin is generated: `make sync-client`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import httpx
from tenacity import AsyncRetrying

from rever_api import operations
from rever_api.config import ClientConfig
from rever_api.errors import EmptyAnswer, RefusedForNow, ReverError
from rever_api.http import AsyncSender, closed
from rever_api.limits import AsyncSlot, Limits, shared_limits, strategy
from rever_api.messages import Answer
from rever_api.models import (
    Ecommerce,
    EcommerceSettings,
    ExchangeItem,
    ExchangeOrder,
    ImportResult,
    LogisticOrder,
    LogisticOrderRequest,
    Refund,
    RefundInput,
    ReturnInput,
    ReturnProcess,
    ReviewInput,
    SearchPage,
    SearchQuery,
    Shipping,
    UnreadableProcess,
    Warehouse,
)
from rever_api.operations import Call, Result, Routes
from rever_api.paging import Walk


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

    def slot(self, calls: int = 1, *, urgent: bool = False) -> AbstractAsyncContextManager[AsyncSlot]:
        """Take one in-flight place and `calls` rate tokens up front; calls made with `slot=` then wait for neither.

        A read that is tried again takes further tokens, never those of the calls that follow it. Stores that wait share
        the rate equally (`rever_api.share_of`); an `urgent` slot goes before the other calls of its store.
        """
        return self._limits.aslot(calls, self._sleep, urgent=urgent)

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


class AsyncBaseClient(AsyncCaller):
    """Every operation of the contract, one method each; raises `rever_api.errors`. `AsyncReverClient` builds on it.

    Every method takes `slot`: a place and tokens taken before with `client.slot(calls=n)`, so that the call itself
    waits for nothing. Without one a call takes a place and a token of its own.
    """

    @property
    def _routes(self) -> Routes:
        return Routes(self.config.base_url, self.config.endpoints)

    async def search_return_processes(self, query: SearchQuery, *, slot: AsyncSlot | None = None) -> SearchPage:
        """One page. An entry that cannot be read is an `UnreadableProcess` and hides no other."""
        return await self._call(operations.search_return_processes(self._routes, query), slot)

    async def walk_return_processes(
        self, query: SearchQuery, counted: Callable[[int | None], None] | None = None
    ) -> AsyncIterator[ReturnProcess | UnreadableProcess]:
        """All pages from the query's offset on, entry by entry, each process once, also while the list moves.

        The rule, and what it is worth: `rever_api.paging`. `counted` is called with REVER's number of matches as each
        page has it.
        """
        walk = Walk(query)
        while (step := walk.query) is not None:
            page = await self.search_return_processes(step)
            if counted is not None:
                counted(page.rowcount)
            for entry in walk.take(page):
                yield entry

    async def get_return_process(self, process_id: str, *, slot: AsyncSlot | None = None) -> ReturnProcess:
        """One return process; `NotFound` where REVER has none of that id."""
        return await self._call(operations.get_return_process(self._routes, process_id), slot)

    async def get_shipping_status(self, process_id: str, *, slot: AsyncSlot | None = None) -> Shipping:
        """Where the parcel of a return is."""
        return await self._call(operations.get_shipping_status(self._routes, process_id), slot)

    async def get_presigned_label_url(self, process_id: str, *, slot: AsyncSlot | None = None) -> str:
        """A short-lived URL of the label file, itself a secret; `NotFound` while there is no label."""
        return await self._call(operations.get_presigned_label_url(self._routes, process_id), slot)

    async def fetch_label(self, url: str) -> bytes:
        """The label file, fetched without the API key; `NotFound` or `Refused` when the URL has run out."""
        return await self._call(operations.fetch_label(url), None)

    async def list_logistic_orders(
        self, process_id: str, *, slot: AsyncSlot | None = None
    ) -> tuple[LogisticOrder, ...]:
        """The logistic orders of a return."""
        return await self._call(operations.list_logistic_orders(self._routes, process_id), slot)

    async def get_ecommerce_settings(self, ecommerce_id: str, *, slot: AsyncSlot | None = None) -> EcommerceSettings:
        """A store's return rules."""
        return await self._call(operations.get_ecommerce_settings(self._routes, ecommerce_id), slot)

    async def list_ecommerces(self, ecommerce_group: str, *, slot: AsyncSlot | None = None) -> tuple[Ecommerce, ...]:
        """The stores of a group."""
        return await self._call(operations.list_ecommerces(self._routes, ecommerce_group), slot)

    async def list_warehouses(self, ecommerce_id: str, *, slot: AsyncSlot | None = None) -> tuple[Warehouse, ...]:
        """A store's warehouses."""
        return await self._call(operations.list_warehouses(self._routes, ecommerce_id), slot)

    async def add_review(
        self,
        process_id: str,
        reviews: Sequence[ReviewInput],
        *,
        before: ReturnProcess | None = None,
        slot: AsyncSlot | None = None,
    ) -> ReturnProcess:
        """Record the inspection of units, one entry each; returns the process, which must show them. An effect.

        An answer without a body leads to one read of the process at once, as evidence: where it shows the reviews they
        were recorded, else their outcome is unknown. `before` is the process as it was read just before, if it was.
        """
        try:
            return await self._call(operations.add_review(self._routes, process_id, reviews), slot)
        except EmptyAnswer as nothing:
            empty = nothing
        try:
            read = await self._attempt(operations.get_return_process(self._routes, process_id), slot, first=False)
        except ReverError:
            raise empty from None
        if operations.seen_reviews(read, reviews, before):
            return read
        raise empty

    async def issue_refund(self, process_id: str, refund: RefundInput, *, slot: AsyncSlot | None = None) -> Refund:
        """Pay. Two identical calls are two refunds. An effect."""
        return await self._call(operations.issue_refund(self._routes, process_id, refund), slot)

    async def issue_exchange(
        self, process_id: str, items: Sequence[ExchangeItem], *, slot: AsyncSlot | None = None
    ) -> ExchangeOrder:
        """Order replacement goods. Two identical calls are two orders. An effect."""
        return await self._call(operations.issue_exchange(self._routes, process_id, items), slot)

    async def cancel_return_process(
        self, process_id: str, reason: str = "", *, slot: AsyncSlot | None = None
    ) -> ReturnProcess:
        """Cancel a return; `reason` is shown at REVER. An effect."""
        return await self._call(operations.cancel_return_process(self._routes, process_id, reason), slot)

    async def create_reverse_delivery(
        self,
        process_id: str,
        order: LogisticOrder,
        label: bytes = b"",
        label_extension: str = "",
        *,
        slot: AsyncSlot | None = None,
    ) -> LogisticOrder:
        """Register a logistic order made by hand, and its label file (`pdf`, `png` or `jpg`). An effect."""
        return await self._call(
            operations.create_reverse_delivery(self._routes, process_id, order, label, label_extension), slot
        )

    async def create_order_v2(self, order: LogisticOrderRequest, *, slot: AsyncSlot | None = None) -> LogisticOrder:
        """Have REVER order a pickup or drop-off, which makes the label. Each call may order another. An effect."""
        return await self._call(operations.create_order_v2(self._routes, order), slot)

    async def create_return(self, new: ReturnInput, *, slot: AsyncSlot | None = None) -> ReturnProcess:
        """Create a return. An effect."""
        return await self._call(operations.create_return(self._routes, new), slot)

    async def import_returns(
        self, returns: Sequence[ReturnInput], *, slot: AsyncSlot | None = None
    ) -> tuple[ImportResult, ...]:
        """Create up to 100 returns; one result each, in order. An effect."""
        return await self._call(operations.import_returns(self._routes, returns), slot)
