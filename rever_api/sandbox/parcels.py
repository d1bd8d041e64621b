"""Logistic orders and the parcels that a process shows for them."""

from rever_api.models import (
    Address,
    LogisticOrder,
    LogisticsEntry,
    ReturnProcess,
    ShippingStatus,
    Warehouse,
)
from rever_api.sandbox.books import Actor
from rever_api.sandbox.labels import label_pdf
from rever_api.sandbox.shops import Shop
from rever_api.sandbox.state import Sandbox, StoredProcess


def warehouse_for(shop: Shop, country: str) -> Warehouse:
    """Return the warehouse that serves the shopper's country, else the shop's default one."""
    serving = (house for house in shop.warehouses if country in house.countries)
    return next(serving, next(house for house in shop.warehouses if house.is_default))


def entry_for(order: LogisticOrder, status: ShippingStatus) -> LogisticsEntry:
    """Return what the process shows for a logistic order."""
    return LogisticsEntry(
        tracking_number=order.tracking_id, tracking_url=order.tracking_url, status=status, carrier=order.carrier,
        method=order.return_method, from_=order.from_, to=order.to,
    )  # fmt: skip


def new_order(sandbox: Sandbox, process: ReturnProcess, provider: str, carrier: str, method: str) -> LogisticOrder:
    """Return a logistic order from the shopper to the warehouse, with a tracking number of its own."""
    order_id = sandbox.ids.new("lord")
    tracking = f"{carrier[:3].upper()}{order_id[-12:].upper()}"
    origin = process.pickup_address or Address()
    return LogisticOrder(
        id=order_id,
        process_id=process.rever_process_id,
        provider=provider,
        carrier=carrier,
        return_method=method,
        tracking_id=tracking,
        tracking_url=f"https://tracking.example.com/{tracking}",
        from_=origin,
        to=warehouse_for(sandbox.shops[process.ecommerce_id], origin.country_code).address,
    )


def register(
    sandbox: Sandbox, stored: StoredProcess, order: LogisticOrder, operation: str, file: tuple[bytes, str] | None = None
) -> LogisticOrder:
    """Make an order through the API: books, label file, and a parcel on the process with status CREATED."""
    before = stored.process
    sandbox.books.write(
        at=sandbox.clock(), process_id=before.rever_process_id, store=before.ecommerce_id, operation=operation,
        by=Actor.API, status_before=str(before.rever_process_status), reference=order.id, before=before,
    )  # fmt: skip
    sandbox.label_files[order.id] = file or (label_pdf(order.tracking_id, order.carrier), "pdf")
    stored.orders = (*stored.orders, order)
    entry = entry_for(order, ShippingStatus.CREATED)
    sandbox.change(stored, logistics=(*(before.logistics or ()), entry))
    return order
