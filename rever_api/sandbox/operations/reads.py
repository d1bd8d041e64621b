"""Reads of processes: search, by id, where the parcel is, the label's URL, the logistic orders."""

from datetime import UTC, datetime, timedelta
from typing import Any

from rever_api.models import ProcessStatus, ReturnProcess, ShippingStatus
from rever_api.sandbox.arithmetic import minor, refund_value
from rever_api.sandbox.labels import presigned_path
from rever_api.sandbox.operations.call import Call, wire
from rever_api.sandbox.refusal import invalid, not_found
from rever_api.sandbox.state import Sandbox

_DEAD = {ShippingStatus.CANCELED, ShippingStatus.ERROR}


def search_return_processes(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Answer one page of the processes that match, newest first unless asked otherwise."""
    limit, offset = _whole(call, "limit", 50, 1, 100), _whole(call, "offset", 0, 0, None)
    found = [sandbox.seen(stored, stale=call.stale) for stored in sandbox.processes.values()]
    found = [process for process in found if _matches(sandbox, process, call.query)]
    key = call.query.get("sortby", "started_at")
    if key not in {"started_at", "updated_at"} or call.query.get("order", "desc") not in {"asc", "desc"}:
        raise invalid("sortby: started_at or updated_at; order: asc or desc")
    found.sort(key=lambda p: (getattr(p, key), p.rever_process_id), reverse=call.query.get("order", "desc") == "desc")
    start = max(0, offset + call.moved) if offset else 0
    return {"processes": [wire(process) for process in found[start : start + limit]], "rowcount": len(found)}


def _whole(call: Call, name: str, default: int, least: int, most: int | None) -> int:
    text = call.query.get(name, str(default))
    if not text.isdecimal() or int(text) < least or (most is not None and int(text) > most):
        raise invalid(f"{name}: a whole number from {least}" + (f" to {most}" if most is not None else ""))
    return int(text)


def _matches(sandbox: Sandbox, process: ReturnProcess, query: dict[str, str]) -> bool:
    exact = {
        "ecommerce_id": process.ecommerce_id,
        "ecommerce_group": process.ecommerce_group,
        "process_id": process.rever_process_id,
        "order_id": process.order_id,
        "customer_printed_order_id": process.order_name,
        "return_method": str(process.return_method),
    }
    if any(query.get(name) and query[name] != value for name, value in exact.items()):
        return False
    listed = {"status": process.rever_process_status, "return_status": process.return_status}
    if any(query.get(name) and value not in query[name].split(",") for name, value in listed.items()):
        return False
    return (
        _since(process, query.get("updated_since", ""))
        and _has_text(process, query.get("freetext", ""))
        and _refunded(sandbox, process, query.get("fully_refunded", ""))
    )


def _since(process: ReturnProcess, text: str) -> bool:
    if not text:
        return True
    try:
        since = datetime.fromisoformat(text)
    except ValueError:
        raise invalid("updated_since: not an ISO 8601 time") from None
    since = since if since.tzinfo else since.replace(tzinfo=UTC)
    return process.updated_at is not None and process.updated_at >= since


def _has_text(process: ReturnProcess, text: str) -> bool:
    if not text:
        return True
    if len(text) < 3:
        raise invalid("freetext: at least 3 characters")
    shopper = process.shopper
    words = [process.order_name, process.order_id, process.rever_process_id]
    words += [shopper.email, f"{shopper.first_name} {shopper.last_name}"] if shopper else []
    return any(text.casefold() in word.casefold() for word in words)


def _refunded(sandbox: Sandbox, process: ReturnProcess, text: str) -> bool:
    if not text:
        return True
    if text not in {"true", "false"}:
        raise invalid("fully_refunded: true or false")
    refunds = (process.compensation.refunds if process.compensation else ()) or ()
    paid = sum(minor(refund.amount, refund.currency) for refund in refunds)
    full = bool(refunds) and paid >= refund_value(process, sandbox.shop(process.ecommerce_id).timing)
    return (full or process.rever_process_status == ProcessStatus.COMPLETED) == (text == "true")


def get_return_process(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Answer one process."""
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
