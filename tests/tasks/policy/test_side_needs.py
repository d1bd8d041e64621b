"""What rules ask for that REVER does not tell: the table of fields is in step with what the fields really read."""

from dataclasses import fields, replace
from datetime import UTC, date
from decimal import Decimal
from typing import Any, get_args

import pytest

from rever_api.models import Address, Shopper
from tasks.policy.condition_fields import FIELDS, Field
from tasks.policy.return_facts import EarlierReturn, LineFacts, Money, ReturnFacts, Unknown, facts_of
from tasks.policy.side_facts import OF_PRODUCT, OrderFacts
from tasks.policy.side_needs import EARLIER, OF_FIELD, WHOLE_ORDER, left_out, needed
from tests.tasks.policy.factories import NOW, line, process, record, rules
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
