"""Labels: logistic orders and the parcels shown for them, and short-lived URLs of their files, which need no key."""

import hashlib
import hmac
from datetime import datetime

from rever_api.models import Address, LogisticOrder, LogisticsEntry, ReturnProcess, ShippingStatus
from rever_api.sandbox.label_files import label_of
from rever_api.sandbox.state import Actor, Sandbox, StoredProcess


def parcel_of(order: LogisticOrder, status: ShippingStatus) -> LogisticsEntry:
    """Return the parcel that the process shows for a logistic order."""
    return LogisticsEntry(
        tracking_number=order.tracking_id, tracking_url=order.tracking_url, status=status, carrier=order.carrier,
        method=order.return_method, from_=order.from_, to=order.to,
    )  # fmt: skip


def new_order(sandbox: Sandbox, process: ReturnProcess, provider: str, carrier: str, method: str) -> LogisticOrder:
    """Return an order, with a new tracking number, from the shopper to the warehouse that serves their country."""
    order_id = sandbox.ids.new("lord")
    tracking = f"{carrier[:3].upper()}{order_id[-12:].upper()}"
    origin = process.pickup_address or Address()
    warehouses = sandbox.shops[process.ecommerce_id].warehouses
    default = next(house for house in warehouses if house.is_default)
    warehouse = next((house for house in warehouses if origin.country_code in house.countries), default)
    return LogisticOrder(
        id=order_id,
        process_id=process.rever_process_id,
        provider=provider,
        carrier=carrier,
        return_method=method,
        tracking_id=tracking,
        tracking_url=f"https://tracking.example.com/{tracking}",
        from_=origin,
        to=warehouse.address,
    )


def register(
    sandbox: Sandbox, stored: StoredProcess, order: LogisticOrder, operation: str, file: tuple[bytes, str] | None = None
) -> LogisticOrder:
    """Make an order through the API: books, label file, and a parcel on the process with status CREATED."""
    before = stored.process
    sandbox.write_effect(before, operation, Actor.API, reference=order.id)
    sandbox.label_files[order.id] = file or label_of(order)
    stored.orders = (*stored.orders, order)
    sandbox.change(stored, logistics=(*(before.logistics or ()), parcel_of(order, ShippingStatus.CREATED)))
    return order


def presigned_path(order_id: str, extension: str, expires: datetime, seed: int) -> str:
    """Return the path and query under which the label can be fetched until `expires`, without a key."""
    until = int(expires.timestamp())
    return f"/_sandbox/labels/{order_id}.{extension}?expires={until}&signature={_sign(order_id, until, seed)}"


def is_signed(order_id: str, expires: str, signature: str, now: datetime, seed: int) -> bool:
    """Whether the query of a label's URL was made here and has not run out."""
    if not expires.isdecimal() or int(expires) < now.timestamp():
        return False
    return hmac.compare_digest(signature, _sign(order_id, int(expires), seed))


def _sign(order_id: str, until: int, seed: int) -> str:
    return hmac.new(f"sandbox-{seed}".encode(), f"{order_id}/{until}".encode(), hashlib.sha256).hexdigest()
