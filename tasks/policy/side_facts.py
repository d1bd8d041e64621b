"""Facts that REVER does not tell, from the merchant's own tables and the shop's own orders, and how they are put beside
those that it does.

Each value of a source is known, known to be none (None), or not told. What no source tells stays unknown, never "no".
Where two sources tell different things, the fact is unknown and both are named.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from types import MappingProxyType
from typing import Any, TypeVar

from tasks.lookup import bare_order
from tasks.policy.actions import Pay, RefundShipping
from tasks.policy.condition_fields import FIELDS
from tasks.policy.conditions import Check, checks_of
from tasks.policy.measures import Grams, Size
from tasks.policy.merchant_rules import MerchantRule
from tasks.policy.money import shown
from tasks.policy.return_facts import EarlierReturn, Fact, LineFacts, Money, ReturnFacts, ShippingPart, Unknown

NOT_TOLD = Unknown("")
"""A value that a source says nothing of: the row is absent, its cell empty, the field left out."""

SourceT = TypeVar("SourceT")


@dataclass(frozen=True, slots=True)
class ProductFacts:
    """What a source tells of a product. `source` names it, as `products.csv, row 7`."""

    source: str
    product_type: Fact[str] = NOT_TOLD
    vendor: Fact[str] = NOT_TOLD
    product_tags: Fact[frozenset[str]] = NOT_TOLD
    variants: Fact[int] = NOT_TOLD
    cost: Fact[Money] = NOT_TOLD
    weight: Fact[Grams] = NOT_TOLD
    size: Fact[Size] = NOT_TOLD


@dataclass(frozen=True, slots=True)
class OrderItem:
    """So many units of a product in an order, by whichever ids the source has."""

    quantity: int
    sku: str = ""
    variant_id: str = ""
    product_id: str = ""
    product: ProductFacts | None = None


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """What a source tells of an order. Days are those of the store's zone; `items` is all that was bought in it."""

    source: str
    ordered_on: Fact[date] = NOT_TOLD
    fulfilled_on: Fact[date] = NOT_TOLD
    delivered_on: Fact[date] = NOT_TOLD
    order_value: Fact[Money] = NOT_TOLD
    order_tags: Fact[frozenset[str]] = NOT_TOLD
    customer_tags: Fact[frozenset[str]] = NOT_TOLD
    gateway: Fact[str] = NOT_TOLD
    fraud_risk: Fact[str] = NOT_TOLD
    shipping: Fact[Money] = NOT_TOLD
    goods_value: Fact[Money] = NOT_TOLD
    label_cost: Fact[Money] = NOT_TOLD
    items: tuple[OrderItem, ...] | Unknown = NOT_TOLD


SHOP_TELLS = frozenset(
    {
        "ordered_on",
        "fulfilled_on",
        "order_value",
        "order_tags",
        "gateway",
        "shipping",
        "goods_value",
        "whole_order",
        "product_tags",
    }
)
"""What the shop's own endpoint for an order tells (REVER's integration contract v2)."""


@dataclass(frozen=True, slots=True)
class SideFacts:
    """All that was gathered for a store. The keys: `products` by SKU, `orders` and `shop_orders` by the order's id at
    the shop, `orders_by_name` by `bare_order` of its name, `earlier` by the shopper's mailbox, `shipping_parts` (what
    the ledger has as refunded of the order's shipping costs) by the order's id; None where no ledger was asked, as in a
    replay: then none is.
    """

    products: Mapping[str, ProductFacts] = field(default_factory=dict)
    orders: Mapping[str, OrderFacts] = field(default_factory=dict)
    orders_by_name: Mapping[str, OrderFacts] = field(default_factory=dict)
    shop_orders: Mapping[str, OrderFacts] = field(default_factory=dict)
    earlier: Mapping[str, tuple[EarlierReturn, ...] | Unknown] = field(default_factory=dict, repr=False)
    shipping_parts: Mapping[str, tuple[ShippingPart, ...]] | None = None

    def of_order(self, facts: ReturnFacts) -> Iterator[OrderFacts]:
        """What the sources tell of the order of a return, by its id and by its name."""
        yield from _found(self.orders, facts.order_id)
        yield from _found(self.orders_by_name, bare_order(facts.order_name))
        yield from _found(self.shop_orders, facts.order_id)


def _found(mapping: Mapping[str, SourceT], key: str) -> Iterator[SourceT]:
    if key and key in mapping:
        yield mapping[key]


OF_PRODUCT = frozenset(each.name for each in fields(ProductFacts)) - {"source"}
"""What a source may tell of a product."""

_OF_ORDER = tuple(each.name for each in fields(OrderFacts) if each.name not in {"source", "items"})


def enriched(facts: ReturnFacts, side: SideFacts | None) -> ReturnFacts:
    """The facts, with what these sources tell in place of what is unknown. What is known already stays as it is."""
    if side is None:
        return facts
    orders = tuple(side.of_order(facts))
    new = _told(facts, orders, _OF_ORDER)
    if isinstance(facts.whole_order, Unknown):
        new["whole_order"] = _whole_order(facts, orders)
    if isinstance(facts.earlier, Unknown) and isinstance(facts.shopper, str):
        new["earlier"] = side.earlier.get(facts.shopper, facts.earlier)
    if side.shipping_parts is not None:
        new["shipping_parts"] = side.shipping_parts.get(facts.order_id, _PARTS)
    lines = tuple([_line(line, side, orders) for line in facts.lines])
    return facts._replace(lines=lines, **new) if new or lines != facts.lines else facts


_PARTS = Unknown("what was refunded of the order's shipping costs before")


def _line(line: LineFacts, side: SideFacts, orders: Sequence[OrderFacts]) -> LineFacts:
    table = _found(side.products, line.sku) if isinstance(line.sku, str) else ()
    sources = (*table, *(product for order in orders for product in _bought(line, order)))
    return line._replace(**_told(line, sources, OF_PRODUCT)) if sources else line


def _bought(line: LineFacts, order: OrderFacts) -> Iterator[ProductFacts]:
    """What an order tells of the product of a line: each of its items that the line is of."""
    if isinstance(order.items, Unknown):
        yield ProductFacts(order.source, product_tags=order.items)
        return
    for name in ("variant_id", "sku", "product_id"):
        wanted = getattr(line, name)
        items = [item for item in order.items if isinstance(wanted, str) and getattr(item, name) == wanted]
        if items:
            yield from (item.product for item in items if item.product)
            return


def _told(facts: ReturnFacts | LineFacts, sources: Sequence[Any], names: Iterable[str]) -> dict[str, Any]:
    """What the sources tell of those of these facts that are unknown."""
    if not sources:
        return {}
    unknown = [name for name in names if isinstance(getattr(facts, name), Unknown)]
    return {name: told for name in unknown if (told := agreed(sources, name, getattr(facts, name))) is not NOT_TOLD}


def agreed(sources: Sequence[Any], name: str, missing: Unknown) -> Fact[Any]:
    """What these sources tell alike; `NOT_TOLD` where none tells it. `missing` is the fact as it was, unknown.

    A source that could not be asked stands back behind one that tells.
    """
    told = [(source.source, getattr(source, name)) for source in sources]
    known = [(source, value) for source, value in told if not isinstance(value, Unknown)]
    if not known:
        failed = dict.fromkeys(value.needs for _, value in told if isinstance(value, Unknown) and value.needs)
        return Unknown(f"{missing.needs}: {'; '.join(failed)}") if failed else NOT_TOLD
    (first, value), *others = known
    for source, other in others:
        if other != value:
            return Unknown(f"{missing.needs}: {first} says {_in_words(value)}, {source} says {_in_words(other)}")
    return value


def _in_words(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, Money):
        return shown(value.amount, value.currency)
    return ", ".join(sorted(value)) or "none" if isinstance(value, frozenset) else str(value)


def _whole_order(facts: ReturnFacts, orders: Sequence[OrderFacts]) -> Fact[bool]:
    """Whether this return holds every unit of its order, by itself. Unknown where the order lacks what it returns."""
    found: dict[str, Fact[bool]] = {}
    for order in orders:
        if not isinstance(order.items, Unknown):
            found[order.source] = _holds_all(facts, order.source, order.items)
        elif order.items.needs:
            found[order.source] = order.items
    words = facts.whole_order.needs if isinstance(facts.whole_order, Unknown) else ""
    known = {source: value for source, value in found.items() if not isinstance(value, Unknown)}
    if len(set(known.values())) > 1:
        said = ", ".join(f"{source} says {'yes' if value else 'no'}" for source, value in known.items())
        return Unknown(f"{words}: {said}")
    if known:
        return next(iter(known.values()))
    why = "; ".join(value.needs for value in found.values() if isinstance(value, Unknown))
    return Unknown(f"{words}: {why}") if why else facts.whole_order


def _holds_all(facts: ReturnFacts, source: str, items: Sequence[OrderItem]) -> Fact[bool]:
    """Units are counted by the first of the ids that all lines and all items have."""
    for name in ("variant_id", "sku", "product_id"):
        returned, bought = Counter[str](), Counter[str]()
        for counted, parts in ((returned, facts.lines), (bought, items)):
            for part in parts:
                key = getattr(part, name)
                counted[key if isinstance(key, str) else ""] += part.quantity
        if "" in returned or "" in bought or not bought:
            continue
        if returned.keys() <= bought.keys() and all(many <= bought[key] for key, many in returned.items()):
            return returned == bought
        return Unknown(f"{source} has fewer units than come back")
    return Unknown(f"{source} and the return have no kind of id in common")


# Which facts that REVER does not tell a merchant's rules ask for, so that they are gathered, and those alone.

EARLIER, WHOLE_ORDER = "earlier", "whole_order"
"""The shopper's other returns, and whether the whole order comes back."""

OF_FIELD: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ordered_on": ("ordered_on",),
        "days_since_order": ("ordered_on",),
        "days_from_order": ("ordered_on",),
        "fulfilled_on": ("fulfilled_on",),
        "days_since_fulfilment": ("fulfilled_on",),
        "days_from_fulfilment": ("fulfilled_on",),
        "delivered_on": ("delivered_on",),
        "days_since_delivery": ("delivered_on",),
        "days_from_delivery": ("delivered_on",),
        "order_value": ("order_value",),
        "order_tags": ("order_tags",),
        "customer_tags": ("customer_tags",),
        "gateway": ("gateway",),
        "fraud_risk": ("fraud_risk",),
        "whole_order": (WHOLE_ORDER,),
        "label_cost": ("label_cost",),
        "label_cost_share": ("label_cost",),
        "earlier_returns": (EARLIER,),
        "earlier_refunds": (EARLIER,),
        "earlier_refund_value": (EARLIER,),
        "earlier_wrong_items": (EARLIER,),
        "earlier_bonuses": (EARLIER,),
        "returns_before": (EARLIER,),
        "number_of_order": (EARLIER,),
        "returns_of_order": (EARLIER,),
        "order_returns_value": (EARLIER,),
        "product_type": ("product_type",),
        "vendor": ("vendor",),
        "product_tags": ("product_tags",),
        "variants": ("variants",),
        "product_cost": ("cost",),
    }
)
"""Field of a condition -> the facts of `ReturnFacts` or `LineFacts` that it is made from and REVER does not tell."""


_IN_NO_READ = frozenset({"days_since_first_scan", "days_since_arrival", "held"})
"""Fields that the ledger alone tells."""


def left_out(rules: Iterable[MerchantRule], facts: ReturnFacts) -> bool:
    """Whether what these rules ask for hangs on what a list may have left out: a fact that REVER tells of a return is
    unknown, or that by which another source is asked.
    """
    lines: tuple[LineFacts | None, ...] = facts.lines or (None,)
    came = {"first_scan": facts.scanned, "arrival": facts.arrived, "inspection": facts.reviewed}
    for rule in rules:
        if any(isinstance(it, Pay) and isinstance(came.get(it.at), Unknown) for it in rule.then):
            return True
        for check in checks_of(rule.when):
            if check.field not in _IN_NO_READ and any(_untold(check, facts, line) for line in lines):
                return True
    return False


def _untold(check: Check, facts: ReturnFacts, line: LineFacts | None) -> bool:
    """Whether a field is unknown, or of those that REVER does not tell the key to it."""
    gathered = OF_FIELD.get(check.field, ())
    if not gathered:
        return isinstance(FIELDS[check.field].reader(check.within_days)(facts, line), Unknown)
    if EARLIER in gathered:
        return isinstance(facts.shopper, Unknown)
    if OF_PRODUCT.intersection(gathered):
        return line is None or isinstance(line.sku, Unknown)
    return not facts.order_id


def needed(rules: Iterable[MerchantRule]) -> dict[str, tuple[str, ...]]:
    """Fact -> the names of the rules that ask for it, by a condition or for what they do."""
    found: dict[str, list[str]] = {}
    for rule in rules:
        facts = dict.fromkeys(fact for check in checks_of(rule.when) for fact in OF_FIELD.get(check.field, ()))
        for action in rule.then:
            if isinstance(action, RefundShipping):
                facts |= dict.fromkeys(("shipping",) if action.share == "whole" else ("shipping", "goods_value"))
        for fact in facts:
            found.setdefault(fact, []).append(rule.name)
    return {fact: tuple(names) for fact, names in found.items()}
