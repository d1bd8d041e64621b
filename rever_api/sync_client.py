"""The client that people use, synchronous: operations by subject, filters as keywords, all pages, tables.

Generated from `client.py`: `make sync-client`. docs/client.md has examples that run.
"""

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

import httpx
from pydantic import SecretStr

from rever_api.config import ClientConfig, configured
from rever_api.errors import Unreadable
from rever_api.frames import Results, to_frame
from rever_api.limits import Limits
from rever_api.messages import Answer
from rever_api.models import (
    Ecommerce,
    EcommerceSettings,
    ExchangeItem,
    ExchangeOrder,
    ImportResult,
    LineQuantity,
    LogisticOrder,
    LogisticOrderRequest,
    Refund,
    RefundInput,
    ReturnInput,
    ReturnItemInput,
    ReturnProcess,
    ReviewInput,
    SearchPage,
    SearchQuery,
    Shipping,
    UnreadableProcess,
    Warehouse,
)
from rever_api.models.inputs import MOST_PER_PAGE, several
from rever_api.sync_base_client import BaseClient, utc_now

if TYPE_CHECKING:
    from pandas import DataFrame


class ReverClient(BaseClient):
    """A client of REVER's Admin API. Use it with `with`; examples are in docs/client.md.

    The operations are in `processes`, `logistics`, `labels` and `ecommerces`; they raise `rever_api.errors`.

    Reads are tried again. Effects are sent once, without a redirect, within a hard deadline; their answer is compared
    with what was sent.

    A client may be used by any number of threads; its limits are shared with every other client of the key.

    Args:
        config: all settings in one, for whoever keeps their own. What is given beside it goes before it. Without
            it `REVER_TIMEOUT`, `REVER_RATE`, `REVER_MAX_IN_FLIGHT` and `REVER_ENDPOINTS` are read too.
        api_key: the key; default: `REVER_API_KEY`.
        base_url: REVER's address; default: `REVER_BASE_URL`, else REVER's own.
        group: the e-commerce group to list and search where a call names no other; default: `REVER_GROUP`.
        timeout: seconds that one attempt may take, as a whole and each stage of it; default 10.
        max_retries: how often a read is tried again; default 4. Effects are never tried again.
        limits: rate and calls in flight; default: those that all clients of the key in this process share.
        clock: the time, aware; `Retry-After` dates are measured from it.
        monotonic: seconds; a read's patience is measured by it.
        sleep: waits for the limits and for a read's next attempt.
        watch: is called with every answer (`Caller`). An event hook of httpx's goes into `http_client`.
        http_client: an httpx client to send with, for a proxy, certificates, event hooks or a mock transport; its owner
            closes it. Its headers go to REVER with the key. Its redirects, authentication, cookies, base URL and
            timeouts are not used: an effect is sent once, within the deadline. Where its transport does not report to
            httpcore's trace extension, a request without an answer counts as sent, so an effect is `OutcomeUnknown`.

    Raises `WrongSetup` for a setting that is missing or cannot work.
    """

    def __init__(
        self,
        config: ClientConfig | None = None,
        *,
        api_key: str | SecretStr | None = None,
        base_url: str | None = None,
        group: str | None = None,
        timeout: float | None = None,
        max_retries: int | None = None,
        limits: Limits | None = None,
        clock: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        watch: Callable[[Answer], None] | None = None,
        http_client: httpx.Client | None = None,
    ) -> None:
        super().__init__(
            configured(
                config, api_key=api_key, base_url=base_url, group=group, timeout=timeout, max_retries=max_retries
            ),
            limits=limits,
            clock=clock,
            monotonic=monotonic,
            sleep=sleep,
            watch=watch,
            http_client=http_client,
        )

    def with_options(self, *, timeout: float | None = None, max_retries: int | None = None) -> Self:
        """The same client with another patience, for a call or several; what is not given stays.

        It shares connections and limits, and closing it leaves them open. It makes no effect be sent again.
        """
        other = copy.copy(self)
        other.config = configured(self.config, timeout=timeout, max_retries=max_retries)
        other._sender = self._sender.under(other.config)
        return other

    @property
    def processes(self) -> "Processes":
        """Return processes: search, read, review, refund, exchange, cancel, create."""
        return Processes(self)

    @property
    def logistics(self) -> "Logistics":
        """Logistic orders: pickups and drop-offs at carriers."""
        return Logistics(self)

    @property
    def labels(self) -> "Labels":
        """The files of the labels."""
        return Labels(self)

    @property
    def ecommerces(self) -> "Ecommerces":
        """Stores: their settings and warehouses."""
        return Ecommerces(self)


class Processes:
    """`client.processes`."""

    def __init__(self, client: BaseClient) -> None:
        self._client = client

    def search(
        self,
        *,
        ecommerce_id: str = "",
        ecommerce_group: str | None = None,
        process_id: str = "",
        order_id: str = "",
        customer_printed_order_id: str = "",
        status: str | Sequence[str] = (),
        return_status: str | Sequence[str] = (),
        return_method: str = "",
        fully_refunded: bool | None = None,
        updated_since: datetime | None = None,
        freetext: str = "",
        sortby: str = "",
        order: str = "",
        page_size: int = 50,
        offset: int = 0,
        skip_unreadable: bool = False,
    ) -> "ProcessSearch":
        """The return processes that fit every filter. Nothing is sent until the result is iterated.

        Args:
            ecommerce_id: one store.
            ecommerce_group: the stores of a group; default: the client's group, unless `ecommerce_id` is given.
            process_id: one process.
            order_id: the order's id in the shop.
            customer_printed_order_id: the order's name, as the shopper knows it.
            status: `ProcessStatus`, one or several.
            return_status: `ReturnStatus`, one or several.
            return_method: `ReturnMethod`.
            fully_refunded: whether nothing is left to refund.
            updated_since: changed since then; an aware time.
            freetext: what a person would type into REVER's search field.
            sortby: `started_at` (default) or `updated_at`.
            order: `asc` (default) or `desc`.
            page_size: how many are asked for at a time, from 1 to 100. It does not bound how many come.
            offset: how many to pass over.
            skip_unreadable: leave out what cannot be read; it is in `.unreadable` then. Else the iteration ends with
                `Unreadable` after all that can be read.
        """
        if ecommerce_group is None:
            ecommerce_group = "" if ecommerce_id else self._client.config.group
        if not 1 <= page_size <= MOST_PER_PAGE:
            raise ValueError(f"page_size must be from 1 to {MOST_PER_PAGE}, found {page_size}.")
        query = SearchQuery(
            ecommerce_id=ecommerce_id,
            ecommerce_group=ecommerce_group,
            process_id=process_id,
            order_id=order_id,
            customer_printed_order_id=customer_printed_order_id,
            status=(status,) if isinstance(status, str) else tuple(status),
            return_status=(return_status,) if isinstance(return_status, str) else tuple(return_status),
            return_method=return_method,
            fully_refunded=fully_refunded,
            updated_since=updated_since,
            freetext=freetext,
            sortby=sortby,
            order=order,
            limit=page_size,
            offset=offset,
        )
        return ProcessSearch(self._client, query, skip_unreadable=skip_unreadable)

    def get(self, process_id: str) -> ReturnProcess:
        """One return process; `NotFound` where REVER has none of that id."""
        return self._client.get_return_process(process_id)

    def get_shipping_status(self, process_id: str) -> Shipping:
        """Where the parcel of a return is."""
        return self._client.get_shipping_status(process_id)

    def add_review(
        self,
        process_id: str,
        reviews: Sequence[ReviewInput | Mapping[str, Any]],
        *,
        before: ReturnProcess | None = None,
    ) -> ReturnProcess:
        """Record the inspection of units, one entry each; returns the process with them. An effect.

        Where REVER pays by itself this moves money. `before` is the process as it was read just before, if it was: it
        tells these reviews from equal ones where REVER answers with nothing.
        """
        return self._client.add_review(process_id, several(ReviewInput, reviews), before=before)

    def issue_refund(
        self,
        process_id: str,
        *,
        type: str,  # noqa: A002 - REVER's name
        amount: Decimal | str | int,
        currency: str,
        items: Sequence[LineQuantity | Mapping[str, Any]],
    ) -> Refund:
        """Pay. Two identical calls are two refunds: after `OutcomeUnknown`, look at the process before anything else.

        `type` is a `CompensationMethod`, `amount` in units of the currency and never a float. An effect.
        """
        body = {"type": type, "amount": amount, "currency": currency, "items": several(LineQuantity, items)}
        return self._client.issue_refund(process_id, RefundInput.model_validate(body))

    def issue_exchange(self, process_id: str, items: Sequence[ExchangeItem | Mapping[str, Any]]) -> ExchangeOrder:
        """Order replacement goods. Two identical calls are two orders. An effect."""
        return self._client.issue_exchange(process_id, several(ExchangeItem, items))

    def cancel(self, process_id: str, reason: str = "") -> ReturnProcess:
        """Cancel a return; `reason` is shown at REVER. An effect."""
        return self._client.cancel_return_process(process_id, reason)

    def create(
        self,
        *,
        ecommerce_id: str,
        order_name: str,
        email: str,
        items: Sequence[ReturnItemInput | Mapping[str, Any]],
    ) -> ReturnProcess:
        """Create a return of an order's items. Two identical calls may be two returns. An effect."""
        body = {"ecommerce_id": ecommerce_id, "order_name": order_name, "email": email}
        return self._client.create_return(
            ReturnInput.model_validate({**body, "items": several(ReturnItemInput, items)})
        )

    def import_returns(self, returns: Sequence[ReturnInput | Mapping[str, Any]]) -> Results[ImportResult]:
        """Create up to 100 returns; one result each, in order. An effect."""
        return Results.of(ImportResult, self._client.import_returns(several(ReturnInput, returns)))


class ProcessSearch:
    """The result of a search: iterate over it, as often as you like; each time it is read anew, page by page.

    Each process that stays in the list comes once, also while the list moves (`rever_api.paging`).

    Attributes:
        unreadable: what could not be read in the last iteration.
    """

    def __init__(self, client: BaseClient, query: SearchQuery, *, skip_unreadable: bool = False) -> None:
        self._client = client
        self._query = query
        self._skip = skip_unreadable
        self.unreadable: list[UnreadableProcess] = []

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._query!r})"

    def __iter__(self) -> Iterator[ReturnProcess]:
        self.unreadable = unreadable = []
        for entry in self._client.walk_return_processes(self._query):
            if isinstance(entry, ReturnProcess):
                yield entry
            else:
                unreadable.append(entry)
        if unreadable and not self._skip:
            first = unreadable[0]
            raise Unreadable(
                f"{len(unreadable)} of the returns found cannot be read, and all others were given: "
                f"{first.process_id or 'one without an id'} ({first.why}). Say skip_unreadable=True to leave them out.",
                process=first,
                operation="searchReturnProcesses",
            )

    def page(self) -> SearchPage:
        """The first page alone, from the offset on; `rowcount` is how many fit, where REVER says it.

        What cannot be read is in it as an `UnreadableProcess`.
        """
        return self._client.search_return_processes(self._query)

    def to_frame(self, *, per: str = "", personal: bool = False) -> "DataFrame":
        """All that fit as a table of pandas (`rever_api.to_frame`)."""
        return to_frame([process for process in self], ReturnProcess, per=per, personal=personal)


class Logistics:
    """`client.logistics`."""

    def __init__(self, client: BaseClient) -> None:
        self._client = client

    def list(self, process_id: str) -> Results[LogisticOrder]:
        """The logistic orders of a return."""
        return Results.of(LogisticOrder, self._client.list_logistic_orders(process_id))

    def create_order(self, order: LogisticOrderRequest | Mapping[str, Any]) -> LogisticOrder:
        """Have REVER order a pickup or drop-off, which makes the label (createOrderV2). An effect.

        Each call may order another one.
        """
        (wanted,) = several(LogisticOrderRequest, [order])
        return self._client.create_order_v2(wanted)

    def create_reverse_delivery(
        self,
        process_id: str,
        order: LogisticOrder | Mapping[str, Any],
        *,
        label: bytes = b"",
        label_extension: str = "",
    ) -> LogisticOrder:
        """Register a logistic order made by hand, and its label file (`pdf`, `png` or `jpg`). An effect."""
        (made,) = several(LogisticOrder, [order])
        return self._client.create_reverse_delivery(process_id, made, label, label_extension)


class Labels:
    """`client.labels`."""

    def __init__(self, client: BaseClient) -> None:
        self._client = client

    def get_presigned_url(self, process_id: str) -> str:
        """A short-lived URL of the label file, itself a secret; `NotFound` while there is no label."""
        return self._client.get_presigned_label_url(process_id)

    def fetch(self, url: str) -> bytes:
        """The file at such a URL, fetched without the API key; `NotFound` or `Refused` when it has run out."""
        return self._client.fetch_label(url)

    def download(self, process_id: str) -> bytes:
        """The label file of a return: its URL, then the file. `NotFound` while there is no label."""
        return self.fetch(self.get_presigned_url(process_id))


class Ecommerces:
    """`client.ecommerces`."""

    def __init__(self, client: BaseClient) -> None:
        self._client = client

    def list(self, ecommerce_group: str | None = None) -> Results[Ecommerce]:
        """The stores of a group; default: the client's. ValueError where neither names one."""
        group = self._client.config.group if ecommerce_group is None else ecommerce_group
        if not group:
            raise ValueError(
                "A group is needed: pass ecommerce_group=..., or group=... to the client, or set REVER_GROUP."
            )
        return Results.of(Ecommerce, self._client.list_ecommerces(group))

    def get_settings(self, ecommerce_id: str) -> EcommerceSettings:
        """A store's return rules."""
        return self._client.get_ecommerce_settings(ecommerce_id)

    def list_warehouses(self, ecommerce_id: str) -> Results[Warehouse]:
        """A store's warehouses."""
        return Results.of(Warehouse, self._client.list_warehouses(ecommerce_id))
