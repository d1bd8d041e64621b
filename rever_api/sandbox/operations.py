"""The calls that move money and goods: reviews, refunds, exchanges, cancellation. None of them notices a repetition."""

from typing import Any

from pydantic import BaseModel

from rever_api.models import (
    ExchangeItem,
    LineQuantity,
    LogisticsEntry,
    ProcessStatus,
    Product,
    RefundInput,
    ReturnProcess,
    Review,
    ReviewInput,
    ReviewStatus,
    ShippingStatus,
)
from rever_api.sandbox.arithmetic import minor, refund_value, reviewed
from rever_api.sandbox.autopay import will_pay_itself
from rever_api.sandbox.books import Actor
from rever_api.sandbox.completion import complete
from rever_api.sandbox.operations.call import Call, wire
from rever_api.sandbox.paying import pay, send_exchange
from rever_api.sandbox.refusal import ABORTED, ALREADY_EXISTS, FAILED_PRECONDITION, Refusal, invalid
from rever_api.sandbox.state import Sandbox, StoredProcess

_FINAL = {ProcessStatus.COMPLETED, ProcessStatus.FAILED, ProcessStatus.CANCELED}


class _Reason(BaseModel):
    reason: str = ""


def add_review(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Record inspections, one entry per unit, all or none; 409 for a unit that has its review already."""
    stored = sandbox.find(call.process_id)
    review(sandbox, stored, call.list_of("reviews", ReviewInput), Actor.API)
    return wire(stored.process)


def review(sandbox: Sandbox, stored: StoredProcess, entries: tuple[ReviewInput, ...], by: Actor) -> None:
    """Check and record inspections, whoever made them; REVER may then pay by itself."""
    before = stored.process
    _check_reviews(before, entries)
    taken = tuple(
        Review(**entry.model_dump(), review_date=sandbox.clock(), user="api" if by is Actor.API else "warehouse")
        for entry in entries
    )
    items = tuple(LineQuantity(line_item_id=entry.line_item_id, quantity=1) for entry in entries)
    _write(sandbox, before, "addReview", by, items)
    sandbox.change(stored, reviews=(*(before.reviews or ()), *taken))
    complete(sandbox, stored)
    will_pay_itself(sandbox, stored)


def _check_reviews(process: ReturnProcess, entries: tuple[ReviewInput, ...]) -> None:
    if process.rever_process_status != ProcessStatus.RUNNING:
        raise Refusal(409, FAILED_PRECONDITION, f"process is {process.rever_process_status}")
    lines = {line.id: line for line in process.return_line_items}
    for entry in entries:
        if entry.line_item_id not in lines:
            raise invalid("line_item_id: not a line of this process")
        if entry.status not in set(ReviewStatus):
            raise invalid("status: APPROVED, DECLINED or MISSING")
        if entry.status == ReviewStatus.DECLINED and not entry.reject_reason:
            raise invalid("reject_reason: required when DECLINED")
    for line_id, line in lines.items():
        new = sum(entry.line_item_id == line_id for entry in entries)
        if new and reviewed(process, line) + new > line.quantity:
            raise Refusal(409, ALREADY_EXISTS, "a unit of the line was reviewed already")


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
        _check_amount(sandbox, stored.process, amount)
    return wire(pay(sandbox, stored, refund, Actor.API))


def _check_amount(sandbox: Sandbox, process: ReturnProcess, amount: int) -> None:
    refunds = (process.compensation.refunds if process.compensation else ()) or ()
    paid = sum(minor(refund.amount, refund.currency) for refund in refunds)
    if paid + amount > refund_value(process, sandbox.shop(process.ecommerce_id).timing):
        raise Refusal(422, FAILED_PRECONDITION, "the amount is above what is still refundable")


def issue_exchange(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Order replacement goods, all or none; 409 with code 9 when a variant is out of stock."""
    stored, items = sandbox.find(call.process_id), call.list_of("items", ExchangeItem)
    _check_lines(stored.process, [item.line_item_id for item in items])
    _check_status(sandbox, stored.process)
    goods = {product.variant_id: product for product, _ in sandbox.shop(stored.process.ecommerce_id).goods.values()}
    if any(item.variant_id not in goods for item in items):
        raise invalid("variant_id: no such variant")
    _take_stock(sandbox, items)
    wanted: tuple[Product, ...] = tuple(goods[item.variant_id] for item in items)
    return wire(send_exchange(sandbox, stored, items, wanted, Actor.API))


def _take_stock(sandbox: Sandbox, items: tuple[ExchangeItem, ...]) -> None:
    wanted: dict[str, int] = {}
    for item in items:
        wanted[item.variant_id] = wanted.get(item.variant_id, 0) + item.quantity
    if any(sandbox.stock.get(variant, 0) < units for variant, units in wanted.items()):
        raise Refusal(409, FAILED_PRECONDITION, "a wanted variant is out of stock")
    for variant, units in wanted.items():
        sandbox.stock[variant] -= units


def cancel_return_process(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Cancel a process that is not at its end, and its label where the parcel was not collected."""
    stored = sandbox.find(call.process_id)
    call.read(_Reason)
    cancel(sandbox, stored, Actor.API)
    return wire(stored.process)


def cancel(sandbox: Sandbox, stored: StoredProcess, by: Actor) -> None:
    """Cancel, whoever asked; 409 for a process at its end."""
    before = stored.process
    if before.rever_process_status in _FINAL:
        raise Refusal(409, ABORTED, f"process is {before.rever_process_status}")
    _write(sandbox, before, "cancelReturnProcess", by, ())
    sandbox.change(
        stored,
        rever_process_status=ProcessStatus.CANCELED,
        logistics=tuple(_without_label(entry) for entry in before.logistics or ()),
    )


def _without_label(entry: LogisticsEntry) -> LogisticsEntry:
    unused = entry.status in {ShippingStatus.CREATED, ShippingStatus.NO_SHIPPING_STATUS}
    return entry.model_copy(update={"status": ShippingStatus.CANCELED}) if unused else entry


def _check_lines(process: ReturnProcess, line_ids: list[str]) -> None:
    if not set(line_ids) <= {line.id for line in process.return_line_items}:
        raise invalid("line_item_id: not a line of this process")


def _check_status(sandbox: Sandbox, process: ReturnProcess) -> None:
    if sandbox.options.checks_status and process.rever_process_status != ProcessStatus.RUNNING:
        raise Refusal(409, FAILED_PRECONDITION, f"process is {process.rever_process_status}")


def _write(sandbox: Sandbox, before: ReturnProcess, operation: str, by: Actor, items: tuple[LineQuantity, ...]) -> None:
    sandbox.books.write(
        at=sandbox.clock(), process_id=before.rever_process_id, store=before.ecommerce_id, operation=operation, by=by,
        status_before=str(before.rever_process_status), items=items, before=before,
    )  # fmt: skip
