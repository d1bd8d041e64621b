"""A merchant's rules at returns that are half way: units are paid or closed by hand, and the rules or facts change."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rever_api.models import ReturnProcess, Review
from tasks.ledger.checking import check_payments
from tasks.policy.actions import ActionKind, Decline
from tasks.policy.case import Case, told_terms
from tasks.policy.decide import decide
from tasks.policy.decision import Compensate, Hold, MakeLabel
from tasks.policy.merchant_rules import MerchantRule
from tasks.policy.money import gross
from tasks.policy.record import IntentKind, IntentState, LineUnits, Record, money_intents, taken
from tasks.policy.rules.label import decide_label
from tasks.policy.side_facts import ProductFacts, SideFacts
from tasks.policy.verdict import Open
from tests.tasks.policy.carrying_out import carry_out, paid
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
    refund,
    reviews,
    rules,
    terms,
)
from tests.tasks.policy.test_properties import CURRENCIES, inspections, no_unit_twice
from tests.tasks.policy.test_ruling import AT_HOME, HERE, SALE, SCANNED, of_sku, pays, shop, told
from tests.tasks.policy.test_ruling_properties import some_rules

LATER = "{name: later, then: {pay: {at: inspection, plus_days: 3}}}"


def closed(*units: int, quantity: int = 2) -> Record:
    """A record in which a person has dropped these units of a line of 10.00 EUR each."""
    total = Decimal(10 * quantity)
    dropped = intent(state=IntentState.DROPPED, units=units, amount="0", gross=Decimal(10 * len(units)))
    return record(dropped, lines={"retl_1": terms(f"{total}.00", quantity)})


def test_a_unit_below_one_that_a_person_closed_is_not_paid_against_the_rules() -> None:
    """A person may close unit 2 of 2: of unit 1 the rules decide as before."""
    it = process(line(quantity=2, total="20.00"), reviews=approved(units=2))
    assert pays(decide(it, shop(), closed(2), NOW)) == {"ORIGINAL_PAYMENT_METHOD": "10.00"}
    declined = decide(it, shop("{name: promo, then: {decline: {why: promo}}}"), closed(2), NOW)
    assert told(declined) == ("Nothing", "all_settled")
    assert "; 1 unit not compensated by rule 'promo'" in declined.why
    assert told(decide(it, shop(SALE), closed(2), NOW)) == ("Hold", "needs_facts")
    waiting = decide(it, shop(LATER), closed(2), NOW)
    assert told(waiting) == ("Wait", "wait_moment")
    assert "1 unit to be paid when rule 'later' says so" in waiting.why
    at_home = process(line(quantity=2, total="20.00"), **AT_HOME)
    scan = "{name: scan, then: {pay: {at: first_scan}}}"
    assert pays(decide(at_home, shop(scan), closed(2), NOW)) == {}
    assert pays(decide(process(line(quantity=2, total="20.00"), **SCANNED), shop(scan), closed(2), NOW)) == {
        "ORIGINAL_PAYMENT_METHOD": "10.00"
    }


def test_a_completed_return_names_the_units_that_were_to_be_paid_later() -> None:
    """So that a person can close them without naming each."""
    it = process(line(quantity=2, total="20.00"), reviews=approved(units=2), status="COMPLETED")
    held = decide(it, shop(LATER), record(), NOW)
    assert isinstance(held, Hold)
    assert (held.rule, held.items, held.amount) == ("completed_unpaid", (LineUnits("retl_1", (1, 2)),), None)
    assert told(decide(it, shop(LATER), closed(1, 2), NOW)) == ("Nothing", "completed")


# Facts that cannot be told for a while.


VIP = "{name: VIP, when: {customer_tags: {has: VIP}}, then: {pay: {at: first_scan}}}"
VIP_FEE = "{name: VIP fee, when: {customer_tags: {has: VIP}}, then: {fee: {amount: 6.00 EUR}}}"


def test_what_was_paid_early_is_no_contradiction_while_the_rule_s_fact_cannot_be_told() -> None:
    known = record(intent(), costs=Decimal(0), lines={"retl_1": terms()})
    it = process(refunds=[refund()], **SCANNED)
    assert told(decide(it, shop(VIP), known, NOW)) == ("Wait", "wait_parcel")
    gone = "{name: other, then: {no_bonus: {}}}"
    held = decide(it, shop(gone), known, NOW)
    assert told(held) == ("Hold", "fewer_approvals"), "without the rule it is one"
    assert "1 compensated, 0 approved, 1 not inspected yet" in held.why


TWO = (line("a", 1, "10.00"), line("b", 1, "4.00", GIFT))
HALF = record(intent(line_id="a", amount="4.00", gross=Decimal("10.00")), costs=Decimal("6.00"), lines={"a": terms()})


def half_paid(*more: Review, **fields: Any) -> ReturnProcess:
    """A return of which line a was refunded, less costs of 6.00 EUR."""
    return process(*TWO, reviews=[*approved("a"), *more], refunds=[refund("4.00")], costs="1.00", **fields)


def test_a_fee_that_cannot_be_told_just_now_has_not_changed() -> None:
    assert told(decide(half_paid(), shop(VIP_FEE), HALF, NOW)) == ("Wait", "wait_inspection")
    assert told(decide(half_paid(*approved("b")), shop(VIP_FEE), HALF, NOW)) == ("Hold", "needs_facts")


def test_a_fee_that_the_store_changes_holds_only_where_more_is_to_be_refunded() -> None:
    seven = "{name: fee, then: {fee: {amount: 7.00 EUR}}}"
    for status in ("RUNNING", "COMPLETED"):
        paid_out = half_paid(*reviews("b", "DECLINED"), status=status)
        assert told(decide(paid_out, shop(seven), HALF, NOW))[0] == "Nothing"
    assert told(decide(half_paid(*approved("b")), shop(seven), HALF, NOW)) == ("Hold", "terms_changed")
    costs_at_rever = half_paid(*reviews("b", "DECLINED"))
    assert told(decide(costs_at_rever, shop(), HALF, NOW)) == ("Hold", "terms_changed"), "REVER's own are asked about"


def test_nothing_is_refunded_before_the_fees_of_all_lines_are_known() -> None:
    """The first refund fixes what is taken off them all."""
    heavy = "{name: heavy, when: {product_tags: {has: heavy}}, then: {fee: {amount: 6.00 EUR}}}"
    it = process(of_sku("S", "a"), of_sku("T", "b", 1, "4.00"), reviews=approved("b"), costs="1.00")
    products = {"T": ProductFacts("products.csv", product_tags=frozenset())}
    store = replace(shop(heavy), side=SideFacts(products=products))
    held = decide(it, store, record(), NOW)
    assert told(held) == ("Hold", "needs_facts")
    assert "the product's tags (the table of products), for rule 'heavy'" in held.why
    both = {**products, "S": ProductFacts("products.csv", product_tags=frozenset({"heavy"}))}
    known = replace(shop(heavy), side=SideFacts(products=both))
    assert pays(decide(it, known, record(), NOW)) == {ORIGINAL: "0.00"}


def test_a_refund_that_bears_no_costs_does_not_settle_what_comes_off_the_others() -> None:
    free = "{name: free, when: {sku: {is: A}}, then: {no_fee: {}}}"
    heavy = "{name: heavy, when: {product_tags: {has: heavy}}, then: {fee: {amount: 6.00 EUR}}}"
    light = {"T": ProductFacts("products.csv", product_tags=frozenset())}
    store = replace(shop(free, heavy), side=SideFacts(products=light))
    it = process(of_sku("A", "a"), of_sku("S", "b"), of_sku("T", "c"), reviews=approved("a"), costs="1.00")
    known, it = carry_out(decide(it, store, record(), NOW), record(), it)
    assert paid(it) == Decimal("10.00")
    it = it.model_copy(update={"reviews": (*approved("a"), *approved("c"))})
    assert told(decide(it, store, known, NOW)) == ("Hold", "needs_facts"), "line b may bear a fee"
    both = SideFacts(products={**light, "S": ProductFacts("products.csv", product_tags=frozenset({"heavy"}))})
    assert pays(decide(it, replace(store, side=both), known, NOW)) == {ORIGINAL: "3.00"}, "6.00 of line b, 1.00 told"


@pytest.mark.parametrize(
    ("rule", "it"),
    [
        ("bonus: {percent: 10 %, methods: [GIFT_CARD]}", process(reviews=approved())),
        ("pay: {at: first_scan}", process(reviews=approved())),
        ("keep_item: {}", process(reviews=approved())),
        ("accept: {why: friend}", process(reviews=approved())),
        ("methods: {never: [BANK_TRANSFER]}", process(reviews=approved())),
        ("out_of_stock: {do: hold}", process(reviews=approved())),
        ("no_fee: {}", process(line(method=EXCHANGE, variant="v"), reviews=approved())),
        ("keep_item: {}", process(line(method=EXCHANGE, variant="v"), reviews=approved())),
    ],
)
def test_a_rule_that_makes_no_difference_to_what_is_due_needs_no_facts(rule: str, it: ReturnProcess) -> None:
    asks = f"{{name: x, when: {{customer_tags: {{has: VIP}}}}, then: {{{rule}}}}}"
    assert told(decide(it, shop(asks), record(), NOW))[0] == "Compensate"


def test_of_a_declined_line_nothing_is_asked_any_more() -> None:
    promo = "{name: promo, then: {decline: {why: promo}}}"
    assert told(decide(process(**SCANNED), shop(promo, VIP), record(), NOW)) == ("Wait", "wait_parcel")


@pytest.mark.parametrize(
    ("rule", "it"),
    [
        ("bonus: {percent: 10 %, methods: [GIFT_CARD]}", process(line(method=GIFT), reviews=approved())),
        ("pay: {at: inspection, plus_days: 3}", process(reviews=approved())),
        ("pay: {at: arrival, plus_days: 3}", process(reviews=approved())),
        ("pay: {at: first_scan}", process(line(quantity=2, total="20.00"), reviews=approved())),
        ("keep_item: {}", process(**AT_HOME)),
        ("methods: {never: [ORIGINAL_PAYMENT_METHOD]}", process(reviews=approved())),
        ("fee: {amount: 6.00 EUR}", process(reviews=approved())),
        ("no_fee: {}", process(reviews=approved(), costs="1.00")),
        ("approve: {who: o, why: w}", process(reviews=approved())),
        ("add_on: {}", process(reviews=approved())),
    ],
)
def test_a_rule_that_makes_a_difference_needs_its_facts(rule: str, it: ReturnProcess) -> None:
    asks = f"{{name: x, when: {{customer_tags: {{has: VIP}}}}, then: {{{rule}}}}}"
    assert told(decide(it, shop(asks), record(), NOW)) == ("Hold", "needs_facts")


# Exchanges.


def test_nobody_is_asked_about_an_exchange_that_is_not_wholly_inspected() -> None:
    """An answer about one unit is none about the others."""
    ask = "{name: ask, then: {approve: {who: the owner, why: all, within_days: 3, then: decline}}}"
    two = line(quantity=2, total="20.00", method=EXCHANGE, variant="v")
    never = "{name: never, then: {methods: {never: [EXCHANGE]}}}"
    for rule, name in ((ask, "approval"), (never, "method_forbidden")):
        half = decide(process(two, reviews=approved()), shop(rule), record(), NOW)
        assert told(half) == ("Wait", "wait_exchange_inspection")
        held = decide(process(two, reviews=approved(units=2)), shop(rule), record(), NOW)
        assert isinstance(held, Hold)
        assert (held.rule, held.items) == (name, (LineUnits("retl_1", (1, 2)),))


def test_what_is_exchanged_is_not_kept() -> None:
    """Without a label it would never be inspected, and so never exchanged."""
    keep = "{name: keep, then: {keep_item: {}}}"
    it = process(line("x", method=EXCHANGE, variant="v"), line("y"), **AT_HOME)
    assert pays(decide(it, shop(keep), record(), NOW)) == {ORIGINAL: "10.00"}
    assert isinstance(decide_label(it, shop(keep), record(), NOW), MakeLabel)


OUT = intent(IntentKind.EXCHANGE, IntentState.REFUSED, line_id="x", error_code="9", created_at=NOW - timedelta(days=1))


def test_an_exchange_out_of_stock_is_not_refunded_by_a_method_that_may_not_be() -> None:
    bank = "{name: a, then: {out_of_stock: {do: refund, refund_by: BANK_TRANSFER}}}"
    it = process(line("x", method=EXCHANGE, variant="v"), reviews=approved("x"))
    never = "{name: b, then: {methods: {never: [BANK_TRANSFER]}}}"
    assert told(decide(it, shop(bank, never), record(OUT), NOW)) == ("Hold", "method_forbidden")
    credit = "{name: b, then: {methods: {never: [BANK_TRANSFER], instead: [GIFT_CARD]}}}"
    assert pays(decide(it, shop(bank, credit), record(OUT), NOW)) == {GIFT: "10.00"}


def test_a_refund_does_not_wait_for_the_stock_of_an_exchange() -> None:
    wait = "{name: a, then: {out_of_stock: {do: wait, days: 30}}}"
    lines = (line("x", method=EXCHANGE, variant="v"), line("y"))
    it = process(*lines, reviews=[*approved("x"), *approved("y")])
    decided = decide(it, shop(wait), record(OUT), NOW)
    assert pays(decided) == {ORIGINAL: "10.00"}
    assert isinstance(decided, Compensate)
    assert decided.exchange is None
    known, it = carry_out(decided, record(OUT), it)
    assert told(decide(it, shop(wait), known, NOW)) == ("Wait", "wait_stock")


# Whatever the rules say, become, and a person closes.


def _dropped(units: list[tuple[str, int]], case: Case) -> Record:
    """The record once a person has dropped these units, as the ledger writes it."""
    lines = {line.id: line for line in case.process.return_line_items}
    bearing = [(line_id, unit) for line_id, unit in units if line_id not in case.lines_without_costs]
    worth = sum((gross(case.terms(lines[line_id]), (unit,)) for line_id, unit in bearing), Decimal(0))
    made = replace(
        intent(state=IntentState.DROPPED, amount="0", currency=lines[units[0][0]].currency),
        id=str(len(case.record.intents)),
        items=tuple(LineUnits(line_id, (unit,)) for line_id, unit in units),
        gross=worth,
    )
    fixed = {line_id: told_terms(lines[line_id]) for line_id, _ in units}
    return replace(case.record, intents=(*case.record.intents, made), lines={**fixed, **case.record.lines})


def _allowed(decided: Compensate, case: Case) -> bool:
    """Whether nothing is paid that the rules decline, may decline, want a person to approve, or forbid to pay so."""
    ruling = case.ruling
    if ruling is None:
        return True
    for due in decided.refunds:
        for item in due.items:
            may = ruling.outcome(item.line_id, ActionKind.ACCEPTANCE)
            if ruling.excludes(item.line_id) or ruling.outcome(item.line_id, ActionKind.APPROVAL):
                return False
            if isinstance(may, Open) and any(isinstance(it, Decline) for it in may.candidates):
                return False
            if ruling.method(item.line_id, due.method) != due.method:
                return False
    return True


@given(inspections([ORIGINAL, GIFT, EXCHANGE]), st.lists(some_rules(), min_size=1, max_size=3), st.data())
@settings(max_examples=60, deadline=None)
def test_rules_that_change_half_way_pay_nothing_that_they_do_not_allow_and_the_ledger_agrees(
    told_: tuple[ReturnProcess, list[Review]], policies: list[tuple[MerchantRule, ...]], data: st.DataObject
) -> None:
    it, outcomes = told_
    known, now = record(), NOW
    for stage in (AT_HOME, SCANNED, HERE, HERE, HERE, HERE):
        now += timedelta(days=data.draw(st.integers(0, 5)))
        seen = outcomes[: data.draw(st.integers(0, len(outcomes)))] if stage is HERE else []
        it = process(
            *it.return_line_items,
            reviews=seen if len(seen) > len(it.reviews or ()) else it.reviews,
            costs=str(it.return_costs),
            **stage,
        ).model_copy(update={"compensation": it.compensation})
        of = replace(rules(currencies=CURRENCIES), merchant_rules=data.draw(st.sampled_from(policies)))
        gone = taken(known)
        left = [
            (each.id, unit)
            for each in it.return_line_items
            for unit in range(1, each.quantity + 1)
            if unit not in gone.get(each.id, frozenset())
        ]
        if left and data.draw(st.integers(0, 3)) == 0:
            units = data.draw(st.lists(st.sampled_from(left), unique=True, min_size=1, max_size=2))
            known = _dropped(units, Case(it, of, known, now))
        for _ in range(6):
            decided = decide(it, of, known, now)
            if not isinstance(decided, Compensate):
                break
            assert _allowed(decided, Case(it, of, known, now))
            known, it = carry_out(decided, known, it)
        assert no_unit_twice(known)
        refunds = [made for made in money_intents(known) if made.kind is IntentKind.REFUND]
        assert list(check_payments("retp_1", refunds, known.lines, known.costs or Decimal(0))) == []
    bonus = sum((made.bonus for made in known.intents), Decimal(0))
    assert paid(it) <= sum((each.total_price or Decimal(0) for each in it.return_line_items), Decimal(0)) + bonus
