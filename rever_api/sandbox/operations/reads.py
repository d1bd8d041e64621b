"""Reads of processes: search, by id, where the parcel is, the label's URL, the logistic orders."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from rever_api.models import ProcessStatus, ReturnProcess, ShippingStatus
from rever_api.sandbox.arithmetic import minor, refund_value
from rever_api.sandbox.labels import presigned_path
from rever_api.sandbox.operations.call import Call, wire
from rever_api.sandbox.refusal import invalid, not_found
from rever_api.sandbox.state import Sandbox

_DEAD = {ShippingStatus.CANCELED, ShippingStatus.ERROR}
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


def search_return_processes(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Answer one page of the processes that match, newest first unless asked otherwise."""
    limit, offset = _whole(call, "limit", 50, 1, 100), _whole(call, "offset", 0, 0, None)
    key = call.query.get("sortby", "started_at")
    if key not in {"started_at", "updated_at"} or call.query.get("order", "desc") not in {"asc", "desc"}:
        raise invalid("sortby: started_at or updated_at; order: asc or desc")
    tests = _tests(sandbox, call.query)
    shown = (sandbox.seen(stored, stale=call.stale) for stored in sandbox.processes.values())
    found = [process for process in shown if all(test(process) for test in tests)]
    found.sort(key=lambda p: (getattr(p, key), p.rever_process_id), reverse=call.query.get("order", "desc") == "desc")
    start = max(0, offset + call.moved) if offset else 0
    return {"processes": [wire(process) for process in found[start : start + limit]], "rowcount": len(found)}


def _whole(call: Call, name: str, default: int, least: int, most: int | None) -> int:
    text = call.query.get(name, str(default))
    if not text.isdecimal() or int(text) < least or (most is not None and int(text) > most):
        raise invalid(f"{name}: a whole number from {least}" + (f" to {most}" if most is not None else ""))
    return int(text)


def _tests(sandbox: Sandbox, query: dict[str, str]) -> list[Callable[[ReturnProcess], bool]]:
    """What a process must pass, for the parameters that were given alone: a search goes over all there are."""
    tests = [_is(read, query[name]) for name, read in _EXACT.items() if query.get(name)]
    tests += [_is_among(read, query[name].split(",")) for name, read in _LISTED.items() if query.get(name)]
    for name, test in (("updated_since", _since), ("freetext", _has_text)):
        if query.get(name):
            tests.append(test(query[name]))
    if query.get("fully_refunded"):
        tests.append(_refunded(sandbox, query["fully_refunded"]))
    return tests


def _is(read: Callable[[ReturnProcess], str], value: str) -> Callable[[ReturnProcess], bool]:
    return lambda process: read(process) == value


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
        refunds = (process.compensation.refunds if process.compensation else ()) or ()
        paid = sum(minor(refund.amount, refund.currency) for refund in refunds)
        full = bool(refunds) and paid >= refund_value(process, sandbox.shop(process.ecommerce_id).timing)
        return (full or process.rever_process_status == ProcessStatus.COMPLETED) == (text == "true")

    return is_so


def get_return_process(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Answer one process."""
    if call.process_id in sandbox.denied:
        raise not_found("process")
    return wire(sandbox.seen(sandbox.find(call.process_id), stale=call.stale))


def get_shipping_status(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Answer where the youngest parcel is."""
    process = sandbox.seen(sandbox.find(call.process_id), stale=call.stale)
    parcel = process.logistics[-1] if process.logistics else None
    answer = {
        "process_id": call.process_id,
        "status": str(parcel.status) if parcel else ShippingStatus.NO_SHIPPING_STATUS.value,
        "tracking_id": parcel.tracking_number if parcel else "",
        "tracking_url": parcel.tracking_url if parcel else "",
    }
    return answer | ({"updated_at": process.updated_at.isoformat()} if process.updated_at else {})


def get_presigned_label_url(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Answer a URL on this sandbox under which the youngest live label can be fetched without the key."""
    stored = sandbox.find(call.process_id)
    parcels = stored.process.logistics or ()
    for order, parcel in reversed(list(zip(stored.orders, parcels, strict=True))):
        if order.id in sandbox.label_files and parcel.status not in _DEAD:
            expires = sandbox.clock() + timedelta(seconds=sandbox.options.label_url_seconds)
            extension = sandbox.label_files[order.id][1]
            return {"url": call.base_url + presigned_path(order.id, extension, expires, sandbox.seed)}
    raise not_found("label")


def list_logistic_orders(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Answer all logistic orders of a process, the oldest first."""
    return {"orders": [wire(order) for order in sandbox.find(call.process_id).orders]}
