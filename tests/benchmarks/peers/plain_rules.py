"""The backtest's 25 rules as plain Python functions: what asking them costs where nothing else is done.

What it does not promise: a return is looked at once, as it is today, so it is not said when anything would be paid. No
rule about earlier returns or days is answered truly, nothing is unknown, no rule of money stands below, nothing says
which rule decided, and no total is one to pay by.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import NamedTuple

from rever_api.models import ReturnLineItem, ReturnProcess


class Thresholds(NamedTuple):
    """In what the two policies differ."""

    dear: Decimal = Decimal(400)
    portugal: Decimal = Decimal("5.00")
    trusted: Decimal = Decimal(60)


class Seen(NamedTuple):
    """What the rules ask of the return as a whole."""

    country: str
    value: Decimal
    units: int
    lines: int
    method: str
    reviewed: bool
    worn: bool


Rule = tuple[str, Callable[[Seen, ReturnLineItem], bool], Decimal | str]
"""A kind of action, whether a line matches, and what is done."""


def rules_of(it: Thresholds) -> list[Rule]:
    """The 25 rules, in their order."""
    return [
        ("fee", lambda _, line: line.return_reason == "DEFECTIVE", Decimal(0)),
        ("fee", lambda _, line: sku(line).startswith("NEW-"), Decimal(0)),
        ("fee", lambda seen, _: seen.country == "ES", Decimal("4.00")),
        ("fee", lambda seen, _: seen.country == "PT", it.portugal),
        ("fee", lambda seen, _: seen.country in {"FR", "DE", "IT"}, Decimal("9.00")),
        ("fee", lambda _, __: True, Decimal("19.00")),
        ("decline", lambda _, line: sku(line) in {"SKU-1", "SKU-2"}, "final sale"),
        ("decline", lambda _, line: sku(line).startswith("PROMO-"), "promotion"),
        ("method", lambda _, line: share(line) >= 50, "GIFT_CARD"),
        ("method", lambda _, line: sku(line) in {"SKU-3", "SKU-4"}, "GIFT_CARD"),
        ("approve", lambda seen, _: seen.value > it.dear, "olga"),
        ("approve", lambda _, line: sku(line) in {"SKU-7", "SKU-8"}, "quality"),
        ("approve", lambda seen, _: seen.units >= 8, "olga"),
        ("approve", lambda _, __: False, "olga"),
        ("approve", lambda seen, _: seen.worn, "quality"),
        ("keep", lambda seen, _: seen.value <= 9 and seen.lines == 1, ""),
        ("pay", lambda _, line: is_credit(line) and (line.total_price or 0) < it.trusted, "first_scan"),
        ("pay", lambda _, line: line.return_reason == "CHANGED_MIND", "inspection"),
        ("pay", lambda _, __: True, "inspection"),
        ("stock", lambda _, __: True, "refund"),
        ("approve", lambda _, line: sku(line).startswith("KIT-") and line.quantity < 2, "quality"),
        ("add_on", lambda _, line: sku(line) == "ENGRAVING", ""),
        ("carrier", lambda seen, _: seen.method == "HOME_PICK_UP" and seen.value > 300, "SENDCLOUD/DHL"),
        ("carrier", lambda _, __: True, "SENDCLOUD/CORREOS"),
        ("approve", lambda seen, _: not seen.reviewed, "olga"),
    ]


def sku(line: ReturnLineItem) -> str:
    """The line's SKU."""
    return line.product.sku if line.product else ""


def share(line: ReturnLineItem) -> Decimal:
    """The discounts in percent of what the line cost before them."""
    return (line.total_discounts or Decimal(0)) * 100 / line.subtotal_price if line.subtotal_price else Decimal(0)


def is_credit(line: ReturnLineItem) -> bool:
    """Whether the shopper takes credit."""
    return line.compensation_method == "GIFT_CARD"


def differing(processes: Iterable[ReturnProcess]) -> int:
    """For how many returns the two policies decide otherwise."""
    both = rules_of(Thresholds()), rules_of(Thresholds(Decimal(250), Decimal("6.50"), Decimal(90)))
    return sum(_decided(process, both[0]) != _decided(process, both[1]) for process in processes)


def _decided(process: ReturnProcess, rules: list[Rule]) -> list[dict[str, Decimal | str]]:
    lines, reviews = process.return_line_items, process.reviews or ()
    seen = Seen(
        process.pickup_address.country_code if process.pickup_address else "",
        sum((line.total_price or Decimal(0) for line in lines), Decimal(0)),
        sum(line.quantity for line in lines),
        len(lines),
        str(process.return_method),
        bool(reviews),
        any(review.reject_reason == "worn" for review in reviews),
    )
    found: list[dict[str, Decimal | str]] = []
    for line in lines:
        decided: dict[str, Decimal | str] = {}
        for kind, matches, action in rules:
            if matches(seen, line) and kind not in decided:
                decided[kind] = action
        found.append(decided)
    return found
