"""New returns, one or many. The sandbox keeps no orders: any order name is taken, the goods must be the shop's."""

from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from rever_api.models import (
    Compensation,
    CompensationMethod,
    ProcessStatus,
    ReturnInput,
    ReturnItemInput,
    ReturnLineItem,
    ReturnMethod,
    ReturnProcess,
    ReturnStatus,
    Shopper,
)
from rever_api.sandbox.books import Actor
from rever_api.sandbox.operations.call import Call, wire
from rever_api.sandbox.people import address
from rever_api.sandbox.refusal import Refusal, invalid, unreadable
from rever_api.sandbox.shops import Shop
from rever_api.sandbox.state import Sandbox, StoredProcess

_MOST = 100


def create_return(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Start a return. The same order twice is two returns."""
    return wire(open_return(sandbox, call.read(ReturnInput), Actor.API))


def import_returns(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Start up to 100 returns; each is accepted or refused by itself."""
    entries = call.part("returns")
    if not isinstance(entries, list) or not 1 <= len(entries) <= _MOST:
        raise invalid(f"returns: 1 to {_MOST} of them")
    return {"results": [_import(sandbox, entry) for entry in entries]}


def _import(sandbox: Sandbox, entry: Any) -> dict[str, Any]:
    try:
        process = open_return(sandbox, ReturnInput.model_validate(entry), Actor.API)
    except ValidationError as error:
        return {"process_id": None, "error": unreadable(error).body}
    except Refusal as refusal:
        return {"process_id": None, "error": refusal.body}
    return {"process_id": process.rever_process_id}


def open_return(sandbox: Sandbox, wanted: ReturnInput, by: Actor) -> ReturnProcess:
    """Make a running process without a label, and write it in the books."""
    if wanted.ecommerce_id not in sandbox.shops:
        raise invalid("ecommerce_id: no such ecommerce")
    shop, now, number = sandbox.shops[wanted.ecommerce_id], sandbox.clock(), len(sandbox.processes) + 1
    lines = tuple(_line(sandbox, shop, item) for item in wanted.items)
    person = Shopper(email=wanted.email)
    process = ReturnProcess(
        rever_process_id=sandbox.ids.new("retp"), rever_process_status=ProcessStatus.RUNNING, return_line_items=lines,
        return_status=ReturnStatus.STARTED, portal_name=shop.name, platform_process_id=f"{shop.id}-{number}",
        ecommerce_id=shop.id, ecommerce_group=sandbox.group, started_at=now, updated_at=now,
        order_id=f"ord_{shop.id}_{number:05}", order_name=wanted.order_name, shopper=person,
        pickup_address=address(person, number, shop.countries[0]), return_method=ReturnMethod.DROP_OFF_POINT,
        pickup_ranges=("NO_RANGE",), return_costs=Decimal("0.00"), reviews=(), compensation=Compensation(refunds=()),
        logistics=(),
    )  # fmt: skip
    sandbox.books.write(
        at=now, process_id=process.rever_process_id, store=shop.id, operation="createReturn", by=by, status_before="",
    )  # fmt: skip
    sandbox.add(StoredProcess(process, "created", process, now))
    return process


def _line(sandbox: Sandbox, shop: Shop, item: ReturnItemInput) -> ReturnLineItem:
    if item.sku not in shop.goods:
        raise invalid("items.sku: not sold by this shop")
    product, price = shop.goods[item.sku]
    zero = Decimal("0.00")
    return ReturnLineItem(
        id=sandbox.ids.new("retl"), return_reason=item.return_reason or "OTHER", product=product,
        quantity=item.quantity, unit_price=price, subtotal_price=price * item.quantity, total_discounts=zero,
        total_taxes=zero, total_price=price * item.quantity, currency=shop.settings.currency,
        compensation_method=item.compensation_method or CompensationMethod.ORIGINAL_PAYMENT_METHOD,
        exchange_for=item.exchange_for,
    )  # fmt: skip
