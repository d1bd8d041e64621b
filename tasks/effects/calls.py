"""The one call of each kind of effect. Only `effects.perform` makes them: none may go out twice.

A further kind is a module in `tasks.policy.kinds`, and its call and its line in `EFFECTS` here.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rever_api.limits import AsyncSlot as Slot
from rever_api.models import (
    ExchangeItem,
    LineQuantity,
    LogisticCustomer,
    LogisticOrder,
    LogisticOrderRequest,
    RefundInput,
    ReturnInput,
    ReturnItemInput,
    ReturnProcess,
    ReviewInput,
    Warehouse,
    logistic_address,
)
from tasks.desk import Desk, DeskError
from tasks.files.made_label import LabelFile, read_label
from tasks.files.table import InputFileError
from tasks.ledger import Claim, returns_tracked_as
from tasks.policy.comparison import Standing
from tasks.policy.country import country_of
from tasks.policy.decision import Cancellation, MakeLabel
from tasks.policy.facts import told_of_the_past
from tasks.policy.kinds import CANCEL, CREATE_RETURN, EXCHANGE, LABEL, REFUND, REGISTER_LABEL, REVIEW, Kind
from tasks.policy.kinds.create_return import NewReturn
from tasks.policy.kinds.register_label import MadeLabel
from tasks.policy.kinds.review import Reviews
from tasks.policy.label_choice import named_warehouse, warehouse_for
from tasks.policy.record import MADE, IntentKind, PaidSeen


@dataclass(frozen=True, slots=True)
class Confirmed:
    """REVER's answer that an effect is done: the evidence, and of a refund how much REVER says is paid of it."""

    evidence: Mapping[str, str]
    paid: PaidSeen | None = None


Send = Callable[[Desk, Claim, ReturnProcess, Slot], Awaitable[Confirmed]]
"""The one call of an effect, made only by `effects.perform`. Returns once it was done; raises a `ReverError`."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A kind of effect (its rules and evidence, `tasks.policy.kinds`) with its call."""

    kind: Kind[Any, Any]
    send: Send


async def send_refund(desk: Desk, claim: Claim, process: ReturnProcess, slot: Slot) -> Confirmed:
    """One issueRefund: two identical calls would be two refunds.

    A refund that REVER has accepted may be on its way: what is paid already is said apart.
    """
    intent = claim.intent
    body = RefundInput(
        type=intent.method,
        amount=intent.amount,
        currency=intent.currency,
        items=tuple(LineQuantity(line_item_id=item.line_id, quantity=item.quantity) for item in intent.items),
    )
    refund = await desk.client.issue_refund(process.rever_process_id, body, slot=slot)
    refund = refund.model_copy(update={"refunded_at": told_of_the_past(refund.refunded_at, desk.clock())})
    when = refund.refunded_at.isoformat() if refund.refunded_at else "not said"
    seen = Standing.of(intent, [refund]).seen(desk.clock())
    evidence = {"answer": "REVER confirmed the refund", "refunded_at": when}
    if seen.paid != intent.amount:
        evidence |= {"paid": str(seen.paid), "on its way": str(intent.amount - seen.paid)}
    return Confirmed(evidence, seen)


async def send_exchange(desk: Desk, claim: Claim, process: ReturnProcess, slot: Slot) -> Confirmed:
    """One issueExchange for all replacement goods of a return."""
    items = tuple(
        ExchangeItem(
            line_item_id=item.line_id,
            variant_id=item.variant_id,
            product_id=item.product_id,
            quantity=len(item.units),
        )
        for item in claim.content
    )
    order = await desk.client.issue_exchange(process.rever_process_id, items, slot=slot)
    return Confirmed({"answer": "REVER ordered the replacement", "order": order.order_name or order.order_id})


async def send_label(desk: Desk, claim: Claim, process: ReturnProcess, slot: Slot) -> Confirmed:
    """One createOrderV2, for a label or a pickup. A PUT by method, but each may order another pickup."""
    label: MakeLabel = claim.content
    warehouses = await desk.warehouses(claim.store)
    order = await desk.client.create_order_v2(order_request(claim, label, process, warehouses), slot=slot)
    carrier = order.carrier or label.carrier
    return Confirmed({"answer": "REVER ordered the label", "order": order.id, "carrier": carrier})


def order_request(
    claim: Claim, label: MakeLabel, process: ReturnProcess, warehouses: Sequence[Warehouse]
) -> LogisticOrderRequest:
    """The body of createOrderV2: from the shopper's address to the warehouse of the store's own rule, else to that
    which serves their country.

    Where the address names its country but no code, the code by which the carrier was chosen is sent. Raises
    `DeskError` where the store has no such warehouse.
    """
    origin, shopper = process.pickup_address, process.shopper
    if label.warehouse:
        warehouse = named_warehouse(warehouses, label.warehouse)
        if warehouse is None:
            raise DeskError(f"the store has no warehouse {label.warehouse!r}, to which its own rule sends the goods")
    else:
        warehouse = warehouse_for(tuple(warehouses), country_of(origin))
    return LogisticOrderRequest(
        process_id=process.rever_process_id,
        provider=label.provider,
        carrier=label.carrier,
        return_method=label.return_method,
        customer=LogisticCustomer(email=shopper.email, first_name=shopper.first_name, last_name=shopper.last_name)
        if shopper
        else None,
        customer_address=logistic_address(origin, country_of(origin)),
        ecommerce_warehouse_address=logistic_address(warehouse.address) if warehouse else None,
        ecommerce_id=claim.store,
        ecommerce_group=process.ecommerce_group,
        ecommerce_order_id=process.order_id,
        order_number=process.order_name,
        pickup_ranges=label.slots or process.pickup_ranges,
    )


async def send_review(desk: Desk, claim: Claim, process: ReturnProcess, slot: Slot) -> Confirmed:
    """One addReview; what comes back shows the reviews.

    An answer without a body is looked after by one read at once, beside what REVER showed before the call.
    """
    reviews: Reviews = claim.content
    body = [
        ReviewInput(line_item_id=it.line_id, status=it.status, reject_reason=it.reject_reason)
        for it in sorted(reviews, key=lambda it: (it.line_id, it.unit))
    ]
    await desk.client.add_review(process.rever_process_id, body, before=process, slot=slot)
    return Confirmed({"answer": "REVER recorded the review", "units": str(len(body))})


async def send_cancel(desk: Desk, claim: Claim, process: ReturnProcess, slot: Slot) -> Confirmed:
    """One cancelReturnProcess."""
    wanted: Cancellation = claim.content
    await desk.client.cancel_return_process(process.rever_process_id, wanted.reason, slot=slot)
    return Confirmed({"answer": "REVER cancelled the return"})


class NothingToSendError(Exception):
    """What was asked for cannot be sent any more: nothing has left this machine. The text says why."""


async def send_register_label(desk: Desk, claim: Claim, process: ReturnProcess, slot: Slot) -> Confirmed:
    """One createReverseDelivery for a label that was made outside of REVER: each registers another parcel.

    Raises `NothingToSendError` where the label's file is gone, or is another one by now, and where another return has
    its tracking number: of two that are claimed at the same time, the one that looks later sees the other.
    """
    label: MadeLabel = claim.content
    named = await desk.ledger.aread(returns_tracked_as, label.tracking_id) if label.tracking_id else []
    if any(process_id != claim.process_id for process_id, _ in named):
        raise NothingToSendError(
            "another return has a label of this tracking number, or is being given one; look at the label"
        )
    order = LogisticOrder(
        provider=label.provider,
        carrier=label.carrier,
        return_method=label.return_method,
        tracking_id=label.tracking_id,
        tracking_url=label.tracking_url,
        from_=process.pickup_address,
    )
    file = _file_of(label)
    content, extension = (file.content, file.extension) if file else (b"", "")
    made = await desk.client.create_reverse_delivery(process.rever_process_id, order, content, extension, slot=slot)
    return Confirmed(
        {"answer": "REVER registered the label", "order": made.id, "carrier": made.carrier or label.carrier}
    )


def _file_of(label: MadeLabel) -> LabelFile | None:
    if label.forgotten:
        raise NothingToSendError("the label was forgotten at the shopper's request; it is registered anew, if at all")
    if not label.file:
        return None
    try:
        found = read_label(Path(label.file))
    except InputFileError:  # its words name the file, and the audit keeps what is said here for ever
        raise NothingToSendError(
            "the label's file is not there any more, or cannot be read; register it anew"
        ) from None
    if found.digest != label.digest:
        raise NothingToSendError("the label's file is another one than was given; register it anew")
    return found


async def send_create_return(desk: Desk, claim: Claim, process: ReturnProcess, slot: Slot) -> Confirmed:
    """One createReturn, with the shopper's e-mail that who asked for it gave: each makes another return.

    `process` is the order as read.
    """
    new: NewReturn = claim.content
    items = tuple(
        ReturnItemInput(
            sku=item.sku, quantity=len(item.units), return_reason=item.reason, compensation_method=item.method
        )
        for item in new.items
    )
    body = ReturnInput(ecommerce_id=process.ecommerce_id, order_name=new.order_name, email=new.email, items=items)
    made = await desk.client.create_return(body, slot=slot)
    return Confirmed({"answer": "REVER made the return", MADE: made.rever_process_id})


EFFECTS: Mapping[IntentKind, Effect] = MappingProxyType(
    {
        kind.name: Effect(kind, send)
        for kind, send in (
            (REFUND, send_refund),
            (EXCHANGE, send_exchange),
            (LABEL, send_label),
            (REVIEW, send_review),
            (CANCEL, send_cancel),
            (REGISTER_LABEL, send_register_label),
            (CREATE_RETURN, send_create_return),
        )
    }
)
"""Kind -> effect: how a claim is carried out, whoever has made it."""
