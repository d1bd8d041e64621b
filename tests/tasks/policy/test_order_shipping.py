"""The order's shipping costs in refunds: whole or in proportion, once, and never more than the shopper paid."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rever_api.models import ReturnProcess
from tasks.policy.actions import RefundShipping
from tasks.policy.decide import decide
from tasks.policy.decision import Compensate, Hold
from tasks.policy.kinds import REFUND
from tasks.policy.order_shipping import shipping_part
from tasks.policy.record import IntentState, OrderShipping
from tasks.policy.return_facts import Money, ReturnFacts, ShippingPart, Unknown
from tasks.policy.side_facts import OrderFacts, OrderItem, SideFacts
from tasks.policy.store import StoreRules
from tests.tasks.policy.carrying_out import carry_out
from tests.tasks.policy.factories import (
    EXCHANGE,
    GIFT,
    NOW,
    ORIGINAL,
    approved,
    intent,
    line,
    process,
    record,
    reviews,
    rules,
    terms,
)
from tests.tasks.policy.rule_texts import rules_of
from tests.tasks.policy.shop_returns import eur, item, known, shop_rules

WHOLE, PART = RefundShipping(share="whole"), RefundShipping(share="proportion")
ALWAYS = "{name: shipping, then: {refund_shipping: {share: whole}}}"
IN_PROPORTION = "{name: shipping, then: {refund_shipping: {share: proportion}}}"


COST, GOODS = eur("4.90"), eur("100.00")


def facts(parts: Any = (), shipping: Any = COST, goods: Any = GOODS, **fields: Any) -> ReturnFacts:
    return known(item("a"), shipping=shipping, goods_value=goods, shipping_parts=parts, **fields)


def part(number: int, amount: str, worth: str, by: str = "other", *, live: bool = True) -> ShippingPart:
    return ShippingPart(by, number, Decimal(amount), Decimal(worth), live)


def amount(found: Any) -> str | None:
    return str(found.amount) if isinstance(found, OrderShipping) else found


def test_the_whole_is_what_others_have_left_of_it() -> None:
    assert shipping_part(WHOLE, facts(), Decimal(20), "EUR") == OrderShipping(
        "o-1", 1, Decimal("4.90"), Decimal(20), Decimal("4.90")
    )
    found = shipping_part(WHOLE, facts((part(1, "1.90", "10"), part(2, "2.00", "10", live=False))), Decimal(20), "EUR")
    assert isinstance(found, OrderShipping)
    assert (found.amount, found.number) == (Decimal("3.00"), 3), "what was given back holds its number"
    assert shipping_part(WHOLE, facts((part(1, "4.90", "10"),)), Decimal(20), "EUR") is None
    assert shipping_part(WHOLE, facts((part(1, "9.90", "10"),)), Decimal(20), "EUR") is None
    assert shipping_part(WHOLE, facts(shipping=eur("0.00")), Decimal(20), "EUR") is None


def test_before_its_call_a_part_is_worked_out_by_those_before_it_alone() -> None:
    """Its own row is there by then, and perhaps that of a later return."""
    parts = (part(1, "2.45", "50"), part(2, "0.25", "5", "retp_1"), part(3, "0.98", "20", "third"))
    assert amount(shipping_part(PART, facts(parts), Decimal(5), "EUR")) == "0.25"
    assert amount(shipping_part(WHOLE, facts(parts[1:]), Decimal(5), "EUR")) == "4.90"


def test_what_was_sent_and_denied_counts_as_long_as_rever_may_come_to_show_it() -> None:
    denied = replace(part(1, "4.90", "10", live=False), sent_at=NOW)
    left = {days: facts((denied,), now=NOW + timedelta(days=days)) for days in (1, 3)}
    assert shipping_part(WHOLE, left[1], Decimal(20), "EUR") is None
    assert amount(shipping_part(WHOLE, left[3], Decimal(20), "EUR")) == "4.90"
    ahead = replace(denied, sent_at=NOW + timedelta(days=9))
    assert amount(shipping_part(WHOLE, facts((ahead,), now=NOW), Decimal(20), "EUR")) == "4.90"
    again = facts((denied, part(2, "1.90", "10")), now=NOW)
    assert amount(shipping_part(WHOLE, again, Decimal(20), "EUR")) == "3.00", "its return was sent again"
    own = facts((replace(denied, process_id="retp_1"),), now=NOW)
    assert amount(shipping_part(WHOLE, own, Decimal(20), "EUR")) == "4.90"


@pytest.mark.parametrize(
    ("told", "needs"),
    [
        ({"shipping": Unknown("the order's shipping costs")}, "the order's shipping costs"),
        ({"shipping": Money(Decimal(49), "SEK")}, "the order's shipping costs in EUR"),
        ({"shipping": eur("4.905")}, "the order's shipping costs in EUR"),
        ({"goods": Unknown("the goods' value")}, "the goods' value"),
        ({"goods": eur("19.99")}, "the value of the order's goods: less is told than comes back"),
        ({"parts": (part(1, "1.00", "80.01"),)}, "the value of the order's goods: less is told than comes back"),
        ({"parts": Unknown("the ledger")}, "the ledger"),
    ],
)
def test_what_is_not_known_is_no_amount(told: dict[str, Any], needs: str) -> None:
    assert shipping_part(PART, facts(**told), Decimal(20), "EUR") == Unknown(needs)
    assert shipping_part(WHOLE, facts()._replace(order_id=""), Decimal(20), "EUR") == Unknown("the order's id")


@given(st.lists(st.integers(1, 9_999), min_size=1, max_size=8), st.integers(1, 5_000), st.booleans(), st.data())
@settings(max_examples=100, deadline=None)
def test_r30_all_parts_of_an_order_are_just_its_shipping(
    worths: list[int], shipping: int, whole_last: bool, data: st.DataObject
) -> None:
    goods, cost = Money(Decimal(sum(worths)) / 100, "EUR"), Decimal(shipping) / 100
    parts: list[ShippingPart] = []
    for place, cents in enumerate(worths):
        action = WHOLE if whole_last and place == len(worths) - 1 else PART
        told = known(item("a"), shipping=Money(cost, "EUR"), goods_value=goods, shipping_parts=tuple(parts))
        found = shipping_part(action, told, Decimal(cents) / 100, "EUR")
        assert not isinstance(found, Unknown)
        if found is not None:
            parts.append(ShippingPart(f"p{place}", found.number, found.amount, found.worth))
        else:
            parts.append(ShippingPart(f"p{place}", len(parts) + 1, Decimal(0), Decimal(cents) / 100))
        assert sum(it.amount for it in parts) <= cost
    assert sum(it.amount for it in parts) == cost


# What it comes to in decisions.


def shop(*texts: str, shipping: str = "4.90", goods: str = "100.00", parts: Any = None) -> StoreRules:
    order = OrderFacts("orders.csv", shipping=eur(shipping), goods_value=eur(goods), items=(OrderItem(1, "SKU-a"),))
    side = SideFacts(orders={"o-1": order}, shipping_parts=parts)
    return replace(rules(), merchant_rules=rules_of(f"rules: [{', '.join(texts)}]"), side=side)


def read(*lines: Any, **fields: Any) -> ReturnProcess:
    return process(*(lines or (line("a"),)), order_id="o-1", **fields)


def paid(decision: object) -> dict[str, str]:
    return {due.method: str(due.amount) for due in decision.refunds} if isinstance(decision, Compensate) else {}


def test_it_goes_with_the_first_refund_and_once() -> None:
    it = read(line("a"), line("b", method=GIFT), reviews=[*approved("a"), *approved("b")], costs="3.00")
    decided = decide(it, shop(ALWAYS), record(), NOW)
    assert paid(decided) == {ORIGINAL: "11.90", GIFT: "10.00"}
    assert isinstance(decided, Compensate)
    assert "11.90 EUR by ORIGINAL_PAYMENT_METHOD for 1 unit (the order's shipping of 4.90 EUR in it)" in decided.why
    assert "(costs of 3.00 EUR taken off)" in decided.why
    assert "by rule 'shipping'" in decided.why
    sent, it = carry_out(decided, record(), it)
    assert REFUND.covers(decided, sent.intents[0], None)
    assert not REFUND.covers(decided, replace(sent.intents[0], shipping=None), None)
    assert paid(decide(it, shop(ALWAYS), sent, NOW)) == {GIFT: "10.00"}


def test_it_waits_until_no_unit_is_open_and_is_not_paid_where_nothing_is_refunded() -> None:
    two = line("a", 2, "20.00")
    assert paid(decide(read(two, reviews=approved("a")), shop(ALWAYS), record(), NOW)) == {ORIGINAL: "10.00"}
    assert paid(decide(read(two, reviews=approved("a", 2)), shop(ALWAYS), record(), NOW)) == {ORIGINAL: "24.90"}
    found = decide(read(two, reviews=reviews("a", "DECLINED", "MISSING")), shop(ALWAYS), record(), NOW)
    assert (found.rule, paid(found)) == ("all_settled", {})
    goods = decide(read(line("a", method=EXCHANGE, variant="v"), reviews=approved("a")), shop(ALWAYS), record(), NOW)
    assert isinstance(goods, Compensate)
    assert goods.refunds == ()


def test_an_amount_that_is_not_known_holds_what_would_be_paid() -> None:
    it = read(reviews=approved("a"))
    bare = replace(shop(ALWAYS), side=None)
    held = decide(it, bare, record(), NOW)
    assert isinstance(held, Hold)
    assert held.rule == "needs_facts"
    assert (
        "they need the order's shipping costs (the table of orders or the shop's order), for rule 'shipping'"
        in held.why
    )
    assert decide(read(), bare, record(), NOW).rule != "needs_facts", "nothing is due yet"
    nobody = decide(it, shop(ALWAYS, parts={}), record(), NOW)
    assert "what was refunded of the order's shipping costs before" in nobody.why
    assert paid(decide(it, shop(ALWAYS, parts={"o-1": (part(1, "4.90", "1.00"),)}), record(), NOW)) == {
        ORIGINAL: "10.00"
    }


def test_what_is_left_when_the_goods_are_paid_is_asked_about_and_a_closed_part_is_over() -> None:
    settled = record(intent(line_id="a", amount="10.00"), costs=Decimal(0), lines={"a": terms()})
    it = carry_out(decide(read(reviews=approved("a")), shop(), record(), NOW), record(), read(reviews=approved("a")))[1]
    held = decide(it, shop(ALWAYS), settled, NOW)
    assert isinstance(held, Hold)
    assert (held.rule, held.amount, held.items, held.pays) == ("shipping_left", Decimal("4.90"), (), Decimal(0))
    assert held.shipping is not None
    by_hand = intent(state=IntentState.DONE_BY_HAND, items=(), amount="4.90", shipping=held.shipping)
    assert decide(it, shop(ALWAYS), replace(settled, intents=(*settled.intents, by_hand)), NOW).rule == "all_settled"
    dropped = record(intent(line_id="a", state=IntentState.DROPPED, amount="0"), costs=Decimal(0), lines={"a": terms()})
    assert decide(read(reviews=approved("a")), shop(ALWAYS), dropped, NOW).rule == "all_settled", "given up, all of it"


def test_a_hold_says_what_is_closed_with_its_units_and_what_stays() -> None:
    ask = "{name: ask, when: {sku: {is: SKU-a}}, then: {approve: {who: o, why: w}}}"
    lines = (item("a"), item("b", method=GIFT))
    held = decide(read(*lines, reviews=[*approved("a"), *approved("b")]), shop(ALWAYS, ask), record(), NOW)
    assert isinstance(held, Hold)
    assert (held.rule, held.pays, held.leaves) == ("approval", Decimal("24.90"), Decimal("10.00"))
    assert held.shipping is not None
    other = ask.replace("SKU-a", "SKU-b")
    held = decide(read(*lines, reviews=[*approved("a"), *approved("b")]), shop(ALWAYS, other), record(), NOW)
    assert isinstance(held, Hold)
    assert (held.shipping, held.leaves) == (None, Decimal("14.90"))


def test_a_hold_that_nobody_can_let_pass_has_the_shipping_that_is_closed_with_its_units() -> None:
    """Its amount has the shipping in it: who pays that by hand has paid it, and is not asked for it again."""
    held = decide(
        read(reviews=approved("a")), replace(shop(ALWAYS), settings=rules(timing="NONE").settings), record(), NOW
    )
    assert isinstance(held, Hold)
    assert (held.rule, held.amount) == ("unknown_timing", Decimal("14.90"))
    assert held.shipping is not None
    assert held.shipping.amount == Decimal("4.90")


def test_r29_one_unit_missing_and_it_is_not_refunded() -> None:
    two = item("a", quantity=2, total="20.00")
    r29 = replace(shop(), merchant_rules=shop_rules("R29"))
    assert r29.side is not None
    order = replace(r29.side.orders["o-1"], items=(OrderItem(2, "SKU-a"),))
    r29 = replace(r29, side=SideFacts(orders={"o-1": order}))
    assert paid(decide(read(two, reviews=approved("a", 2)), r29, record(), NOW)) == {ORIGINAL: "24.90"}
    assert paid(decide(read(two, reviews=reviews("a", "APPROVED", "MISSING")), r29, record(), NOW)) == {
        ORIGINAL: "10.00"
    }


@pytest.mark.parametrize(("quantity", "pays"), [(1, "10.49"), (3, "31.47")])
def test_r30_in_proportion_to_what_comes_back(quantity: int, pays: str) -> None:
    it = read(line("a", quantity, str(quantity * 10)), reviews=approved("a", quantity))
    assert paid(decide(it, shop(IN_PROPORTION), record(), NOW)) == {ORIGINAL: pays}
