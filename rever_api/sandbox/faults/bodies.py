"""Answers that are 200 and yet wrong: a field missing, a field too many, a value nobody knows."""

import hashlib
from typing import Any

_ENUMS = {
    "rever_process_status": "PAUSED_BY_REVIEW",
    "return_status": "IN_ORBIT",
    "return_method": "BY_PIGEON",
    "type": "LOYALTY_POINTS",
    "status": "LOST_AT_SEA",
}


def _draw(body: dict[str, Any], among: int) -> int:
    """Return a number below `among`, the same for the same body."""
    return int.from_bytes(hashlib.sha256(repr(sorted(body)).encode() + str(body).encode()).digest()[:8]) % among


def _target(body: dict[str, Any]) -> dict[str, Any]:
    """Return the part that is to be changed: an entry of a page, the order within its envelope, else the body."""
    entries = body.get("processes")
    if entries:
        target: dict[str, Any] = entries[_draw(body, len(entries))]
        return target
    order = body.get("order")
    return order if isinstance(order, dict) else body


def without_a_field(body: dict[str, Any]) -> str:
    """Take one field out of the body and return its name."""
    target = _target(body)
    if not target:
        return ""
    name = sorted(target)[_draw(target, len(target))]
    del target[name]
    return name


def with_a_field_more(body: dict[str, Any]) -> None:
    """Put a field into the body that the contract does not know."""
    _target(body)["x_risk_assessment"] = {"score": 17, "flags": ["NEW", None], "nested": {"deep": True}}


def with_an_unknown_value(body: dict[str, Any]) -> str:
    """Give one enum of the body a value that the contract does not know, and return the enum's name."""
    target = _target(body)
    names = [name for name in _ENUMS if target.get(name)]
    if not names:
        return ""
    name = names[_draw(target, len(names))]
    target[name] = _ENUMS[name]
    return name
