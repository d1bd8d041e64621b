"""From an operation's arguments to the HTTP request, without sending it. One builder per operation.

Only what a caller gave is sent: `null`, "" and absent mean the same at REVER. Amounts go as decimal strings. No
idempotency header is sent, since none is known.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from pydantic import BaseModel

from rever_api.config import is_loopback
from rever_api.endpoints import Endpoints
from rever_api.errors import NotSent
from rever_api.models import (
    ExchangeItem,
    LogisticOrder,
    LogisticOrderRequest,
    RefundInput,
    ReturnInput,
    ReviewInput,
    SearchQuery,
)

EFFECTS = frozenset(
    {
        "addReview",
        "cancelReturnProcess",
        "createOrderV2",
        "createReturn",
        "createReverseDelivery",
        "importReturns",
        "issueExchange",
        "issueRefund",
    }
)
"""The operations that move money, goods or an inspection: never sent twice by the client, whatever their method."""


@dataclass(frozen=True)
class Request:
    """One call, ready to be sent. What may hold a shopper's data or a signature stays out of its repr."""

    operation: str
    method: str
    url: str = field(repr=False)
    params: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    json: dict[str, Any] | None = field(default=None, repr=False)
    with_key: bool = True

    @property
    def effect(self) -> bool:
        """Whether the call moves money, goods or an inspection."""
        return self.operation in EFFECTS


@dataclass(frozen=True)
class Routes:
    """Where the operations are: a base URL, which may have a path of its own, and the endpoint table."""

    base_url: str
    endpoints: Endpoints

    def request(
        self, operation: str, parameters: Mapping[str, str] | None = None, json: dict[str, Any] | None = None
    ) -> Request:
        """Build a request; an empty parameter is left out of the query, and makes a path impossible (`NotSent`)."""
        endpoint = self.endpoints[operation]
        given = parameters or {}
        path = endpoint.path
        for name in endpoint.in_path:
            path = path.replace(f"{{{name}}}", _segment(operation, name, given.get(name, "")))
        query = tuple(
            (endpoint.parameters[name], value) for name, value in given.items() if name not in endpoint.in_path
        )
        url = self.base_url.rstrip("/") + path
        return Request(operation, endpoint.method, url, tuple(pair for pair in query if pair[1] != ""), json)


def search_return_processes(routes: Routes, query: SearchQuery) -> Request:
    """Build one page's request. Lists are comma-separated (observed)."""
    return routes.request(
        "searchReturnProcesses", {name: _wire(getattr(query, name)) for name in SearchQuery.model_fields}
    )


def get_return_process(routes: Routes, process_id: str) -> Request:
    """Build the read of one process."""
    return routes.request("getReturnProcess", {"process_id": process_id})


def add_review(routes: Routes, process_id: str, reviews: Sequence[ReviewInput]) -> Request:
    """Build a review, one entry per unit (observed)."""
    body = {"process_id": process_id, "reviews": [_body(review) for review in reviews]}
    return routes.request("addReview", {"process_id": process_id}, body)


def issue_refund(routes: Routes, process_id: str, refund: RefundInput) -> Request:
    """Build a refund."""
    body = {**_body(refund), "amount": format(refund.amount, "f")}
    return routes.request("issueRefund", {"process_id": process_id}, body)


def issue_exchange(routes: Routes, process_id: str, items: Sequence[ExchangeItem]) -> Request:
    """Build an exchange."""
    return routes.request("issueExchange", {"process_id": process_id}, {"items": [_body(item) for item in items]})


def cancel_return_process(routes: Routes, process_id: str, reason: str) -> Request:
    """Build a cancellation."""
    return routes.request("cancelReturnProcess", {"process_id": process_id}, {"reason": reason} if reason else {})


def get_shipping_status(routes: Routes, process_id: str) -> Request:
    """Build the read of a parcel's status."""
    return routes.request("getShippingStatus", {"process_id": process_id})


def get_presigned_label_url(routes: Routes, process_id: str) -> Request:
    """Build the read of a label's URL."""
    return routes.request("getPresignedLabelUrl", {"process_id": process_id})


def fetch_label(url: str) -> Request:
    """Build the fetch of a label file from its short-lived URL, which is sent as it stands and without the API key."""
    if urlsplit(url).scheme != "https" and not is_loopback(url):
        raise NotSent("fetchLabel was not sent: the label's address is not https.", operation="fetchLabel")
    return Request("fetchLabel", "GET", url, with_key=False)


def list_logistic_orders(routes: Routes, process_id: str) -> Request:
    """Build the read of a process's logistic orders."""
    return routes.request("listLogisticOrders", {"process_id": process_id})


def create_reverse_delivery(
    routes: Routes, process_id: str, order: LogisticOrder, label: bytes, label_extension: str
) -> Request:
    """Build the registration of a logistic order made by hand; the label goes as base64 (REVER's reference)."""
    body: dict[str, Any] = {"order": {**_body(order), "process_id": process_id}}
    if label:
        body |= {"label": base64.b64encode(label).decode("ascii"), "label_extension": label_extension}
    return routes.request("createReverseDelivery", {"process_id": process_id}, body)


def create_order_v2(routes: Routes, order: LogisticOrderRequest) -> Request:
    """Build the order of a pickup or drop-off."""
    return routes.request("createOrderV2", {"process_id": order.process_id}, _body(order))


def create_return(routes: Routes, new: ReturnInput) -> Request:
    """Build a new return."""
    return routes.request("createReturn", json=_body(new))


def import_returns(routes: Routes, returns: Sequence[ReturnInput]) -> Request:
    """Build many new returns in one call, at most 100 (assumed)."""
    return routes.request("importReturns", json={"returns": [_body(new) for new in returns]})


def get_ecommerce_settings(routes: Routes, ecommerce_id: str) -> Request:
    """Build the read of a store's return rules."""
    return routes.request("getEcommerceSettings", {"ecommerce_id": ecommerce_id})


def list_ecommerces(routes: Routes, ecommerce_group: str) -> Request:
    """Build the read of a group's stores."""
    return routes.request("listEcommerces", {"ecommerce_group": ecommerce_group})


def list_warehouses(routes: Routes, ecommerce_id: str) -> Request:
    """Build the read of a store's warehouses."""
    return routes.request("listWarehouses", {"ecommerce_id": ecommerce_id})


def _segment(operation: str, name: str, value: str) -> str:
    """Percent-encode one segment of a path (RFC 3986); dots alone would climb out of it."""
    if value.strip() in {"", ".", ".."} or re.search(r"[\x00-\x1f\x7f]", value):
        raise NotSent(f"{operation} was not sent: {value!r} cannot be the {name} in an address.", operation=operation)
    return quote(value, safe="")


def _wire(value: Any) -> str:
    """Turn a filter into its text in a query; "" is left out."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _body(model: BaseModel) -> dict[str, Any]:
    """Turn a model into JSON, without what was left at its default."""
    return model.model_dump(mode="json", by_alias=True, exclude_defaults=True)
