"""What a return is still owed now."""

from rever_api.models import (
    CompensationMethod,
    ProcessStatus,
    RefundTiming,
    ReturnLineItem,
    ReturnMethod,
    ReturnProcess,
    ReturnStatus,
    ShippingStatus,
)
from rever_api.sandbox.arithmetic import (
    approved_units,
    costs,
    fully_reviewed,
    is_exchange,
    line_value,
    major,
    minor,
    refund_gross,
    reviewed,
)
from rever_api.sandbox.shops import OPS, Shop
from rever_api.sandbox.state import Sandbox, StoredProcess
from rever_api.sandbox.verdict import Due

_NOT_NOW = {ProcessStatus.COMPLETED, ProcessStatus.FAILED, ProcessStatus.CANCELED, ProcessStatus.ON_HOLD}
_TIMINGS = {RefundTiming.ON_START, RefundTiming.ON_ITEM_SENT, RefundTiming.ON_ITEM_VERIFIED}
_BY_PARCEL = {ReturnMethod.HOME_PICK_UP, ReturnMethod.DROP_OFF_POINT, ReturnMethod.DELIVERY_PICKUP}


def due_of(sandbox: Sandbox, stored: StoredProcess) -> Due | None:
    """Return what the process is owed, or None where REVER has ended or stopped it, or nothing is open."""
    process, shop = stored.process, sandbox.shops[stored.process.ecommerce_id]
    if process.rever_process_status in _NOT_NOW:
        return None
    amount, goods = _money(stored, shop.timing), _goods(stored, shop.timing)
    label = _wants_label(process)
    due = Due(
        process_id=process.rever_process_id,
        store=shop.id,
        currency=process.return_line_items[0].currency,
        amount=major(amount, process.return_line_items[0].currency),
        exchange_units=sum(units for _, units in goods),
        label=label,
        unreviewed=sum(
            line.quantity - reviewed(process, line)
            for line in process.return_line_items
            if not fully_reviewed(process, line)
        ),
        payer="desk" if shop.pays_itself_after is None else "rever",
        blocked=_blocked(sandbox, stored, shop, goods) if amount or goods else "",
        label_blocked=_label_blocked(process, shop) if label else "",
    )
    return due if due.amount or due.exchange_units or due.label or due.unreviewed else None


def _money(stored: StoredProcess, timing: str) -> int:
    process = stored.process
    instead = sum(
        line_value(line, min(stored.refunded.get(line.id, 0), approved_units(process, line, timing)))
        for line in process.return_line_items
        if is_exchange(line)
    )
    refunds = (process.compensation.refunds if process.compensation else ()) or ()
    paid = sum(minor(refund.amount, refund.currency) for refund in refunds)
    return max(0, max(0, refund_gross(process, timing) + instead - costs(process)) - paid)


def _goods(stored: StoredProcess, timing: str) -> list[tuple[ReturnLineItem, int]]:
    process = stored.process
    lines = [line for line in process.return_line_items if is_exchange(line)]
    if not all(fully_reviewed(process, line) for line in lines):
        return []
    left = [
        (
            line,
            approved_units(process, line, timing) - stored.exchanged.get(line.id, 0) - stored.refunded.get(line.id, 0),
        )
        for line in lines
    ]
    return [(line, units) for line, units in left if units > 0]


def _blocked(sandbox: Sandbox, stored: StoredProcess, shop: Shop, goods: list[tuple[ReturnLineItem, int]]) -> str:
    """Return why a person must decide about the money or the goods, or nothing."""
    process = stored.process
    if process.rever_process_status != ProcessStatus.RUNNING:
        return f"unknown process status {process.rever_process_status}"
    if shop.timing not in _TIMINGS:
        return f"unknown refund timing {shop.timing}"
    methods = {str(line.compensation_method) for line in process.return_line_items}
    if unknown := sorted(methods - set(CompensationMethod)):
        return f"unknown compensation method {unknown[0]}"
    if any(e.foreign and e.operation == "issueRefund" for e in sandbox.books.of(process.rever_process_id)):
        return "somebody else has paid another amount"
    for line, units in goods:
        if sandbox.stock.get(line.exchange_for.variant_id if line.exchange_for else "", 0) < units:
            return "the wanted variant is out of stock"
    return ""


def _wants_label(process: ReturnProcess) -> bool:
    """Whether goods are still to be sent: not where every unit is inspected."""
    return (
        process.rever_process_status == ProcessStatus.RUNNING
        and process.return_status in {ReturnStatus.STARTED, ""}
        and process.return_method in _BY_PARCEL
        and not all(fully_reviewed(process, line) for line in process.return_line_items)
        and all(parcel.status == ShippingStatus.CANCELED for parcel in process.logistics or ())
    )


def _label_blocked(process: ReturnProcess, shop: Shop) -> str:
    """Return why a person must see to the label: nobody comes to that country, or only a person can order it."""
    country = process.pickup_address.country_code if process.pickup_address else ""
    fitting = [
        carrier.provider
        for carrier in shop.settings.carriers
        if country in carrier.countries and process.return_method in carrier.return_methods
    ]
    if not fitting:
        return f"no carrier for {process.return_method} in {country}"
    return "" if any(provider != OPS for provider in fitting) else "provider OPS is handled by hand"
