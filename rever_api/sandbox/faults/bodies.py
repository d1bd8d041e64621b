"""Answers that are 200 and yet wrong: a field missing, a field too many, a value nobody knows.

Which entry and which field it is goes by `draw`, a number the plan gives, so that it can be replayed.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

_ENUMS = {
    "rever_process_status": "PAUSED_BY_REVIEW",
    "return_status": "IN_ORBIT",
    "return_method": "BY_PIGEON",
    "compensation_method": "LOYALTY_POINTS",
    "type": "LOYALTY_POINTS",
    "status": "LOST_AT_SEA",
    "timing": "ON_FULL_MOON",
}


def _target(body: dict[str, Any], draw: int) -> dict[str, Any]:
    """Return the part that is to be changed: an entry of a page, the order within its envelope, else the body."""
    entries = body.get("processes")
    if entries:
        target: dict[str, Any] = entries[draw % len(entries)]
        return target
    order = body.get("order")
    return order if isinstance(order, dict) else body


def without_a_field(body: dict[str, Any], draw: int) -> None:
    """Take one field out of the body."""
    target = _target(body, draw)
    if target:
        del target[sorted(target)[draw % len(target)]]


def with_a_field_more(body: dict[str, Any], draw: int) -> None:
    """Put a field into the body that the contract does not know."""
    _target(body, draw)["x_risk_assessment"] = {"score": 17, "flags": ["NEW", None], "nested": {"deep": True}}


def with_an_unknown_value(body: dict[str, Any], draw: int) -> None:
    """Give one enum of the body, or of what is in it, a value that the contract does not know."""
    enums = [(part, name) for part in _parts(_target(body, draw)) for name in _ENUMS if part.get(name)]
    if enums:
        part, name = enums[draw % len(enums)]
        part[name] = _ENUMS[name]


def with_other_terms(body: dict[str, Any], draw: int) -> None:
    """Give each line of a process another total, quantity, currency or method, or the process other costs."""
    further = Decimal(1 + draw // 5 % 5000) / 100
    for line in body.get("return_line_items") or ():
        if draw % 5 == 0:
            line["total_price"] = str(Decimal(line["total_price"]) + further)
        elif draw % 5 == 1:
            line["quantity"] += 1 + draw // 5 % 50
        elif draw % 5 == 2:
            line["currency"] = "USD" if line["currency"] != "USD" else "EUR"
        elif draw % 5 == 3:
            line["compensation_method"] = (
                "BANK_TRANSFER" if line["compensation_method"] != "BANK_TRANSFER" else "GIFT_CARD"
            )
    if draw % 5 == 4:
        body["return_costs"] = str(Decimal(body.get("return_costs") or 0) + further)


def _parts(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the body, its settings of refunds, and the entries of its lines, reviews and parcels."""
    yield body
    if isinstance(body.get("refund"), dict):
        yield body["refund"]
    for name in ("return_line_items", "reviews", "logistics"):
        yield from body.get(name) or ()
