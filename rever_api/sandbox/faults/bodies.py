"""Answers that are 200 and yet wrong: a field missing, a field too many, a value nobody knows.

Which entry and which field it is goes by `draw`, a number the plan gives, so that it can be replayed.
"""

from collections.abc import Iterator
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


def _parts(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the body, its settings of refunds, and the entries of its lines, reviews and parcels."""
    yield body
    if isinstance(body.get("refund"), dict):
        yield body["refund"]
    for name in ("return_line_items", "reviews", "logistics"):
        yield from body.get(name) or ()
