"""What rules ask for that REVER does not tell: the table of fields is in step with what the fields really read."""

from dataclasses import fields, replace
from datetime import date
from decimal import Decimal
from typing import Any, get_args

import pytest

from tasks.policy.condition_fields import FIELDS, Field
from tasks.policy.return_facts import EarlierReturn, LineFacts, Money, ReturnFacts, Unknown
from tasks.policy.side_facts import OF_PRODUCT, OrderFacts
from tasks.policy.side_needs import EARLIER, OF_FIELD, WHOLE_ORDER, needed
from tests.tasks.policy.factories import NOW
from tests.tasks.policy.rule_texts import rules_of

EUR = Money(Decimal(10), "EUR")
OF_ORDER = {each.name for each in fields(OrderFacts)} - {"source", "items"} | {WHOLE_ORDER, EARLIER}


VALUES = {str: "x", date: date(2026, 3, 1), Money: EUR, bool: True, int: 1, Decimal: Decimal(1)}


def known(kind: type[Any]) -> dict[str, Any]:
    """A value for every fact that is unknown where nobody tells it."""
    unknown = [each for each in fields(kind) if isinstance(each.default, Unknown)]
    return {each.name: VALUES.get(get_args(each.type)[0], frozenset("x")) for each in unknown}


def told(facts: Any, **values: Any) -> Any:
    return replace(facts, **values)


LINE: LineFacts = told(LineFacts("a", 1), **known(LineFacts))
EARLIER_ONE = EarlierReturn("other", "o", date(2026, 3, 1), value=EUR)
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
