"""When a process is at its end: each unit has its outcome."""

from collections.abc import Iterable
from decimal import Decimal

from rever_api.models import (
    Compensation,
    ExchangeItem,
    ExchangeOrder,
    LineQuantity,
    ProcessStatus,
    Product,
    Refund,
    RefundInput,
    ReturnProcess,
    ReturnStatus,
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
    refund_value,
)
from rever_api.sandbox.state import Actor, Sandbox, StoredProcess


def complete(sandbox: Sandbox, stored: StoredProcess) -> None:
    """End a running process all of whose units have their outcome, at once or after the sandbox's delay."""
    if not _has_all_outcomes(sandbox, stored):
        return

    def end() -> None:
        if stored.process.rever_process_status == ProcessStatus.RUNNING:
            sandbox.change(stored, rever_process_status=ProcessStatus.COMPLETED, return_status=ReturnStatus.COMPLETED)

    delay = sandbox.options.completion_delay
    if delay > 0:
        sandbox.later(delay, end)
    else:
        end()


def _has_all_outcomes(sandbox: Sandbox, stored: StoredProcess) -> bool:
    process, timing = stored.process, sandbox.shops[stored.process.ecommerce_id].timing
    if process.rever_process_status != ProcessStatus.RUNNING:
        return False
    if not all(fully_reviewed(process, line) for line in process.return_line_items):
        return False
    refunded_instead = 0
    for line in process.return_line_items:
        if not is_exchange(line):
            continue
        money, goods = stored.refunded.get(line.id, 0), stored.exchanged.get(line.id, 0)
        if money + goods < approved_units(process, line, timing):
            return False
        refunded_instead += line_value(line, min(money, line.quantity))
    gross = refund_gross(process, timing) + refunded_instead
    return _paid(process) >= max(0, gross - costs(process))


def _paid(process: ReturnProcess) -> int:
    refunds = (process.compensation.refunds if process.compensation else ()) or ()
    return sum(minor(refund.amount, refund.currency) for refund in refunds)


# Refunds and exchanges as REVER carries them out: written in the books, shown on the process. Nothing is deduped.


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


# The REVER that pays by itself, some seconds after the review, as its setting `refund.timing` lets it do.


def will_pay_itself(sandbox: Sandbox, stored: StoredProcess) -> None:
    """Where the shop's REVER pays by itself: have it pay what is approved by then, some seconds from now."""
    delay = sandbox.shops[stored.process.ecommerce_id].pays_itself_after
    if delay is not None:
        sandbox.later(delay, lambda: _pay_itself(sandbox, stored))


def _pay_itself(sandbox: Sandbox, stored: StoredProcess) -> None:
    """Pay what this REVER itself has not paid yet. It does not look at what others paid."""
    process, timing = stored.process, sandbox.shops[stored.process.ecommerce_id].timing
    if process.rever_process_status != ProcessStatus.RUNNING:
        return
    own = [e for e in sandbox.books.of(process.rever_process_id) if e.by is Actor.REVER]
    for due in refunds_due(process, timing):
        earlier = [e for e in own if e.type == due.type]
        left = due.amount - sum(e.amount or 0 for e in earlier)
        items = _without(due.items, [item for e in earlier for item in e.items])
        if left > 0 and items:
            pay(sandbox, stored, due.model_copy(update={"amount": left, "items": items}), Actor.REVER)
    if not any(e.operation == "issueExchange" for e in own):
        _exchange_itself(sandbox, stored, timing)


def _without(items: tuple[LineQuantity, ...], earlier: list[LineQuantity]) -> tuple[LineQuantity, ...]:
    left = {item.line_item_id: item.quantity for item in items}
    for item in earlier:
        left[item.line_item_id] = left.get(item.line_item_id, 0) - item.quantity
    return tuple(LineQuantity(line_item_id=line, quantity=units) for line, units in left.items() if units > 0)


def _exchange_itself(sandbox: Sandbox, stored: StoredProcess, timing: str) -> None:
    lines = [line for line in stored.process.return_line_items if is_exchange(line)]
    if not lines or not all(fully_reviewed(stored.process, line) for line in lines):
        return
    due = [(line, approved_units(stored.process, line, timing)) for line in lines]
    wanted = [(line, units, line.exchange_for) for line, units in due if units and line.exchange_for is not None]
    if not wanted or any(sandbox.stock.get(product.variant_id, 0) < units for _, units, product in wanted):
        return
    for _, units, product in wanted:
        sandbox.stock[product.variant_id] -= units
    items = tuple(
        ExchangeItem(line_item_id=line.id, variant_id=product.variant_id, quantity=units)
        for line, units, product in wanted
    )
    send_exchange(sandbox, stored, items, tuple(product for _, _, product in wanted), Actor.REVER)


def refunds_due(process: ReturnProcess, timing: str) -> list[RefundInput]:
    """Return one refund per compensation method for all that is approved; costs come off in line order."""
    left = refund_gross(process, timing) - refund_value(process, timing)
    amounts: dict[str, int] = {}
    items: dict[str, list[LineQuantity]] = {}
    lines = [line for line in process.return_line_items if not is_exchange(line)]
    for line in lines:
        units, method = approved_units(process, line, timing), str(line.compensation_method)
        if units:
            gross = line_value(line, units)
            taken = min(left, gross)
            left -= taken
            amounts[method] = amounts.get(method, 0) + gross - taken
            items.setdefault(method, []).append(LineQuantity(line_item_id=line.id, quantity=units))
    return [
        RefundInput(
            type=method, amount=major(amount, lines[0].currency), currency=lines[0].currency, items=tuple(items[method])
        )
        for method, amount in amounts.items()
        if amount > 0
    ]
