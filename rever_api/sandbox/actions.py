"""What others do to a return: the shopper, the carrier, the warehouse, the back office."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from rever_api.models import (
    LineQuantity,
    ProcessStatus,
    RefundInput,
    ReturnInput,
    ReturnStatus,
    ReviewInput,
    ShippingStatus,
)
from rever_api.sandbox.autopay import refunds_due
from rever_api.sandbox.books import Actor
from rever_api.sandbox.operations.creation import open_return
from rever_api.sandbox.operations.effects import cancel, review
from rever_api.sandbox.paying import come_back, part_in_legs, pay, pay_out
from rever_api.sandbox.refusal import invalid
from rever_api.sandbox.state import Sandbox, StoredProcess


def act(sandbox: Sandbox, action: str, process_id: str = "", **parameters: Any) -> dict[str, Any]:
    """Do `action` to a process, and return its id and status afterwards. 400 for an action that there is not."""
    with sandbox.locked():
        if action == "open":
            process = open_return(sandbox, ReturnInput.model_validate(parameters), Actor.SHOPPER)
            return {"process_id": process.rever_process_id, "status": str(process.rever_process_status)}
        if action not in _ACTIONS:
            raise invalid(f"action: one of open, {', '.join(_ACTIONS)}")
        stored = sandbox.find(process_id)
        _ACTIONS[action](sandbox, stored, **parameters)
        return {"process_id": process_id, "status": str(stored.process.rever_process_status)}


def _review(sandbox: Sandbox, stored: StoredProcess, status: str = "APPROVED", line_item_id: str = "") -> None:
    """The warehouse inspects each unit that has no review yet: of one line where it is named."""
    process = stored.process
    done = [r.line_item_id for r in process.reviews or ()]
    entries = tuple(
        ReviewInput(line_item_id=line.id, status=status, reject_reason="worn" if status == "DECLINED" else "")
        for line in process.return_line_items
        if line_item_id in {"", line.id}
        for _ in range(line.quantity - done.count(line.id))
    )
    review(sandbox, stored, entries, Actor.WAREHOUSE)


def _review_one(sandbox: Sandbox, stored: StoredProcess, line_item_id: str, status: str = "APPROVED") -> None:
    """The warehouse inspects one unit of a line."""
    reason = "worn" if status == "DECLINED" else ""
    review(
        sandbox, stored, (ReviewInput(line_item_id=line_item_id, status=status, reject_reason=reason),), Actor.WAREHOUSE
    )


def _ship(shipping: ShippingStatus, status: ReturnStatus) -> Callable[[Sandbox, StoredProcess], None]:
    def move(sandbox: Sandbox, stored: StoredProcess) -> None:
        """The youngest parcel gets this status."""
        parcels = stored.process.logistics or ()
        if not parcels:
            raise invalid("the process has no parcel")
        moved = parcels[-1].model_copy(update={"status": shipping})
        sandbox.change(stored, logistics=(*parcels[:-1], moved), return_status=status)

    return move


def _become(status: ProcessStatus) -> Callable[[Sandbox, StoredProcess], None]:
    def become(sandbox: Sandbox, stored: StoredProcess) -> None:
        """REVER's own people or workflow set the process's status."""
        sandbox.change(stored, rever_process_status=status)

    return become


def _cancel(sandbox: Sandbox, stored: StoredProcess) -> None:
    """The back office cancels."""
    cancel(sandbox, stored, Actor.BACK_OFFICE)


def _pay(sandbox: Sandbox, stored: StoredProcess, amount: str = "", type: str = "") -> None:  # noqa: A002 - REVER's name
    """The back office pays all that is due, or an amount of its own for no line in particular."""
    process = stored.process
    if not amount:
        for refund in refunds_due(process, sandbox.shops[process.ecommerce_id].timing):
            pay(sandbox, stored, refund, Actor.BACK_OFFICE)
        return
    line = process.return_line_items[0]
    refund = RefundInput(
        type=type or str(line.compensation_method), amount=Decimal(amount), currency=line.currency,
        items=(LineQuantity(line_item_id=line.id, quantity=line.quantity),),
    )  # fmt: skip
    pay(sandbox, stored, refund, Actor.BACK_OFFICE)


def _pay_out(sandbox: Sandbox, stored: StoredProcess, amount: str = "") -> None:
    """What is on its way is paid, all of it or so much."""
    pay_out(sandbox, stored, Decimal(amount) if amount else None)


def _legs(sandbox: Sandbox, stored: StoredProcess, first: str) -> None:
    """The last refund shows as two legs, the first of this amount."""
    part_in_legs(sandbox, stored, Decimal(first))


_ACTIONS: dict[str, Callable[..., None]] = {
    "review": _review,
    "review_one": _review_one,
    "label_ready": _ship(ShippingStatus.CREATED, ReturnStatus.STARTED),
    "collect": _ship(ShippingStatus.COLLECTED, ReturnStatus.COLLECTED),
    "arrive": _ship(ShippingStatus.IN_WAREHOUSE, ReturnStatus.REVIEW_REQUIRED),
    "cancel": _cancel,
    "cancel_label": _ship(ShippingStatus.CANCELED, ReturnStatus.STARTED),
    "hold": _become(ProcessStatus.ON_HOLD),
    "release": _become(ProcessStatus.RUNNING),
    "fail": _become(ProcessStatus.FAILED),
    "pay": _pay,
    "pay_out": _pay_out,
    "come_back": come_back,
    "legs": _legs,
}
