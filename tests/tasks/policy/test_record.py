"""The record that the rules are given, and as it would be without an intent that is about to be sent."""

from dataclasses import replace
from decimal import Decimal

from tasks.policy.record import IntentKind, Record, Waiver
from tests.tasks.policy.factories import hold, intent, record, terms

FIRST, SECOND = replace(intent(line_id="a"), id="first"), replace(intent(line_id="b"), id="second")
GOODS = replace(intent(IntentKind.EXCHANGE, line_id="c"), id="goods")
BOTH = record(
    FIRST,
    SECOND,
    lines={"a": terms("10.00"), "b": terms("20.00")},
    costs=Decimal("2.00"),
    holds=(hold(),),
    waivers=(Waiver("r", used_by="first"), Waiver("s", used_by="second")),
)


def test_without_an_intent_what_only_it_fixed_is_gone_and_what_it_used_is_unused() -> None:
    assert BOTH.without("second") == Record(
        process_id="retp_1",
        store="acme",
        costs=Decimal("2.00"),
        lines={"a": terms("10.00")},
        intents=(FIRST,),
        holds=(hold(),),
        waivers=(Waiver("r", used_by="first"), Waiver("s")),
    )


def test_without_the_only_refund_the_costs_are_open_again() -> None:
    with_goods = record(FIRST, GOODS, lines={"a": terms(), "c": terms()}, costs=Decimal("2.00"))
    assert with_goods.without("first") == record(GOODS, lines={"c": terms()})
    assert with_goods.without("goods") == record(FIRST, lines={"a": terms()}, costs=Decimal("2.00"))
