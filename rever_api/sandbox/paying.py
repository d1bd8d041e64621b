"""Refunds and exchanges as REVER carries them out: written in the books, shown on the process. Nothing is deduped."""

from decimal import Decimal

from rever_api.models import Compensation, ExchangeItem, ExchangeOrder, LineQuantity, Product, Refund, RefundInput
from rever_api.sandbox.arithmetic import major, minor
from rever_api.sandbox.books import Actor
from rever_api.sandbox.completion import complete
from rever_api.sandbox.state import Sandbox, StoredProcess


def pay(sandbox: Sandbox, stored: StoredProcess, refund: RefundInput, by: Actor, *, completes: bool = True) -> Refund:
    """Carry out a refund, whatever the process's state; the last outcome ends the process where it `completes`."""
    before = stored.process
    amount = major(minor(refund.amount, refund.currency), refund.currency)
    paid = Refund(
        amount=amount,
        currency=refund.currency,
        type=refund.type,
        refunded_at=sandbox.clock(),
        missing_amount=Decimal(0),
    )
    sandbox.books.write(
        at=sandbox.clock(), process_id=before.rever_process_id, store=before.ecommerce_id, operation="issueRefund",
        by=by, status_before=str(before.rever_process_status), amount=amount, currency=refund.currency,
        type=str(refund.type), items=refund.items, before=before,
    )  # fmt: skip
    for item in refund.items:
        stored.refunded[item.line_item_id] = stored.refunded.get(item.line_item_id, 0) + item.quantity
    shown = before.compensation or Compensation(refunds=())
    sandbox.change(stored, compensation=shown.model_copy(update={"refunds": (*(shown.refunds or ()), paid)}))
    if completes:
        complete(sandbox, stored)
    return paid


def send_exchange(
    sandbox: Sandbox, stored: StoredProcess, items: tuple[ExchangeItem, ...], wanted: tuple[Product, ...], by: Actor
) -> ExchangeOrder:
    """Order replacement goods; `wanted` are the products of `items`, in their order. Stock is taken by the caller."""
    before = stored.process
    reference = sandbox.ids.new("xord")
    order = ExchangeOrder(
        order_id=reference,
        order_name=f"{before.order_name}-X{len(sandbox.books) + 1}",
        shipping_address=before.pickup_address,
        ordered_items=tuple(product for item, product in zip(items, wanted, strict=True) for _ in range(item.quantity)),
    )
    sandbox.books.write(
        at=sandbox.clock(), process_id=before.rever_process_id, store=before.ecommerce_id, operation="issueExchange",
        by=by, status_before=str(before.rever_process_status), reference=reference, before=before,
        items=tuple(LineQuantity(line_item_id=item.line_item_id, quantity=item.quantity) for item in items),
    )  # fmt: skip
    for item in items:
        stored.exchanged[item.line_item_id] = stored.exchanged.get(item.line_item_id, 0) + item.quantity
    shown = before.compensation or Compensation(refunds=())
    sandbox.change(stored, compensation=shown.model_copy(update={"exchange_order": order}))
    complete(sandbox, stored)
    return order
