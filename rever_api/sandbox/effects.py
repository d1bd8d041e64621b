"""What happens to a return, whoever causes it: its opening, reviews, refunds, exchange orders, cancellation, its end.

Each effect is written in the books and shown on the process. Nothing is deduplicated.
"""

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

from rever_api.models import (
    Compensation,
    CompensationMethod,
    ExchangeItem,
    ExchangeOrder,
    LineQuantity,
    ProcessStatus,
    Product,
    Refund,
    RefundInput,
    ReturnInput,
    ReturnLineItem,
    ReturnMethod,
    ReturnProcess,
    ReturnStatus,
    Review,
    ReviewInput,
    ReviewStatus,
    ShippingStatus,
    Shopper,
)
from rever_api.sandbox.arithmetic import (
    approved_units,
    costs,
    fully_reviewed,
    is_exchange,
    line_value,
    major,
    minor,
    paid,
    refund_gross,
    refund_value,
    refunds,
    reviewed,
)
from rever_api.sandbox.shops import address
from rever_api.sandbox.state import (
    ABORTED,
    ALREADY_EXISTS,
    CREATED,
    FAILED_PRECONDITION,
    Actor,
    Refusal,
    Sandbox,
    StoredProcess,
    invalid,
)

_FINAL = {ProcessStatus.COMPLETED, ProcessStatus.FAILED, ProcessStatus.CANCELED}


def open_return(sandbox: Sandbox, wanted: ReturnInput, by: Actor) -> ReturnProcess:
    """Make a running process without a label. Any order name is taken; 400 for goods that the shop does not sell."""
    if wanted.ecommerce_id not in sandbox.shops:
        raise invalid("ecommerce_id: no such ecommerce")
    shop, now, number = sandbox.shops[wanted.ecommerce_id], sandbox.clock(), len(sandbox.processes) + 1
    lines, zero = [], Decimal("0.00")
    for item in wanted.items:
        if item.sku not in shop.goods:
            raise invalid("items.sku: not sold by this shop")
        product, price = shop.goods[item.sku]
        lines.append(
            ReturnLineItem(
                id=sandbox.ids.new("retl"), return_reason=item.return_reason or "OTHER", product=product,
                quantity=item.quantity, unit_price=price, subtotal_price=price * item.quantity, total_discounts=zero,
                total_taxes=zero, total_price=price * item.quantity, currency=shop.settings.currency,
                compensation_method=item.compensation_method or CompensationMethod.ORIGINAL_PAYMENT_METHOD,
                exchange_for=item.exchange_for,
            )
        )  # fmt: skip
    shopper = Shopper(email=wanted.email)
    process = ReturnProcess(
        rever_process_id=sandbox.ids.new("retp"), rever_process_status=ProcessStatus.RUNNING,
        return_line_items=tuple(lines), return_status=ReturnStatus.STARTED, portal_name=shop.name,
        platform_process_id=f"{shop.id}-{number}", ecommerce_id=shop.id, ecommerce_group=sandbox.group,
        started_at=now, updated_at=now, order_id=f"ord_{shop.id}_{number:05}", order_name=wanted.order_name,
        shopper=shopper, pickup_address=address(shopper, number, shop.countries[0]),
        return_method=ReturnMethod.DROP_OFF_POINT, pickup_ranges=("NO_RANGE",), return_costs=zero, reviews=(),
        compensation=Compensation(refunds=()), logistics=(),
    )  # fmt: skip
    sandbox.books.write(
        at=now, process_id=process.rever_process_id, store=shop.id, operation="createReturn", by=by,
        status_before="", before=_twin(sandbox, process) if by is Actor.API else None,
    )  # fmt: skip
    sandbox.add(StoredProcess(process, CREATED, process, now))
    return process


def _twin(sandbox: Sandbox, new: ReturnProcess) -> ReturnProcess | None:
    """The return of the same items of the same order, however it is spelled, that was there, and is not called off."""

    def of(process: ReturnProcess) -> tuple[object, ...]:
        items = Counter[str]()
        for line in process.return_line_items:
            items[line.product.sku if line.product else line.id] += line.quantity
        return process.ecommerce_id, process.order_name.strip("# ").casefold(), items

    off = {ProcessStatus.CANCELED, ProcessStatus.FAILED}
    there = (stored.process for stored in sandbox.processes.values())
    return next((it for it in there if it.rever_process_status not in off and of(it) == of(new)), None)


def review(sandbox: Sandbox, stored: StoredProcess, entries: tuple[ReviewInput, ...], by: Actor) -> None:
    """Record inspections, one entry per unit, all or none; REVER may then pay by itself.

    400 for an entry that makes no sense, 409 for a process that does not run or a unit that has its review already.
    """
    before = stored.process
    if before.rever_process_status != ProcessStatus.RUNNING:
        raise Refusal(409, FAILED_PRECONDITION, f"process is {before.rever_process_status}")
    lines = {line.id: line for line in before.return_line_items}
    for entry in entries:
        if entry.line_item_id not in lines:
            raise invalid("line_item_id: not a line of this process")
        if entry.status not in set(ReviewStatus):
            raise invalid("status: APPROVED, DECLINED or MISSING")
        if entry.status == ReviewStatus.DECLINED and not entry.reject_reason:
            raise invalid("reject_reason: required when DECLINED")
    for line_id, new in Counter(entry.line_item_id for entry in entries).items():
        if reviewed(before, lines[line_id]) + new > lines[line_id].quantity:
            raise Refusal(409, ALREADY_EXISTS, "a unit of the line was reviewed already")
    user = "api" if by is Actor.API else "warehouse"
    taken = tuple(Review(**entry.model_dump(), review_date=sandbox.clock(), user=user) for entry in entries)
    items = tuple(LineQuantity(line_item_id=entry.line_item_id, quantity=1) for entry in entries)
    sandbox.write_effect(before, "addReview", by, items=items)
    sandbox.change(stored, reviews=(*(before.reviews or ()), *taken))
    _complete(sandbox, stored)
    pay_by_itself_later(sandbox, stored)


def cancel(sandbox: Sandbox, stored: StoredProcess, by: Actor) -> None:
    """Cancel a process, and its labels where the parcel was not collected; 409 for a process at its end."""
    before = stored.process
    if before.rever_process_status in _FINAL:
        raise Refusal(409, ABORTED, f"process is {before.rever_process_status}")
    sandbox.write_effect(before, "cancelReturnProcess", by)
    unused = {ShippingStatus.CREATED, ShippingStatus.NO_SHIPPING_STATUS}
    parcels = tuple(
        entry.model_copy(update={"status": ShippingStatus.CANCELED}) if entry.status in unused else entry
        for entry in before.logistics or ()
    )
    sandbox.change(stored, rever_process_status=ProcessStatus.CANCELED, logistics=parcels)


def pay(sandbox: Sandbox, stored: StoredProcess, refund: RefundInput, by: Actor, *, completes: bool = True) -> Refund:
    """Carry out a refund, whatever the process's state; the last outcome ends the process where it `completes`."""
    before = stored.process
    amount = major(minor(refund.amount, refund.currency), refund.currency)
    wait = 0.0 if by is Actor.HISTORY else sandbox.options.pays_out_after
    shown = Refund(
        amount=amount,
        currency=refund.currency,
        type=refund.type,
        refunded_at=sandbox.clock() if wait == 0 else None,
        missing_amount=Decimal(0) if wait == 0 else amount,
    )
    sandbox.write_effect(
        before, "issueRefund", by, amount=amount, currency=refund.currency, type=str(refund.type), items=refund.items
    )
    for item in refund.items:
        stored.refunded[item.line_item_id] = stored.refunded.get(item.line_item_id, 0) + item.quantity
    _show(sandbox, stored, (*refunds(before), shown))
    cent = major(1, refund.currency)
    if sandbox.options.pays_in_legs and amount > cent and by is not Actor.HISTORY:
        part_in_legs(sandbox, stored, cent)
    if completes:
        _complete(sandbox, stored)
    if wait:
        sandbox.later(wait, lambda: pay_out(sandbox, stored))
    return shown


def pay_out(sandbox: Sandbox, stored: StoredProcess, amount: Decimal | None = None) -> None:
    """Pay what is on its way, one refund after another: all of it, or so much."""
    left, shown = amount, []
    for refund in refunds(stored.process):
        missing = refund.missing_amount or Decimal(0)
        part = missing if left is None else min(left, missing)
        left = None if left is None else left - part
        now = {"missing_amount": missing - part, "refunded_at": sandbox.clock()}
        shown.append(refund.model_copy(update=now) if part else refund)
    _show(sandbox, stored, shown)


def come_back(sandbox: Sandbox, stored: StoredProcess) -> None:
    """The payments fail after all, days later: the money of every refund is with the store again."""
    failed = [
        refund.model_copy(update={"missing_amount": refund.amount, "refunded_at": None})
        for refund in refunds(stored.process)
    ]
    _show(sandbox, stored, failed)


def part_in_legs(sandbox: Sandbox, stored: StoredProcess, first: Decimal) -> None:
    """Show the last refund as two, since the order was paid by two payments; the first leg is of this amount."""
    *others, last = refunds(stored.process)
    missing = last.missing_amount or Decimal(0)
    legs = [
        last.model_copy(update={"amount": amount, "missing_amount": min(amount, missing)})
        for amount in (first, last.amount - first)
    ]
    _show(sandbox, stored, [*others, *legs])


def _show(sandbox: Sandbox, stored: StoredProcess, shown: Iterable[Refund]) -> None:
    compensation = stored.process.compensation or Compensation(refunds=())
    sandbox.change(stored, compensation=compensation.model_copy(update={"refunds": tuple(shown)}))


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
    units = tuple(LineQuantity(line_item_id=item.line_item_id, quantity=item.quantity) for item in items)
    sandbox.write_effect(before, "issueExchange", by, reference=reference, items=units)
    for item in items:
        stored.exchanged[item.line_item_id] = stored.exchanged.get(item.line_item_id, 0) + item.quantity
    compensation = before.compensation or Compensation(refunds=())
    sandbox.change(stored, compensation=compensation.model_copy(update={"exchange_order": order}))
    _complete(sandbox, stored)
    return order


def _complete(sandbox: Sandbox, stored: StoredProcess) -> None:
    """End a running process all of whose units have their outcome, at once or after the sandbox's delay."""
    if not _has_all_outcomes(stored, sandbox.shops[stored.process.ecommerce_id].timing):
        return

    def end() -> None:
        if stored.process.rever_process_status == ProcessStatus.RUNNING:
            sandbox.change(stored, rever_process_status=ProcessStatus.COMPLETED, return_status=ReturnStatus.COMPLETED)

    delay = sandbox.options.completion_delay
    if delay > 0:
        sandbox.later(delay, end)
    else:
        end()


def _has_all_outcomes(stored: StoredProcess, timing: str) -> bool:
    process = stored.process
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
    return paid(process) >= max(0, gross - costs(process))


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


def pay_by_itself_later(sandbox: Sandbox, stored: StoredProcess) -> None:
    """Where the shop's REVER pays by itself: have it pay what is approved by then, some seconds from now.

    It pays what it has not paid itself yet. It does not look at what others paid.
    """
    shop = sandbox.shops[stored.process.ecommerce_id]

    def pay_what_is_due() -> None:
        process = stored.process
        if process.rever_process_status != ProcessStatus.RUNNING:
            return
        own = [e for e in sandbox.books.of(process.rever_process_id) if e.by is Actor.REVER]
        for due in refunds_due(process, shop.timing):
            earlier = [e for e in own if e.type == due.type]
            left = due.amount - sum(e.amount or 0 for e in earlier)
            units = {item.line_item_id: item.quantity for item in due.items}
            for item in (item for e in earlier for item in e.items):
                units[item.line_item_id] = units.get(item.line_item_id, 0) - item.quantity
            items = tuple(LineQuantity(line_item_id=line, quantity=count) for line, count in units.items() if count > 0)
            if left > 0 and items:
                pay(sandbox, stored, due.model_copy(update={"amount": left, "items": items}), Actor.REVER)
        if not any(e.operation == "issueExchange" for e in own):
            _exchange_by_itself(sandbox, stored, shop.timing)

    if shop.pays_itself_after is not None:
        sandbox.later(shop.pays_itself_after, pay_what_is_due)


def _exchange_by_itself(sandbox: Sandbox, stored: StoredProcess, timing: str) -> None:
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
