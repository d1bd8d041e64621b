"""The asynchronous client of REVER's Admin API."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from types import TracebackType
from typing import Self

from rever_api.config import ClientConfig
from rever_api.limits import AsyncSlot, Limits
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


class AsyncReverClient:
    """Every operation of the contract, one method each; raises `rever_api.errors`.

    Reads are tried again by themselves (`NotSent`, `RefusedForNow`, `OutcomeUnknown`); effects are sent once, without a
    redirect, within a hard deadline. A cancelled effect may have been sent.

    Every method takes `slot`: a place and tokens taken before with `client.slot(calls=n)`, so that the call itself waits
    for nothing. Without one a call takes a place and a token by itself.
    """

    def __init__(
        self,
        config: ClientConfig,
        *,
        limits: Limits | None = None,
        clock: Callable[[], datetime] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None: ...

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    async def aclose(self) -> None:
        """Close the connections."""

    def slot(self, calls: int = 1) -> AbstractAsyncContextManager[AsyncSlot]:
        """Take one in-flight place and `calls` rate tokens up front; calls made with `slot=` then wait for neither.

        A read that is tried again takes further tokens, never those of the calls that follow it.
        """
        ...

    # Reads
    async def search_return_processes(self, query: SearchQuery, *, slot: AsyncSlot | None = None) -> SearchPage:
        """One page. An entry that cannot be read is an `UnreadableProcess` and hides no other."""
        ...

    def walk_return_processes(self, query: SearchQuery) -> AsyncIterator[ReturnProcess | UnreadableProcess]:
        """All pages, entry by entry, each process once, also while the list moves (`rever_api.paging`)."""
        ...

    async def get_return_process(self, process_id: str, *, slot: AsyncSlot | None = None) -> ReturnProcess: ...
    async def get_shipping_status(self, process_id: str, *, slot: AsyncSlot | None = None) -> Shipping: ...
    async def get_presigned_label_url(self, process_id: str, *, slot: AsyncSlot | None = None) -> str:
        """A short-lived URL of the label file, itself a secret; `NotFound` while there is no label."""
        ...

    async def fetch_label(self, url: str) -> bytes:
        """The label file, fetched without the API key."""
        ...

    async def list_logistic_orders(
        self, process_id: str, *, slot: AsyncSlot | None = None
    ) -> tuple[LogisticOrder, ...]: ...
    async def get_ecommerce_settings(
        self, ecommerce_id: str, *, slot: AsyncSlot | None = None
    ) -> EcommerceSettings: ...
    async def list_ecommerces(
        self, ecommerce_group: str, *, slot: AsyncSlot | None = None
    ) -> tuple[Ecommerce, ...]: ...
    async def list_warehouses(self, ecommerce_id: str, *, slot: AsyncSlot | None = None) -> tuple[Warehouse, ...]: ...

    # Effects
    async def add_review(
        self, process_id: str, reviews: Sequence[ReviewInput], *, slot: AsyncSlot | None = None
    ) -> ReturnProcess: ...
    async def issue_refund(self, process_id: str, refund: RefundInput, *, slot: AsyncSlot | None = None) -> Refund: ...
    async def issue_exchange(
        self, process_id: str, items: Sequence[ExchangeItem], *, slot: AsyncSlot | None = None
    ) -> ExchangeOrder: ...
    async def cancel_return_process(
        self, process_id: str, reason: str = "", *, slot: AsyncSlot | None = None
    ) -> ReturnProcess: ...
    async def create_reverse_delivery(
        self,
        process_id: str,
        order: LogisticOrder,
        label: bytes = b"",
        label_extension: str = "",
        *,
        slot: AsyncSlot | None = None,
    ) -> LogisticOrder: ...
    async def create_order_v2(self, order: LogisticOrderRequest, *, slot: AsyncSlot | None = None) -> LogisticOrder: ...
    async def create_return(self, new: ReturnInput, *, slot: AsyncSlot | None = None) -> ReturnProcess: ...
    async def import_returns(
        self, returns: Sequence[ReturnInput], *, slot: AsyncSlot | None = None
    ) -> tuple[ImportResult, ...]: ...
