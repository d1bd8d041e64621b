"""What is in a return's parcel, for the person who is asked about it: products, units, reasons, inspection. Pure.

It is kept with the hold, not in the audit, and goes with an erasure request. A product's name, its SKU
and a reason are texts of the shop's, which may name the shopper all the same: one that does is left out.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from rever_api.models import ReturnLineItem, ReturnProcess

MOST_LINES = 20
"""Lines that are kept of one return."""

LONGEST = 80
"""Characters that are kept of one text."""

LEFT_OUT = "(not shown: it may name the shopper)"

_SHORTEST = 2
"""Characters of a name by which a text is known to name the shopper."""

_CONTACT = re.compile(r"@|\d[\d /.()-]{6,}\d")
"""What looks like an e-mail or a telephone number."""

_BETWEEN = re.compile(r"[-_.\s]+")

NOTHING: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ParcelLine:
    """One line of a return: `quantity` units of a product, why they come back, and what the inspection said.

    `reviews` counts units by REVER's status of the review, `declined_for` are the reasons of those that were declined.
    """

    line_id: str
    product: str
    sku: str
    quantity: int
    reason: str
    reviews: Mapping[str, int] = field(default_factory=lambda: NOTHING)
    declined_for: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As the ledger keeps it."""
        return {
            "line": self.line_id,
            "product": self.product,
            "sku": self.sku,
            "quantity": self.quantity,
            "reason": self.reason,
            "reviews": dict(self.reviews),
            "declined_for": list(self.declined_for),
        }


def parcel_of(process: ReturnProcess, most: int = MOST_LINES) -> tuple[ParcelLine, ...]:
    """The lines of a return, the first so many of them."""
    names = _of_shopper(process)
    return tuple(_line(process, line, names) for line in process.return_line_items[:most])


def parcel_from(kept: Sequence[Mapping[str, Any]]) -> tuple[ParcelLine, ...]:
    """The lines as the ledger kept them (`ParcelLine.as_json`)."""
    return tuple(
        ParcelLine(
            line_id=line["line"],
            product=line["product"],
            sku=line["sku"],
            quantity=line["quantity"],
            reason=line["reason"],
            reviews=line["reviews"],
            declined_for=tuple(line["declined_for"]),
        )
        for line in kept
    )


def _line(process: ReturnProcess, line: ReturnLineItem, names: frozenset[str]) -> ParcelLine:
    product = line.product
    title = ", ".join(filter(None, [product.name, product.variant_name])) if product else ""
    sku = product.sku if product else ""
    reviews = [review for review in process.reviews or () if review.line_item_id == line.id]
    reasons = dict.fromkeys(_text(review.reject_reason, names) for review in reviews if review.reject_reason)
    return ParcelLine(
        line_id=line.id,
        product=_text(title, names),
        sku=LEFT_OUT if _names(sku, names) else _cut(sku),
        quantity=line.quantity,
        reason=_text(line.return_reason, names),
        reviews=dict(sorted(Counter(str(review.status) for review in reviews).items())),
        declined_for=tuple(reasons),
    )


def _text(text: str, names: frozenset[str]) -> str:
    """A text that somebody wrote, unless it names the shopper, or has an e-mail or a telephone number in it."""
    return LEFT_OUT if _names(text, names) or _CONTACT.search(text) else _cut(text)


def _names(text: str, names: frozenset[str]) -> bool:
    words = _words(text)
    return any(name in words and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", words) for name in names)


def _words(text: str) -> str:
    """A text as it is compared: folded, its words apart by one blank. SKUs are joined by what ends a word here too."""
    return _BETWEEN.sub(" ", text).strip(" ,").casefold()


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _of_shopper(process: ReturnProcess) -> frozenset[str]:
    """The shopper's names, word by word, and e-mail, telephone and street as a whole, as REVER tells them; folded."""
    names, wholes = list[str](), list[str]()
    if shopper := process.shopper:
        names += [shopper.first_name, shopper.last_name]
        wholes += [shopper.email, shopper.phone_number]
    if address := process.pickup_address:
        names += [address.first_name, address.last_name]
        wholes += [address.company, address.address_line_1, address.address_line_2, address.postcode]
        wholes += [address.email, address.phone]
    found = {_words(text) for text in (*wholes, *(word for name in names for word in _BETWEEN.split(name)))}
    return frozenset(text for text in found if len(text) >= _SHORTEST)
