"""The REVER that pays by itself, some seconds after the review, as its setting `refund.timing` lets it do."""

from rever_api.models import ExchangeItem, LineQuantity, ProcessStatus, RefundInput, ReturnProcess
from rever_api.sandbox.arithmetic import (
    approved_units,
    fully_reviewed,
    is_exchange,
    line_value,
    major,
    refund_gross,
    refund_value,
)
from rever_api.sandbox.books import Actor
from rever_api.sandbox.paying import pay, send_exchange
from rever_api.sandbox.state import Sandbox, StoredProcess


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
