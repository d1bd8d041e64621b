"""Facts from tables and the shop's orders, beside those that REVER tells: nothing known changes, nothing is guessed."""

from dataclasses import fields, replace
from datetime import UTC, date
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rever_api.models import Address, Product, Shopper
from tasks.policy.condition_fields import FIELDS, Field
from tasks.policy.return_facts import EarlierReturn, LineFacts, Money, ReturnFacts, Unknown, facts_of
from tasks.policy.side_facts import (
    EARLIER,
    NOT_TOLD,
    OF_FIELD,
    OF_PRODUCT,
    WHOLE_ORDER,
    OrderFacts,
    OrderItem,
    ProductFacts,
    SideFacts,
    enriched,
    left_out,
    needed,
)
from tests.tasks.policy.factories import NOW, line, process, record, rules
from tests.tasks.policy.rule_texts import rules_of

EUR = Money(Decimal("10.00"), "EUR")
TAGS = frozenset({"vip"})


def of(*lines: Any, **read: Any) -> ReturnFacts:
    told = {"order_id": "0042", "order_name": "#1001", **read}
    return facts_of(process(*lines, **told), record(), rules(), NOW, UTC)


def bought(line_id: str = "a", sku: str = "S-1", quantity: int = 1, variant: str = "", product: str = "") -> Any:
    item = Product(sku=sku, variant_id=variant, product_id=product)
    return line(line_id, quantity).model_copy(update={"product": item})


def by_id(order: OrderFacts) -> SideFacts:
    return SideFacts(orders={"0042": order})


def test_an_order_is_found_by_its_id_and_by_its_name() -> None:
    row = OrderFacts("orders.csv, row 2", order_tags=TAGS, ordered_on=date(2026, 3, 1))
    for side in (by_id(row), SideFacts(orders_by_name={"1001": row}), SideFacts(shop_orders={"0042": row})):
        found = enriched(of(), side)
        assert (found.order_tags, found.ordered_on) == (TAGS, date(2026, 3, 1))
        assert isinstance(found.gateway, Unknown)
    for missed in (SideFacts(orders={"42": row}), SideFacts(orders_by_name={"1002": row}), SideFacts(), None):
        assert enriched(of(), missed) == of()
    nameless = of()._replace(order_id="", order_name="")
    assert enriched(nameless, SideFacts(orders={"": row}, orders_by_name={"": row})) == nameless


def test_a_product_is_found_by_its_sku_exactly() -> None:
    side = SideFacts(products={"007": ProductFacts("products.csv, row 2", product_type="shoe", cost=EUR)})
    found = enriched(of(bought("a", "007"), bought("b", "7"), bought("c", "")), side)
    assert [each.product_type == "shoe" for each in found.lines] == [True, False, False]
    assert found.lines[0].cost == EUR
    assert found.lines[0].vendor == LineFacts("a", 1).vendor


def test_what_is_known_to_be_none_is_known() -> None:
    found = enriched(of(), by_id(OrderFacts("orders.csv, row 2", delivered_on=None, order_tags=frozenset())))
    assert (found.delivered_on, found.order_tags) == (None, frozenset())


def test_sources_that_differ_leave_it_unknown_and_are_named() -> None:
    side = SideFacts(
        orders={"0042": OrderFacts("orders.csv, row 2", ordered_on=date(2026, 3, 1), gateway="paypal")},
        shop_orders={"0042": OrderFacts("the shop", ordered_on=date(2026, 3, 2), gateway="paypal")},
    )
    found = enriched(of(), side)
    told = "orders.csv, row 2 says 2026-03-01, the shop says 2026-03-02"
    words = f"the order's date (the table of orders or the shop's order): {told}"
    assert (found.ordered_on, found.gateway) == (Unknown(words), "paypal")


def test_a_source_that_could_not_be_asked_says_so_and_stands_back_behind_one_that_tells() -> None:
    failed = OrderFacts("the shop", order_tags=Unknown("the shop answered with 503"))
    assert enriched(of(), by_id(failed)).order_tags == Unknown(
        "the order's tags (the table of orders or the shop's order): the shop answered with 503"
    )
    beside = SideFacts(orders={"0042": OrderFacts("orders.csv, row 2", order_tags=TAGS)}, shop_orders={"0042": failed})
    assert enriched(of(), beside).order_tags == TAGS


@pytest.mark.parametrize(
    ("lines", "items", "whole"),
    [
        ([bought("a", "S-1", 2)], [OrderItem(2, "S-1")], True),
        ([bought("a", "S-1", 1)], [OrderItem(2, "S-1")], False),
        ([bought("a", "S-1", 2)], [OrderItem(1, "S-1"), OrderItem(1, "S-1")], True),
        ([bought("a", "S-1"), bought("b", "S-2")], [OrderItem(1, "S-1")], None),
        ([bought("a", "S-1", 3)], [OrderItem(2, "S-1")], None),
        ([bought("a", "S-1")], [OrderItem(1, "S-1"), OrderItem(1, "S-2")], False),
        ([bought("a", "S-1")], [OrderItem(1, "s-1")], None),
        ([bought("a", "", variant="v")], [OrderItem(1, "S-1", variant_id="v")], True),
        ([bought("a", "", variant="v")], [OrderItem(1, "S-1")], None),
        ([bought("a", "", product="p"), bought("b", "", product="p")], [OrderItem(2, "", "v", "p")], True),
        ([bought("a", "S-1")], [], None),
    ],
)
def test_the_whole_order_is_every_unit_of_it(lines: list[Any], items: list[OrderItem], whole: bool | None) -> None:
    found = enriched(of(*lines), by_id(OrderFacts("orders.csv, row 2", items=tuple(items)))).whole_order
    assert isinstance(found, Unknown) if whole is None else found is whole


def test_a_line_s_product_comes_from_the_order_s_items_too() -> None:
    shoes = OrderItem(1, "S-1", "v1", "p1", ProductFacts("the shop", product_tags=frozenset({"shoes"})))
    shirts = OrderItem(1, "S-2", "v2", "p2", ProductFacts("the shop", product_tags=frozenset()))
    side = SideFacts(shop_orders={"0042": OrderFacts("the shop", items=(shoes, shirts))})
    found = enriched(of(bought("a", "S-2", variant="v1"), bought("b", "S-2"), bought("c", "S-3")), side)
    assert [each.product_tags for each in found.lines[:2]] == [frozenset({"shoes"}), frozenset()]
    assert isinstance(found.lines[2].product_tags, Unknown)
    table = {"S-2": ProductFacts("products.csv, row 9", product_tags=TAGS)}
    both = enriched(of(bought("b", "S-2")), replace(side, products=table))
    words = "the product's tags (the table of products): products.csv, row 9 says vip, the shop says none"
    assert both.lines[0].product_tags == Unknown(words)


def test_earlier_returns_are_those_of_the_shopper_s_mailbox() -> None:
    other = EarlierReturn("retp_2", "o-2", date(2026, 1, 1))
    ann = of()._replace(shopper="ann@example.com")
    assert enriched(ann, SideFacts(earlier={"ann@example.com": (other,)})).earlier == (other,)
    assert enriched(of(), SideFacts(earlier={"": (other,)})).earlier == of().earlier
    cut = Unknown("the shopper's earlier returns (the search was cut short)")
    assert enriched(ann, SideFacts(earlier={"ann@example.com": cut})).earlier == cut
    assert "ann@" not in repr(SideFacts(earlier={"ann@example.com": (other,)}))


DAYS = st.sampled_from([NOT_TOLD, None, date(2026, 3, 1), date(2026, 3, 2), Unknown("the shop is down")])
SETS = st.sampled_from([NOT_TOLD, frozenset(), TAGS, frozenset({"a", "b"})])
TEXTS = st.sampled_from([NOT_TOLD, None, "x", "y"])
SUMS = st.sampled_from([NOT_TOLD, EUR, Money(Decimal(10), "SEK"), Money(Decimal("10.0"), "EUR")])
ITEMS = st.one_of(
    st.just(NOT_TOLD),
    st.lists(st.builds(OrderItem, st.integers(1, 3), st.sampled_from(["S-1", "S-2"])), max_size=3).map(tuple),
)
ORDERS = st.builds(
    OrderFacts, st.sampled_from(["one", "two"]), DAYS, DAYS, DAYS, SUMS, SETS, SETS, TEXTS, TEXTS, SUMS, SUMS, ITEMS
)
PRODUCTS = st.builds(ProductFacts, st.just("table"), TEXTS, TEXTS, SETS, st.sampled_from([NOT_TOLD, 1, 2]), SUMS)
SIDES = st.builds(
    SideFacts,
    products=st.dictionaries(st.sampled_from(["S-1", "S-2"]), PRODUCTS),
    orders=st.dictionaries(st.sampled_from(["0042", "7"]), ORDERS),
    orders_by_name=st.dictionaries(st.sampled_from(["1001", "7"]), ORDERS),
    shop_orders=st.dictionaries(st.just("0042"), ORDERS),
)
FACTS = st.builds(
    lambda known, tags, whole: of(bought("a", "S-1", 2), bought("b", "S-2"))._replace(
        **({"ordered_on": known} if not isinstance(known, Unknown) else {}),
        **({"order_tags": tags} if not isinstance(tags, Unknown) else {}),
        **({"whole_order": whole} if whole is not None else {}),
    ),
    DAYS,
    SETS,
    st.sampled_from([None, True, False]),
)


@given(FACTS, SIDES)
def test_what_is_known_never_changes_and_what_no_source_tells_stays_unknown(
    facts: ReturnFacts, side: SideFacts
) -> None:
    after = enriched(facts, side)
    sources = list(side.of_order(facts))
    for name in set(ReturnFacts._fields) - {"lines"}:
        was, now = getattr(facts, name), getattr(after, name)
        if not isinstance(was, Unknown):
            assert now == was, name
        elif not isinstance(now, Unknown):
            told = [getattr(source, "items" if name == "whole_order" else name) for source in sources]
            known = [value for value in told if not isinstance(value, Unknown)]
            assert known, f"{name} was told by nobody"
            assert name == "whole_order" or all(value == now for value in known), name
    for was_line, now_line in zip(facts.lines, after.lines, strict=True):
        for name in LineFacts._fields:
            was, now = getattr(was_line, name), getattr(now_line, name)
            assert now == was or isinstance(was, Unknown)
            if now != was and not isinstance(now, Unknown):
                assert getattr(side.products[str(was_line.sku)], name) == now


@given(FACTS, SIDES)
def test_putting_them_in_twice_changes_nothing_more(facts: ReturnFacts, side: SideFacts) -> None:
    once = enriched(facts, side)
    twice = enriched(once, side)
    for name in set(ReturnFacts._fields) - {"lines"}:
        if not isinstance(getattr(once, name), Unknown):
            assert getattr(twice, name) == getattr(once, name)


TEN = Money(Decimal(10), "TEN")
OF_ORDER = {each.name for each in fields(OrderFacts)} - {"source", "items"} | {WHOLE_ORDER, EARLIER}


VALUES = {str: "x", date: date(2026, 3, 1), Money: TEN, bool: True, int: 1, Decimal: Decimal(1)}


def known(kind: Any) -> dict[str, Any]:
    """A value for every fact that is unknown where nobody tells it."""
    unknown = [name for name, value in kind._field_defaults.items() if isinstance(value, Unknown)]
    return {name: VALUES.get(get_args(kind.__annotations__[name])[0], frozenset("x")) for name in unknown}


def told(facts: Any, **values: Any) -> Any:
    return facts._replace(**values)


LINE: LineFacts = told(LineFacts("a", 1), **known(LineFacts))
EARLIER_ONE = EarlierReturn("other", "o", date(2026, 2, 1), value=TEN)
ALL: ReturnFacts = told(
    ReturnFacts("retp_1", "acme", NOW, (LINE,), order_id="o"), **{**known(ReturnFacts), "earlier": (EARLIER_ONE,)}
)


def value(field: Field, facts: ReturnFacts, line: LineFacts) -> Any:
    return field.reader()(facts, line)


@pytest.mark.parametrize("field", FIELDS.values(), ids=lambda field: field.name)
def test_a_field_needs_what_the_table_says(field: Field) -> None:
    assert not isinstance(value(field, ALL, LINE), Unknown), "nothing is unknown here"
    gone = Unknown("gone")
    needs = {name for name in OF_ORDER if isinstance(value(field, told(ALL, **{name: gone}), LINE), Unknown)}
    needs |= {name for name in OF_PRODUCT if isinstance(value(field, ALL, told(LINE, **{name: gone})), Unknown)}
    assert set(OF_FIELD.get(field.name, ())) == needs


def test_rules_are_named_by_what_they_ask_for() -> None:
    rules = rules_of(
        """
rules:
- name: VIP
  when: {any: [{customer_tags: {has: VIP}}, {not: {days_from_order: {over: 30}}}]}
  then: {pay: {at: first_scan}}
- name: gifts
  when: {some_line: {product_type: {is: gift}}, ordered_on: {from: 2026-01-01}}
  then: {refund_shipping: {share: proportion}}
- name: plain
  when: {country: {is: ES}}
  then: {no_fee: {}}
"""
    )
    assert needed(rules) == {
        "customer_tags": ("VIP",),
        "ordered_on": ("VIP", "gifts"),
        "product_type": ("gifts",),
        "shipping": ("gifts",),
        "goods_value": ("gifts",),
    }


GOING: dict[str, Any] = {"reviews": (), "return_status": "STARTED"}


@pytest.mark.parametrize(
    ("rule", "fields", "expected"),
    [
        ("when: {country: {is: ES}}, then: {no_fee: {}}", {"pickup_address": None}, True),
        ("when: {country: {is: ES}}, then: {no_fee: {}}", {"pickup_address": Address(country_code="ES")}, False),
        ("when: {lines: {is: 1}}, then: {pay: {at: first_scan}}", {"logistics": None, **GOING}, True),
        ("when: {lines: {is: 1}}, then: {pay: {at: first_scan}}", {"logistics": (), **GOING}, False),
        # What only others tell is no reason to read again, but for that by which they are asked.
        ("when: {order_tags: {has: VIP}}, then: {no_fee: {}}", {"order_id": "o-1"}, False),
        ("when: {order_tags: {has: VIP}}, then: {no_fee: {}}", {"order_id": ""}, True),
        ("when: {earlier_returns: {over: 1}}, then: {no_fee: {}}", {"shopper": Shopper(email="a@b.example")}, False),
        ("when: {earlier_returns: {over: 1}}, then: {no_fee: {}}", {"shopper": None}, True),
        ("when: {product_tags: {has: sale}}, then: {no_fee: {}}", {}, True),
        ("when: {days_since_first_scan: {over: 1}}, then: {no_fee: {}}", {"return_status": "COLLECTED"}, False),
    ],
)
def test_a_read_by_id_is_worth_its_call_where_rules_hang_on_what_a_list_may_leave_out(
    rule: str, fields: dict[str, Any], expected: bool
) -> None:
    facts = facts_of(process(line("a"), **fields), record(), rules(), NOW, UTC)
    assert left_out(rules_of(f"rules: [{{name: one, {rule}}}]"), facts) is expected
