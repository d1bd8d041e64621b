"""What the shop's own order tells as facts, and what it leaves open."""

from dataclasses import fields
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rever_api.shop import ShopOrder, ShopTransaction
from tasks.policy.return_facts import Money, Unknown
from tasks.policy.shop_facts import not_asked, shop_facts
from tasks.policy.side_facts import NOT_TOLD, OrderFacts, OrderItem, ProductFacts

FEES = [
    {"type": "SHIPPING_FEE", "amount": "5.00", "discount": "", "taxes": "1.05"},
    {"type": "HANDLING_FEE", "amount": "1.50", "discount": "0.50", "taxes": "0.32"},
]
LINES = [
    {
        "quantity": 2,
        "variant_id": "v1",
        "total": "43.56",
        "product": {"id": "p1", "sku": "ALL", "tags": ["cotton"], "variants": [{"id": "v1", "sku": "S-1"}]},
    },
    {"quantity": 1, "total": "72.59", "product": {"id": "p2", "sku": "S-2"}},
]
WHOLE: dict[str, Any] = {
    "order_id": "42",
    "customer_currency": "EUR",
    "tags": ["vip"],
    "line_items": LINES,
    "line_fees": FEES,
    "purchased_at": "2026-03-20T23:30:00Z",
    "fulfilled_at": "2026-03-21T10:00:00-04:00",
}


def of(payments: Any = (), **fields: Any) -> OrderFacts:
    return shop_facts(ShopOrder.model_validate(WHOLE | fields), payments, ZoneInfo("Europe/Madrid"))


def leg(platform: str, kind: str = "SALE", status: str = "SUCCESS") -> ShopTransaction:
    return ShopTransaction(kind=kind, status=status, platform_id=platform)


def test_a_whole_order() -> None:
    facts = of([leg("paypal"), leg("manual", status="FAILURE"), leg("stripe", kind="REFUND")])
    assert (facts.ordered_on, facts.fulfilled_on) == (date(2026, 3, 21), date(2026, 3, 21))
    assert (facts.order_value, facts.shipping) == (Money(Decimal("123.52"), "EUR"), Money(Decimal("6.05"), "EUR"))
    assert (facts.order_tags, facts.gateway) == (frozenset({"vip"}), "paypal")
    assert facts.items == (
        OrderItem(2, "S-1", "v1", "p1", ProductFacts("the shop", product_tags=frozenset({"cotton"}))),
        OrderItem(1, "S-2", "", "p2", ProductFacts("the shop")),
    )
    assert (facts.delivered_on, facts.customer_tags, facts.fraud_risk, facts.label_cost) == (NOT_TOLD,) * 4


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"purchased_at": None}, "ordered_on"),
        ({"purchased_at": "2026-03-20T23:30:00"}, "ordered_on"),
        ({"tags": None}, "order_tags"),
        ({"line_fees": None}, "order_value"),
        ({"line_fees": None}, "shipping"),
        ({"line_items": [*LINES, {"quantity": 1}]}, "order_value"),
        ({"customer_currency": ""}, "order_value"),
        ({"customer_currency": "euros"}, "shipping"),
        ({"line_fees": [{"type": "SHIPPING_FEE", "amount": "5.00"}]}, "shipping"),
        ({"line_items": [{"total": "1.00"}]}, "items"),
        ({"line_items": [{"quantity": 0, "total": "1.00"}]}, "items"),
        ({"line_items": None}, "items"),
        ({}, "gateway"),
    ],
)
def test_what_it_does_not_say_is_not_told(fields: dict[str, Any], name: str) -> None:
    assert getattr(of(**fields), name) == NOT_TOLD


def test_an_order_without_a_shipping_fee_had_none_and_an_empty_list_of_tags_is_no_tag() -> None:
    facts = of(line_fees=[], tags=[])
    assert (facts.shipping, facts.order_tags) == (Money(Decimal(0), "EUR"), frozenset())


def test_an_order_that_was_paid_in_two_ways_has_no_one_gateway() -> None:
    assert of([leg("stripe"), leg("giftcard", "CAPTURE")]).gateway == Unknown(
        "the order was paid by giftcard and stripe"
    )
    assert of([leg("stripe"), leg("stripe")]).gateway == "stripe"
    assert of(Unknown("the shop answered 503")).gateway == Unknown("the shop answered 503")


def test_an_order_that_was_not_asked_tells_nothing_but_why() -> None:
    facts = not_asked("the shop answered 503")
    unknown = Unknown("the shop answered 503")
    assert (facts.ordered_on, facts.order_tags, facts.gateway, facts.items) == (unknown,) * 4
    assert (facts.customer_tags, facts.delivered_on) == (NOT_TOLD, NOT_TOLD)


JSON = st.recursive(
    st.sampled_from(
        [None, True, 0, 1, -5, 10**30, "", "1.00", "1e5", "EUR", "S\0", "SHIPPING_FEE", "2026-03-20T10:00:00Z"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*WHOLE, *LINES[0], *FEES[0]]), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(list(WHOLE)), JSON))
def test_whatever_the_shop_sends_is_facts(fields: dict[str, Any]) -> None:
    order = ShopOrder.model_validate(WHOLE | fields)
    facts = shop_facts(order, (), UTC)
    if not isinstance(fields.get("tags", []), list):
        assert facts.order_tags == NOT_TOLD
    assert not isinstance(facts.ordered_on, datetime)


@given(st.sets(st.sampled_from(list(WHOLE)), min_size=1), st.booleans())
def test_what_is_told_with_less_said_is_what_is_told_with_all(left_out: set[str], null: bool) -> None:
    said = dict.fromkeys(left_out) if null else {}
    order = ShopOrder.model_validate({name: value for name, value in WHOLE.items() if name not in left_out} | said)
    less, whole = shop_facts(order, (), UTC), shop_facts(ShopOrder.model_validate(WHOLE), (), UTC)
    for each in fields(OrderFacts):
        told = getattr(less, each.name)
        assert told == NOT_TOLD or told == getattr(whole, each.name), each.name
