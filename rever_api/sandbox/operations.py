"""The operations of the contract, by operation id: each takes the state and a call, and returns a JSON body."""

import base64
import binascii
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from rever_api.models import (
    ExchangeItem,
    LogisticOrder,
    LogisticOrderRequest,
    ProcessStatus,
    RefundInput,
    ReturnInput,
    ReturnMethod,
    ReturnProcess,
    ReviewInput,
    ShippingStatus,
)
from rever_api.sandbox.arithmetic import minor, paid, refund_value, refunds
from rever_api.sandbox.effects import cancel, open_return, pay, review, send_exchange
from rever_api.sandbox.labels import ADDRESSES, LabelFault, new_order, presigned_path, register
from rever_api.sandbox.shops import OPS
from rever_api.sandbox.state import (
    FAILED_PRECONDITION,
    UNIMPLEMENTED,
    Actor,
    Refusal,
    Sandbox,
    invalid,
    not_found,
    unreadable,
)

_Model = TypeVar("_Model", bound=BaseModel)
_PROCESS = "/v1/processes/{process_id}"
_MOST_IMPORTED = 100
_DEAD = {ShippingStatus.CANCELED, ShippingStatus.ERROR}
_FETCHED = {ReturnMethod.HOME_PICK_UP, ReturnMethod.DELIVERY_PICKUP}
_EXACT: Mapping[str, Callable[[ReturnProcess], str]] = {
    "ecommerce_id": lambda process: process.ecommerce_id,
    "ecommerce_group": lambda process: process.ecommerce_group,
    "process_id": lambda process: process.rever_process_id,
    "order_id": lambda process: process.order_id,
    "customer_printed_order_id": lambda process: process.order_name,
    "return_method": lambda process: str(process.return_method),
}
_LISTED: Mapping[str, Callable[[ReturnProcess], str]] = {
    "status": lambda process: process.rever_process_status,
    "return_status": lambda process: process.return_status,
}


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `body` is its JSON, with numbers as Decimal, None without one.

    `stale` has a read show how things were before the last change; `moved` shifts a page of a search, as a list does
    that grows (-1, an entry comes again) or shrinks (1, an entry is skipped) between two pages.
    """

    operation: str
    process_id: str = ""
    query: dict[str, str] = field(default_factory=dict)
    body: Any = field(default=None, repr=False)
    base_url: str = ""
    stale: bool = False
    moved: int = 0

    @property
    def subject(self) -> str:
        """What the call is about: a process, a store or a group."""
        store = self.body.get("ecommerce_id") if isinstance(self.body, dict) else None
        return (
            self.process_id
            or self.query.get("ecommerce_id", "")
            or self.query.get("ecommerce_group", "")
            or str(store or "")
        )

    def read(self, model: type[_Model]) -> _Model:
        """Return the body as `model`, or refuse with 400."""
        try:
            return model.model_validate(self.body if self.body is not None else {})
        except ValidationError as error:
            raise unreadable(error) from None

    def part(self, name: str) -> Any:
        """Return one member of the body, or refuse with 400 where the body is no object or has it not."""
        if not isinstance(self.body, dict) or name not in self.body:
            raise invalid(f"{name}: missing")
        return self.body[name]

    def list_of(self, name: str, model: type[_Model]) -> tuple[_Model, ...]:
        """Return a non-empty list member of the body as models, or refuse with 400."""
        entries = self.part(name)
        if not isinstance(entries, list) or not entries:
            raise invalid(f"{name}: must be a list with something in it")
        try:
            return tuple(model.model_validate(entry) for entry in entries)
        except ValidationError as error:
            raise unreadable(error) from None


def wire(model: BaseModel) -> dict[str, Any]:
    """Return the model's JSON: money as strings, times in ISO 8601, what is not set left out."""
    body: dict[str, Any] = model.model_dump(mode="json", by_alias=True, exclude_none=True)
    if isinstance(model, ReturnProcess):
        for entry in body.get("logistics") or ():
            entry.pop("label_url", None)  # a secret is dumped as stars, or as nothing
        body.setdefault("compensation", {"refunds": []}).setdefault("exchange_order", None)
    return body


def search_return_processes(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Return one page of the processes that match, newest first unless asked otherwise."""
    limit, offset = _whole(call, "limit", 50, 1, 100), _whole(call, "offset", 0, 0, None)
    key = call.query.get("sortby", "started_at")
    if key not in {"started_at", "updated_at"} or call.query.get("order", "desc") not in {"asc", "desc"}:
        raise invalid("sortby: started_at or updated_at; order: asc or desc")
    tests = _tests(sandbox, call.query)
    listed = (sandbox.listed(stored, stale=call.stale) for stored in sandbox.processes.values())
    found = [process for process in listed if process is not None and all(test(process) for test in tests)]
    found.sort(key=lambda p: (getattr(p, key), p.rever_process_id), reverse=call.query.get("order", "desc") == "desc")
    start = max(0, offset + call.moved) if offset else 0
    shown = [_shown(sandbox, call, process) for process in found[start : start + limit]]
    return {"processes": shown, "rowcount": len(found)}


def _shown(sandbox: Sandbox, call: Call, process: ReturnProcess) -> dict[str, Any]:
    """The process as it is read: with the addresses of its labels' files where this REVER shows them."""
    body = wire(process)
    if sandbox.options.shows_label_urls:
        orders = sandbox.find(process.rever_process_id).orders
        for entry, order in zip(body.get("logistics") or (), orders, strict=False):
            if order.id in sandbox.label_files:
                entry["label_url"] = _label_url(sandbox, call, order)
    return body


def _whole(call: Call, name: str, default: int, least: int, most: int | None) -> int:
    text = call.query.get(name, str(default))
    if not text.isdecimal() or int(text) < least or (most is not None and int(text) > most):
        raise invalid(f"{name}: a whole number from {least}" + (f" to {most}" if most is not None else ""))
    return int(text)


def _tests(sandbox: Sandbox, query: dict[str, str]) -> list[Callable[[ReturnProcess], bool]]:
    """What a process must pass, for the parameters that were given alone: a search goes over all there are."""
    tests = [_is_among(read, [query[name]]) for name, read in _EXACT.items() if query.get(name)]
    tests += [_is_among(read, query[name].split(",")) for name, read in _LISTED.items() if query.get(name)]
    if query.get("updated_since"):
        tests.append(_since(query["updated_since"]))
    if query.get("freetext"):
        tests.append(_has_text(query["freetext"]))
    if query.get("fully_refunded"):
        tests.append(_refunded(sandbox, query["fully_refunded"]))
    return tests


def _is_among(read: Callable[[ReturnProcess], str], values: list[str]) -> Callable[[ReturnProcess], bool]:
    return lambda process: read(process) in values


def _since(text: str) -> Callable[[ReturnProcess], bool]:
    try:
        since = datetime.fromisoformat(text)
    except ValueError:
        raise invalid("updated_since: not an ISO 8601 time") from None
    since = since if since.tzinfo else since.replace(tzinfo=UTC)
    return lambda process: process.updated_at is not None and process.updated_at >= since


def _has_text(text: str) -> Callable[[ReturnProcess], bool]:
    if len(text) < 3:
        raise invalid("freetext: at least 3 characters")

    def has(process: ReturnProcess) -> bool:
        shopper = process.shopper
        words = [process.order_name, process.order_id, process.rever_process_id]
        words += [shopper.email, f"{shopper.first_name} {shopper.last_name}"] if shopper else []
        return any(text.casefold() in word.casefold() for word in words)

    return has


def _refunded(sandbox: Sandbox, text: str) -> Callable[[ReturnProcess], bool]:
    if text not in {"true", "false"}:
        raise invalid("fully_refunded: true or false")

    def is_so(process: ReturnProcess) -> bool:
        due = refund_value(process, sandbox.shop(process.ecommerce_id).timing)
        full = bool(refunds(process)) and paid(process) >= due
        return (full or process.rever_process_status == ProcessStatus.COMPLETED) == (text == "true")

    return is_so


def get_return_process(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Return one process."""
    if call.process_id in sandbox.denied:
        raise not_found("process")
    return _shown(sandbox, call, sandbox.seen(sandbox.find(call.process_id), stale=call.stale))


def get_shipping_status(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Return where the youngest parcel is."""
    process = sandbox.seen(sandbox.find(call.process_id), stale=call.stale)
    parcel = process.logistics[-1] if process.logistics else None
    body = {
        "process_id": call.process_id,
        "status": str(parcel.status) if parcel else ShippingStatus.NO_SHIPPING_STATUS.value,
        "tracking_id": parcel.tracking_number if parcel else "",
        "tracking_url": parcel.tracking_url if parcel else "",
    }
    return body | ({"updated_at": process.updated_at.isoformat()} if process.updated_at else {})


def get_presigned_label_url(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Return a URL on this sandbox under which the youngest live label can be fetched without the key."""
    stored, fault = sandbox.find(call.process_id), sandbox.label_faults.get(call.process_id, "")
    parcels = stored.process.logistics or ()
    for order, parcel in reversed(list(zip(stored.orders, parcels, strict=True))):
        if order.id in sandbox.label_files and parcel.status not in _DEAD and fault != LabelFault.NO_FILE:
            url = ADDRESSES[LabelFault(fault)] if fault in ADDRESSES else _label_url(sandbox, call, order)
            return {"url": url}
    raise not_found("label")


def _label_url(sandbox: Sandbox, call: Call, order: LogisticOrder) -> str:
    """The address of a label's file, which runs out."""
    gone = sandbox.label_faults.get(order.process_id) in {LabelFault.EXPIRED, LabelFault.EXPIRED_ONCE}
    expires = sandbox.clock() + timedelta(seconds=-1 if gone else sandbox.options.label_url_seconds)
    return call.base_url + presigned_path(order.id, sandbox.label_files[order.id][1], expires, sandbox.seed)


def list_logistic_orders(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Return all logistic orders of a process, the oldest first."""
    return {"orders": [wire(order) for order in sandbox.find(call.process_id).orders]}


def get_ecommerce_settings(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Return the store's return rules; 404 for an unknown store."""
    return wire(sandbox.shop(call.query.get("ecommerce_id", "")).settings)


def list_ecommerces(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Return the stores of a group, none for an unknown group; without a group, all that the key may see."""
    known = call.query.get("ecommerce_group", sandbox.group) == sandbox.group
    stores = [{"ecommerce_id": shop.id, "name": shop.name} for shop in sandbox.shops.values()]
    return {"ecommerces": stores if known else []}


def list_warehouses(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Return the store's warehouses, none for an unknown store."""
    shop = sandbox.shops.get(call.query.get("ecommerce_id", ""))
    return {"warehouses": [wire(house) for house in shop.warehouses] if shop else []}


def create_return(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Start a return. The same items of an order twice are two returns."""
    return wire(open_return(sandbox, call.read(ReturnInput), Actor.API))


def import_returns(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Start up to 100 returns; each is accepted or refused on its own."""
    entries = call.part("returns")
    if not isinstance(entries, list) or not 1 <= len(entries) <= _MOST_IMPORTED:
        raise invalid(f"returns: 1 to {_MOST_IMPORTED} of them")
    results: list[dict[str, Any]] = []
    for entry in entries:
        try:
            process = open_return(sandbox, ReturnInput.model_validate(entry), Actor.API)
            results.append({"process_id": process.rever_process_id})
        except ValidationError as error:
            results.append({"process_id": None, "error": unreadable(error).body})
        except Refusal as refusal:
            results.append({"process_id": None, "error": refusal.body})
    return {"results": results}


class _Reason(BaseModel):
    reason: str = ""


def add_review(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Record inspections, one entry per unit, all or none; 409 for a unit that has its review already."""
    stored = sandbox.find(call.process_id)
    review(sandbox, stored, call.list_of("reviews", ReviewInput), Actor.API)
    return wire(stored.process)


def issue_refund(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Pay. Two identical calls are two refunds; the amount is compared with what is due only where that is asked."""
    stored, refund = sandbox.find(call.process_id), call.read(RefundInput)
    _check_lines(stored.process, [item.line_item_id for item in refund.items])
    try:
        amount = minor(refund.amount, refund.currency)
    except ValueError as error:
        raise invalid(f"amount: {error}") from None
    if refund.type == "EXCHANGE" or not refund.type:
        raise invalid("type: a method that pays money")
    _check_status(sandbox, stored.process)
    if sandbox.options.checks_amounts:
        due = refund_value(stored.process, sandbox.shop(stored.process.ecommerce_id).timing)
        if paid(stored.process) + amount > due:
            raise Refusal(422, FAILED_PRECONDITION, "the amount is above what is still refundable")
    return wire(pay(sandbox, stored, refund, Actor.API))


def issue_exchange(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Order replacement goods, all or none; 409 with code 9 when a variant is out of stock."""
    stored, items = sandbox.find(call.process_id), call.list_of("items", ExchangeItem)
    _check_lines(stored.process, [item.line_item_id for item in items])
    _check_status(sandbox, stored.process)
    goods = {product.variant_id: product for product, _ in sandbox.shop(stored.process.ecommerce_id).goods.values()}
    if any(item.variant_id not in goods for item in items):
        raise invalid("variant_id: no such variant")
    wanted: Counter[str] = Counter()
    for item in items:
        wanted[item.variant_id] += item.quantity
    if any(sandbox.stock.get(variant, 0) < units for variant, units in wanted.items()):
        raise Refusal(409, FAILED_PRECONDITION, "a wanted variant is out of stock")
    for variant, units in wanted.items():
        sandbox.stock[variant] -= units
    products = tuple(goods[item.variant_id] for item in items)
    return wire(send_exchange(sandbox, stored, items, products, Actor.API))


def cancel_return_process(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Cancel a process that is not at its end, and its label where the parcel was not collected."""
    stored = sandbox.find(call.process_id)
    call.read(_Reason)
    cancel(sandbox, stored, Actor.API)
    return wire(stored.process)


def _check_lines(process: ReturnProcess, line_ids: list[str]) -> None:
    if not set(line_ids) <= {line.id for line in process.return_line_items}:
        raise invalid("line_item_id: not a line of this process")


def _check_status(sandbox: Sandbox, process: ReturnProcess) -> None:
    if sandbox.options.checks_status and process.rever_process_status != ProcessStatus.RUNNING:
        raise Refusal(409, FAILED_PRECONDITION, f"process is {process.rever_process_status}")


def create_order_v2(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Make a label with a provider and carrier. Each call makes another one."""
    stored, wanted = sandbox.find(call.process_id), call.read(LogisticOrderRequest)
    if wanted.process_id != call.process_id:
        raise invalid("process_id: not the one of the path")
    if wanted.provider == OPS:
        raise Refusal(501, UNIMPLEMENTED, "provider OPS is handled by hand; nothing was generated")
    method = str(wanted.return_method or stored.process.return_method)
    country = wanted.customer_address.country_code if wanted.customer_address else ""
    _check_combination(sandbox, stored.process, wanted, method, country)
    _check_place_and_day(sandbox, stored.process, wanted, method)
    order = new_order(sandbox, stored.process, wanted.provider, wanted.carrier, method)
    return {"order": wire(register(sandbox, stored, order, call.operation))}


def _check_combination(
    sandbox: Sandbox, process: ReturnProcess, wanted: LogisticOrderRequest, method: str, country: str
) -> None:
    country = country or (process.pickup_address.country_code if process.pickup_address else "")
    for carrier in sandbox.shop(process.ecommerce_id).settings.carriers:
        if (carrier.provider, carrier.carrier) != (wanted.provider, wanted.carrier):
            continue
        refused = (carrier.carrier, country) in sandbox.shop(process.ecommerce_id).refuses
        if country in carrier.countries and method in carrier.return_methods and not refused:
            return
    raise invalid("the combination of provider, carrier, return method and country is not supported")


def _check_place_and_day(sandbox: Sandbox, process: ReturnProcess, wanted: LogisticOrderRequest, method: str) -> None:
    """A label has room for so long a street, and no carrier comes for a pickup on a day off."""
    shop = sandbox.shop(process.ecommerce_id)
    street = wanted.customer_address.address_line_1 if wanted.customer_address else ""
    if shop.longest_line and len(street) > shop.longest_line:
        raise invalid(f"customer_address.address_line_1: {shop.longest_line} characters at most")
    if method in _FETCHED and sandbox.clock().date() + timedelta(days=1) in shop.days_off:
        raise invalid("pickup_ranges: no pickup slot on a bank holiday")


def create_reverse_delivery(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Register a label that was made by hand; its file, where there is one, is base64."""
    stored = sandbox.find(call.process_id)
    try:
        given = LogisticOrder.model_validate(call.part("order"))
    except ValidationError as error:
        raise unreadable(error) from None
    if given.process_id not in {"", call.process_id}:
        raise invalid("order.process_id: not the one of the path")
    made = new_order(sandbox, stored.process, given.provider, given.carrier, str(given.return_method))
    order = made.model_copy(update=given.model_dump(exclude_defaults=True, include={"tracking_id", "tracking_url"}))
    order = order.model_copy(update={"from_": given.from_ or made.from_, "to": given.to or made.to})
    return {"order": wire(register(sandbox, stored, order, call.operation, _file(call.body)))}


def _file(body: dict[str, Any]) -> tuple[bytes, str] | None:
    if not body.get("label"):
        return None
    extension = body.get("label_extension")
    if extension not in {"pdf", "png", "jpg"}:
        raise invalid("label_extension: pdf, png or jpg")
    try:
        return base64.b64decode(body["label"], validate=True), str(extension)
    except (binascii.Error, TypeError, ValueError):
        raise invalid("label: not base64") from None


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. An effect moves money, goods or an inspection. `also` is another path at which it may be."""

    id: str
    method: str
    path: str
    run: Callable[[Sandbox, Call], dict[str, Any]]
    effect: bool = False
    also: str = ""

    @property
    def lists(self) -> bool:
        """Whether it returns pages."""
        return self.run is search_return_processes

    @property
    def shows_process(self) -> bool:
        """Whether it reads a process, and so can be stale."""
        return self.run in {search_return_processes, get_return_process}


OPERATIONS = (
    Operation("searchReturnProcesses", "GET", "/v1/processes", search_return_processes),
    Operation("getReturnProcess", "GET", _PROCESS, get_return_process),
    Operation("addReview", "POST", f"{_PROCESS}/reviews", add_review, effect=True),
    Operation("issueRefund", "POST", f"{_PROCESS}/refunds", issue_refund, effect=True),
    Operation("issueExchange", "POST", f"{_PROCESS}/exchanges", issue_exchange, effect=True),
    Operation("cancelReturnProcess", "POST", f"{_PROCESS}/cancel", cancel_return_process, effect=True),
    Operation("getShippingStatus", "GET", f"{_PROCESS}/shipping_status", get_shipping_status),
    Operation("getPresignedLabelUrl", "GET", f"{_PROCESS}/label", get_presigned_label_url),
    Operation("listLogisticOrders", "GET", f"{_PROCESS}/logistics/", list_logistic_orders),
    Operation("createReverseDelivery", "POST", f"{_PROCESS}/logistics/", create_reverse_delivery, effect=True),
    Operation("createOrderV2", "PUT", f"{_PROCESS}/logistics/", create_order_v2, effect=True),
    Operation("createReturn", "POST", "/v1/processes", create_return, effect=True, also="/v1/returns"),
    Operation("importReturns", "POST", "/v1/returns/import", import_returns, effect=True),
    Operation("getEcommerceSettings", "GET", "/v1/settings", get_ecommerce_settings),
    Operation("listEcommerces", "GET", "/v1/settings/ecommerces", list_ecommerces),
    Operation("listWarehouses", "GET", "/v1/settings/warehouses", list_warehouses),
)
