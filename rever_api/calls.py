"""Each operation as one value: the request to send, and how its answer is read. Both clients send these."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from rever_api import requests, responses
from rever_api.answers import Answer
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
    Warehouse,
)
from rever_api.requests import Request, Routes

Result = TypeVar("Result")


@dataclass(frozen=True)
class Call(Generic[Result]):
    """One call of one operation: pure, so that how it is sent, awaited and tried again is somebody else's."""

    request: Request
    parse: Callable[[Answer], Result]


def search_return_processes(routes: Routes, query: SearchQuery) -> Call[SearchPage]:
    """One page of return processes."""
    return Call(requests.search_return_processes(routes, query), responses.search_page)


def get_return_process(routes: Routes, process_id: str) -> Call[ReturnProcess]:
    """One return process."""
    return Call(requests.get_return_process(routes, process_id), partial(responses.process, process_id=process_id))


def add_review(routes: Routes, process_id: str, reviews: Sequence[ReviewInput]) -> Call[ReturnProcess]:
    """An effect: the inspection of units."""
    parse = partial(responses.reviewed_process, process_id=process_id, sent=reviews)
    return Call(requests.add_review(routes, process_id, reviews), parse)


def issue_refund(routes: Routes, process_id: str, refund: RefundInput) -> Call[Refund]:
    """An effect: money."""
    return Call(requests.issue_refund(routes, process_id, refund), partial(responses.refund, sent=refund))


def issue_exchange(routes: Routes, process_id: str, items: Sequence[ExchangeItem]) -> Call[ExchangeOrder]:
    """An effect: goods."""
    return Call(requests.issue_exchange(routes, process_id, items), partial(responses.exchange, sent=items))


def cancel_return_process(routes: Routes, process_id: str, reason: str) -> Call[ReturnProcess]:
    """An effect: the end of a return."""
    parse = partial(responses.cancelled_process, process_id=process_id)
    return Call(requests.cancel_return_process(routes, process_id, reason), parse)


def get_shipping_status(routes: Routes, process_id: str) -> Call[Shipping]:
    """Where the parcel is."""
    return Call(requests.get_shipping_status(routes, process_id), partial(responses.shipping, process_id=process_id))


def get_presigned_label_url(routes: Routes, process_id: str) -> Call[str]:
    """Where the label file is, for a short while."""
    return Call(requests.get_presigned_label_url(routes, process_id), responses.label_url)


def fetch_label(url: str) -> Call[bytes]:
    """The label file."""
    return Call(requests.fetch_label(url), responses.label)


def list_logistic_orders(routes: Routes, process_id: str) -> Call[tuple[LogisticOrder, ...]]:
    """The logistic orders of a return."""
    return Call(requests.list_logistic_orders(routes, process_id), responses.logistic_orders)


def create_reverse_delivery(
    routes: Routes, process_id: str, order: LogisticOrder, label: bytes, label_extension: str
) -> Call[LogisticOrder]:
    """An effect: a logistic order that was made by hand."""
    request = requests.create_reverse_delivery(routes, process_id, order, label, label_extension)
    return Call(request, partial(responses.logistic_order, process_id=process_id))


def create_order_v2(routes: Routes, order: LogisticOrderRequest) -> Call[LogisticOrder]:
    """An effect: a pickup or drop-off that REVER orders."""
    parse = partial(responses.logistic_order, process_id=order.process_id)
    return Call(requests.create_order_v2(routes, order), parse)


def create_return(routes: Routes, new: ReturnInput) -> Call[ReturnProcess]:
    """An effect: a new return."""
    return Call(requests.create_return(routes, new), partial(responses.new_process, sent=new))


def import_returns(routes: Routes, returns: Sequence[ReturnInput]) -> Call[tuple[ImportResult, ...]]:
    """An effect: many new returns, each accepted or refused by itself."""
    return Call(requests.import_returns(routes, returns), partial(responses.import_results, count=len(returns)))


def get_ecommerce_settings(routes: Routes, ecommerce_id: str) -> Call[EcommerceSettings]:
    """A store's return rules."""
    request = requests.get_ecommerce_settings(routes, ecommerce_id)
    return Call(request, partial(responses.settings, ecommerce_id=ecommerce_id))


def list_ecommerces(routes: Routes, ecommerce_group: str) -> Call[tuple[Ecommerce, ...]]:
    """The stores of a group."""
    return Call(requests.list_ecommerces(routes, ecommerce_group), responses.ecommerces)


def list_warehouses(routes: Routes, ecommerce_id: str) -> Call[tuple[Warehouse, ...]]:
    """The warehouses of a store."""
    return Call(requests.list_warehouses(routes, ecommerce_id), responses.warehouses)
