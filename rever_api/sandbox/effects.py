"""Refunds and exchanges as REVER carries them out: written in the books, shown on the process. Nothing is deduped."""

from collections.abc import Iterable
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
    wait = 0.0 if by is Actor.HISTORY else sandbox.options.pays_out_after
    paid = Refund(
        amount=amount,
        currency=refund.currency,
        type=refund.type,
        refunded_at=sandbox.clock() if wait == 0 else None,
        missing_amount=Decimal(0) if wait == 0 else amount,
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
    cent = major(1, refund.currency)
    if sandbox.options.pays_in_legs and amount > cent and by is not Actor.HISTORY:
        part_in_legs(sandbox, stored, cent)
    if completes:
        complete(sandbox, stored)
    if wait:
        sandbox.later(wait, lambda: pay_out(sandbox, stored))
    return paid


def pay_out(sandbox: Sandbox, stored: StoredProcess, amount: Decimal | None = None) -> None:
    """Pay what is on its way, one refund after another: all of it, or so much."""
    left, paid = amount, []
    for refund in _shown(stored):
        missing = refund.missing_amount or Decimal(0)
        part = missing if left is None else min(left, missing)
        left = None if left is None else left - part
        now = {"missing_amount": missing - part, "refunded_at": sandbox.clock()}
        paid.append(refund.model_copy(update=now) if part else refund)
    _show(sandbox, stored, paid)


def come_back(sandbox: Sandbox, stored: StoredProcess) -> None:
    """The payments fail after all, days later: the money of every refund is with the store again."""
    failed = [it.model_copy(update={"missing_amount": it.amount, "refunded_at": None}) for it in _shown(stored)]
    _show(sandbox, stored, failed)


def part_in_legs(sandbox: Sandbox, stored: StoredProcess, first: Decimal) -> None:
    """Show the last refund as two, since the order was paid by two payments; the first leg is of this amount."""
    *others, last = _shown(stored)
    amounts = (first, last.amount - first)
    missing = last.missing_amount or Decimal(0)
    legs = [last.model_copy(update={"amount": it, "missing_amount": min(it, missing)}) for it in amounts]
    _show(sandbox, stored, [*others, *legs])


def _shown(stored: StoredProcess) -> tuple[Refund, ...]:
    return (stored.process.compensation.refunds or ()) if stored.process.compensation else ()


def _show(sandbox: Sandbox, stored: StoredProcess, refunds: Iterable[Refund]) -> None:
    shown = stored.process.compensation or Compensation(refunds=())
    sandbox.change(stored, compensation=shown.model_copy(update={"refunds": tuple(refunds)}))


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
