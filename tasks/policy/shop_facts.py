"""What the shop's own order tells, as facts; and what stays unknown where the shop could not be asked. Pure."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, tzinfo
from decimal import Decimal

from rever_api.shop import ShopFee, ShopLine, ShopOrder, ShopTransaction
from tasks.policy.money import is_currency
from tasks.policy.return_facts import Fact, Money, Unknown
from tasks.policy.side_facts import NOT_TOLD, SHOP_TELLS, OrderFacts, OrderItem, ProductFacts

SOURCE = "the shop"
SHIPPING_FEE = "SHIPPING_FEE"
_PAYS = frozenset({"SALE", "CAPTURE"})
_ITEMS = frozenset({"whole_order", "product_tags"})
"""What is told by the order's items."""


def shop_facts(order: ShopOrder, payments: Sequence[ShopTransaction] | Unknown, zone: tzinfo) -> OrderFacts:
    """The facts of an order; its days are those of `zone`. `payments` are unknown where they were not asked for."""
    currency = order.customer_currency
    fees = None if order.line_fees is None else [(fee, _cost(fee)) for fee in order.line_fees]
    shipping = None if fees is None else [cost for fee, cost in fees if fee.type == SHIPPING_FEE]
    lines = None if order.line_items is None else [line.total for line in order.line_items]
    all_parts = None if lines is None or fees is None else [*lines, *(cost for _, cost in fees)]
    return OrderFacts(
        SOURCE,
        ordered_on=_day(order.purchased_at, zone),
        fulfilled_on=_day(order.fulfilled_at, zone),
        order_value=_sum(all_parts, currency),
        order_tags=NOT_TOLD if order.tags is None else frozenset(order.tags),
        gateway=payments if isinstance(payments, Unknown) else _gateway(payments),
        shipping=_sum(shipping, currency),
        goods_value=_sum(lines, currency),
        items=_items(order.line_items),
    )


def not_asked(why: str) -> OrderFacts:
    """The facts of an order that the shop does not tell, for this reason."""
    unknown = Unknown(why)
    return OrderFacts(SOURCE, items=unknown, **dict.fromkeys(sorted(SHOP_TELLS - _ITEMS), unknown))


def _day(at: datetime | None, zone: tzinfo) -> Fact[date]:
    return at.astimezone(zone).date() if at else NOT_TOLD


def _cost(fee: ShopFee) -> Decimal | None:
    amount, discount, taxes = fee.amount, fee.discount, fee.taxes
    return None if amount is None or discount is None or taxes is None else amount - discount + taxes


def _sum(amounts: Iterable[Decimal | None] | None, currency: str) -> Fact[Money]:
    """The sum, where every part and the currency are said."""
    parts = None if amounts is None else list(amounts)
    if parts is None or None in parts or not is_currency(currency):
        return NOT_TOLD
    return Money(sum((part for part in parts if part is not None), Decimal(0)), currency)


def _gateway(payments: Sequence[ShopTransaction]) -> Fact[str]:
    """The one platform by which the order was paid."""
    used = {it.platform_id for it in payments if it.kind in _PAYS and it.status == "SUCCESS"}
    if len(used) > 1:
        return Unknown(f"the order was paid by {' and '.join(sorted(used))}")
    return next(iter(used), "") or NOT_TOLD


def _items(lines: Sequence[ShopLine] | None) -> tuple[OrderItem, ...] | Unknown:
    if lines is None or any(line.quantity is None or line.quantity < 1 for line in lines):
        return NOT_TOLD
    return tuple(_item(line, line.quantity or 0) for line in lines)


def _item(line: ShopLine, quantity: int) -> OrderItem:
    """A line; its SKU is that of its variant. A product's own SKU stands for all of its variants."""
    product = line.product
    skus = [it.sku for it in product.variants or () if line.variant_id and it.id == line.variant_id]
    tags = NOT_TOLD if product.tags is None else frozenset(product.tags)
    return OrderItem(
        quantity,
        sku=skus[0] if skus else "" if line.variant_id else product.sku,
        variant_id=line.variant_id,
        product_id=product.id,
        product=ProductFacts(SOURCE, product_tags=tags),
    )
