"""The lines of a seeded return: goods, quantities, prices and what was found at their inspection."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random

from rever_api.models import Product, ReturnLineItem, Review
from rever_api.sandbox.ids import Ids
from rever_api.sandbox.scenarios import LineSpec
from rever_api.sandbox.shops import SOLD_OUT, Shop

_CENT = Decimal("0.01")
_VAT = {"EUR": Decimal(21), "SEK": Decimal(25)}
_REVIEWS = {
    "A": ("APPROVED", ""),
    "D": ("DECLINED", "worn"),
    "M": ("MISSING", ""),
}


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)


def make_line(spec: LineSpec, shop: Shop, ids: Ids, random: Random) -> ReturnLineItem:
    """Return a line of the shop's goods as the spec wants it; one line in four was bought at 10 % off."""
    sold = [sku for sku in shop.goods if not sku.endswith(SOLD_OUT)]
    product, price = shop.goods[random.choice(sold)]
    subtotal = Decimal(spec.total) if spec.total else price * spec.quantity
    discounts = _cents(subtotal / 10) if not spec.total and random.random() < 0.25 else Decimal("0.00")
    total = subtotal - discounts
    vat = _VAT[shop.settings.currency]
    return ReturnLineItem(
        id=ids.new("retl"),
        return_reason=spec.reason,
        product=product,
        quantity=spec.quantity,
        unit_price=_cents(subtotal / spec.quantity),
        subtotal_price=_cents(subtotal),
        total_discounts=discounts,
        total_taxes=_cents(total * vat / (100 + vat)),
        total_price=_cents(total),
        currency=shop.settings.currency,
        compensation_method=spec.method,
        exchange_for=_wanted(spec, shop, product) if spec.method == "EXCHANGE" else None,
    )


def _wanted(spec: LineSpec, shop: Shop, product: Product) -> Product:
    """Return another size of the same product; the one that is sold out where the spec says so."""
    stem = product.sku.rpartition("-")[0]
    size = SOLD_OUT if spec.sold_out else ("M" if product.variant_name == "L" else "L")
    return shop.goods[f"{stem}-{size}"][0]


def make_reviews(specs: Sequence[LineSpec], lines: Sequence[ReturnLineItem], last: datetime) -> tuple[Review, ...]:
    """Return one review per inspected unit, a minute apart, the last at `last`."""
    found = [(line.id, *_REVIEWS[letter]) for spec, line in zip(specs, lines, strict=True) for letter in spec.reviews]
    return tuple(
        Review(
            line_item_id=line_id,
            status=status,
            reject_reason=reason,
            review_date=last - timedelta(minutes=len(found) - number),
            user="warehouse",
        )
        for number, (line_id, status, reason) in enumerate(found, start=1)
    )
