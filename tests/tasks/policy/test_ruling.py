"""What a merchant's rules make of a return: decisions with and without them."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from rever_api.models import Address, Carrier, Product, ReturnLineItem
from tasks.policy.decide import decide
from tasks.policy.decision import Compensate, Hold, MakeLabel, Nothing
from tasks.policy.record import HoldKind, IntentKind, IntentState, Record, Waiver
from tasks.policy.rules.label import decide_label
from tasks.policy.side_facts import ProductFacts, SideFacts
from tasks.policy.store import RefundsBy, StoreRules
from tests.tasks.policy.carrying_out import carry_out, paid
from tests.tasks.policy.factories import (
    BANK,
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
from tests.tasks.policy.rule_texts import rules_of

HERE: dict[str, Any] = {"logistics": ["IN_WAREHOUSE"], "return_status": "REVIEW_REQUIRED"}
AT_HOME: dict[str, Any] = {"logistics": [], "return_status": "STARTED"}
SCANNED: dict[str, Any] = {"logistics": ["COLLECTED"], "return_status": "COLLECTED"}


def shop(*texts: str, by: RefundsBy = RefundsBy.US, **policy: Any) -> StoreRules:
    """A store with these rules, each as in a policy file, in their order."""
    return replace(rules(by, **policy), merchant_rules=rules_of(f"rules: [{', '.join(texts)}]"))


def of_sku(sku: str, *args: Any, **fields: Any) -> ReturnLineItem:
    """A line of this SKU."""
    return line(*args, **fields).model_copy(update={"product": Product(sku=sku)})


def pays(decided: object) -> dict[str, str]:
    """Method -> amount of what is paid now; empty where nothing is."""
    return {due.method: str(due.amount) for due in decided.refunds} if isinstance(decided, Compensate) else {}


def told(decided: object) -> tuple[str, str]:
    """The kind of a decision and its rule."""
    return type(decided).__name__, decided.rule  # type: ignore[attr-defined]


# Who is not paid.


PROMO = "{name: no promos, when: {sku: {starts_with: PROMO-}}, then: {decline: {why: promotional goods}}}"
TWO = (of_sku("PROMO-1", "a", 2, "20.00"), of_sku("S-2", "b", 1, "7.00"))


def test_a_declined_line_is_not_paid_and_the_others_are() -> None:
    it = process(*TWO, reviews=[*approved("a", 2), *approved("b")])
    assert pays(decide(it, shop(), record(), NOW)) == {ORIGINAL: "27.00"}
    decided = decide(it, shop(PROMO), record(), NOW)
    assert pays(decided) == {ORIGINAL: "7.00"}
    known, it = carry_out(decided, record(), it)
    end = decide(it, shop(PROMO), known, NOW)
    assert isinstance(end, Nothing)
    assert "2 units not compensated by rule 'no promos'" in end.why
    assert not end.final, "the rules may be changed while the return runs"
    assert pays(decide(it, shop(), known, NOW)) == {ORIGINAL: "20.00"}


def test_a_declined_line_that_is_completed_at_rever_is_at_its_end() -> None:
    it = process(*TWO, reviews=[*approved("a", 2), *reviews("b", "DECLINED")], status="COMPLETED")
    assert told(decide(it, shop(), record(), NOW)) == ("Hold", "completed_unpaid")
    end = decide(it, shop(PROMO), record(), NOW)
    assert isinstance(end, Nothing)
    assert end.final


def test_a_line_paid_before_the_rule_is_left_alone() -> None:
    known = record(
        intent(units=(1, 2), line_id="a", amount="20.00", gross=Decimal("20.00")),
        costs=Decimal(0),
        lines={"a": terms("20.00", 2)},
    )
    it = process(*TWO, reviews=[*approved("a", 2), *approved("b")], refunds=[refund("20.00")])
    assert pays(decide(it, shop(PROMO), known, NOW)) == {ORIGINAL: "7.00"}
    unknown = decide(it, shop(PROMO), record(), NOW)
    assert told(unknown) == ("Hold", "foreign_refund"), "what REVER shows beyond what is due is another's refund"


def test_an_insurance_is_no_unit_to_review() -> None:
    insured = "{name: extras, when: {sku: {is: INS}}, then: {add_on: {}}}"
    it = process(of_sku("INS", "a", 1, "3.00"), of_sku("S", "b", 1, "7.00"), reviews=approved("b"))
    known, it = carry_out(decide(it, shop(insured), record(), NOW), record(), it)
    assert paid(it) == Decimal("7.00")
    assert told(decide(it, shop(insured), known, NOW)) == ("Nothing", "all_settled")
    assert told(decide(it, shop(), known, NOW)) == ("Wait", "wait_inspection")


# The moment.


VIP = "{name: VIP, when: {country: {is: ES}}, then: {pay: {at: first_scan}}}"


def test_pay_at_the_first_scan_is_before_the_review_and_never_before_the_scan() -> None:
    it = process(line(quantity=2, total="20.00"), **AT_HOME)
    assert told(decide(it, shop(VIP), record(), NOW))[0] == "MakeLabel"
    it = process(line(quantity=2, total="20.00"), **SCANNED)
    assert told(decide(it, shop(), record(), NOW)) == ("Wait", "wait_parcel")
    decided = decide(it, shop(VIP), record(), NOW)
    assert pays(decided) == {ORIGINAL: "20.00"}
    assert "by rule 'VIP'" in decided.why
    assert told(decide(it.model_copy(update={"pickup_address": None}), shop(VIP), record(), NOW)) == (
        "Hold",
        "needs_facts",
    )


def test_what_was_paid_at_the_scan_and_declined_then_is_told_and_not_asked_about() -> None:
    it = process(line(quantity=2, total="20.00"), **SCANNED)
    known, it = carry_out(decide(it, shop(VIP), record(), NOW), record(), it)
    it = it.model_copy(update={"reviews": tuple(reviews("retl_1", "APPROVED", "DECLINED"))})
    end = decide(it, shop(VIP), known, NOW)
    assert told(end) == ("Nothing", "all_settled")
    assert "paid before the inspection and not approved in it" in end.why
    assert told(decide(it, shop(), known, NOW)) == ("Hold", "fewer_approvals")


THREE_DAYS = "{name: buffer, then: {pay: {at: inspection, plus_days: 3}}}"


@pytest.mark.parametrize(
    ("days", "due"), [(0, False), (2, False), (3, True), (4, True)], ids=["at once", "day 2", "day 3", "day 4"]
)
def test_days_after_the_inspection_are_waited_for_and_the_return_is_not_forgotten(days: int, due: bool) -> None:
    it = process(reviews=reviews("retl_1", "APPROVED", at=NOW - timedelta(days=days)))
    decided = decide(it, shop(THREE_DAYS), record(), NOW)
    assert pays(decided) == ({ORIGINAL: "10.00"} if due else {})
    if not due:
        assert told(decided) == ("Wait", "wait_moment")
        assert "1 unit to be paid when rule 'buffer' says so" in decided.why
        ended = decide(it.model_copy(update={"rever_process_status": "COMPLETED"}), shop(THREE_DAYS), record(), NOW)
        assert told(ended) == ("Hold", "completed_unpaid"), "completed at REVER, nobody would pay it any more"


def test_a_moment_that_nobody_tells_holds_once_something_would_be_due() -> None:
    late = "{name: late, then: {pay: {at: arrival, plus_days: 3}}}"
    assert told(decide(process(**SCANNED), shop(late), record(), NOW))[0] == "Wait"
    held = decide(process(**HERE), shop(late), record(), NOW)
    assert told(held) == ("Hold", "needs_facts")
    assert "the day the parcel arrived, for rule 'late'" in held.why


def test_an_exchange_and_goods_that_never_came_keep_their_moment() -> None:
    it = process(line(method=EXCHANGE, variant="v"), **SCANNED)
    assert told(decide(it, shop(VIP), record(), NOW)) == ("Wait", "wait_parcel")
    it = process(line(reason="NOT_RECEIVED"), **AT_HOME)
    assert pays(decide(it, shop("{name: a, then: {pay: {at: arrival}}}"), record(), NOW)) == {ORIGINAL: "10.00"}


def test_three_lines_of_one_return_are_paid_at_three_times_and_the_sum_is_exact() -> None:
    moments = (
        "{name: money, when: {method: {is: ORIGINAL_PAYMENT_METHOD}}, then: {pay: {at: arrival}}}",
        "{name: credit, when: {method: {is: GIFT_CARD}}, then: {pay: {at: first_scan}}}",
        "{name: bank, when: {method: {is: BANK_TRANSFER}}, then: {pay: {at: inspection}}}",
    )
    lines = [line("a", 1, "10.01"), line("b", 1, "5.02", GIFT), line("c", 1, "1.03", BANK)]
    known, it, steps = record(), process(*lines, costs="2.00", **AT_HOME), list[str]()
    for stage in (AT_HOME, SCANNED, HERE, {"reviews": tuple(approved("c"))}):
        told_now = process(*lines, costs="2.00", **{**HERE, **stage})
        it = told_now.model_copy(update={"compensation": it.compensation})
        known, it = carry_out(decide(it, shop(*moments), known, NOW), known, it)
        steps.append(str(paid(it)))
    assert steps == ["0", "3.02", "13.03", "14.06"]


def test_goods_that_the_shopper_keeps_are_paid_at_once_and_get_no_label() -> None:
    keep = "{name: cheap, when: {line_value: {at_most: 10.00 EUR}}, then: {keep_item: {}}}"
    it = process(line("a", 1, "10.00"), **AT_HOME)
    assert pays(decide(it, shop(keep), record(), NOW)) == {ORIGINAL: "10.00"}
    assert told(decide_label(it, shop(keep), record(), NOW)) == ("Nothing", "no_label")
    both = process(line("a", 1, "10.00"), line("b", 1, "10.01"), **AT_HOME)
    assert pays(decide(both, shop(keep), record(), NOW)) == {ORIGINAL: "10.00"}
    assert isinstance(decide_label(both, shop(keep), record(), NOW), MakeLabel)
    beside = process(line("a"), line("b", 1, "10.01", reason="NOT_RECEIVED"), **AT_HOME)
    assert told(decide_label(beside, shop(keep), record(), NOW)) == ("Nothing", "no_label")
    seen = process(line("a"), line("b", 1, "10.01"), reviews=approved("b"), **AT_HOME)
    assert told(decide_label(seen, shop(keep), record(), NOW)) == ("Nothing", "no_label")


# A person is asked.


ASK = (
    "{name: dear, when: {return_value: {over: 1000.00 EUR}}, "
    "then: {approve: {who: the shop's owner, why: a large sum}}}"
)


def test_an_approval_is_asked_for_once_and_holds_only_above_the_bound() -> None:
    at_bound = process(line(total="1000.00"), reviews=approved())
    assert pays(decide(at_bound, shop(ASK), record(), NOW)) == {ORIGINAL: "1000.00"}
    over = process(line(total="1000.01"), reviews=approved())
    held = decide(over, shop(ASK), record(), NOW)
    assert isinstance(held, Hold)
    assert (held.rule, held.kind, held.amount) == ("approval", HoldKind.APPROVAL, Decimal("1000.01"))
    assert "payment of 1 unit needs the approval of the shop's owner: a large sum (rule 'dear')" in held.why
    yes = record(waivers=(Waiver("approval", Decimal("1000.01"), "EUR"),))
    assert pays(decide(over, shop(ASK), yes, NOW)) == {ORIGINAL: "1000.01"}
    too_little = record(waivers=(Waiver("approval", Decimal("1000.00"), "EUR"),))
    assert isinstance(decide(over, shop(ASK), too_little, NOW), Hold)


def test_nothing_is_asked_before_anything_is_due() -> None:
    over = process(line(total="1000.01"), **SCANNED)
    assert told(decide(over, shop(ASK), record(), NOW)) == ("Wait", "wait_parcel")


SALE = "{name: final sale, when: {product_tags: {has: final sale}}, then: {decline: {why: final sale}}}"


def test_a_missing_fact_holds_only_where_it_decides() -> None:
    vip = "{name: sooner, when: {customer_tags: {has: VIP}}, then: {pay: {at: first_scan}}}"
    waiting, due = process(**SCANNED), process(reviews=approved())
    assert told(decide(waiting, shop(SALE), record(), NOW)) == ("Wait", "wait_parcel")
    held = decide(due, shop(SALE), record(), NOW)
    assert told(held) == ("Hold", "needs_facts")
    assert "they need the product's tags (the table of products), for rule 'final sale'" in held.why
    assert told(decide(waiting, shop(vip), record(), NOW)) == ("Hold", "needs_facts"), "VIPs would be paid now"
    assert told(decide(process(**AT_HOME), shop(vip), record(), NOW))[0] == "MakeLabel"
    none = "{name: nothing comes back, then: {decline: {why: a sale}}}"
    assert told(decide(due, shop(SALE, none), record(), NOW)) == told(decide(due, shop(none), record(), NOW))
    assert pays(decide(due, shop(SALE.replace("}}}", "}}, if_unknown: does_not_match}")), record(), NOW))
    settled = carry_out(decide(due, shop(), record(), NOW), record(), due)
    assert told(decide(settled[1], shop(SALE), settled[0], NOW)) == ("Nothing", "all_settled")


def test_a_table_tells_what_rever_does_not() -> None:
    tags = {"S": frozenset({"final sale"}), "T": frozenset[str]()}
    products = {sku: ProductFacts("products.csv", product_tags=found) for sku, found in tags.items()}
    it = process(of_sku("S", "a"), of_sku("T", "b"), reviews=[*approved("a"), *approved("b")])
    assert told(decide(it, shop(SALE), record(), NOW)) == ("Hold", "needs_facts")
    known = replace(shop(SALE), side=SideFacts(products=products))
    assert pays(decide(it, known, record(), NOW)) == {ORIGINAL: "10.00"}


# The method.


CREDIT = (
    "{name: credit only, when: {sku: {starts_with: S}}, "
    "then: {methods: {only: [GIFT_CARD, EXCHANGE], instead: [GIFT_CARD]}}}"
)


def test_a_wish_that_may_not_be_becomes_the_next_method() -> None:
    it = process(of_sku("S", "a"), of_sku("T", "b"), reviews=[*approved("a"), *approved("b")])
    assert pays(decide(it, shop(CREDIT), record(), NOW)) == {GIFT: "10.00", ORIGINAL: "10.00"}
    never = "{name: no cash, then: {methods: {never: [ORIGINAL_PAYMENT_METHOD]}}}"
    held = decide(it, shop(never), record(), NOW)
    assert told(held) == ("Hold", "method_forbidden")
    assert "ORIGINAL_PAYMENT_METHOD is not allowed by rule 'no cash'" in held.why
    yes = record(waivers=(Waiver("method_forbidden", Decimal("20.00"), "EUR"),))
    assert pays(decide(it, shop(never), yes, NOW)) == {ORIGINAL: "20.00"}


def _refused_exchange(at: datetime) -> Record:
    refused = intent(IntentKind.EXCHANGE, IntentState.REFUSED, error_code="9", created_at=at)
    return record(refused, lines={"retl_1": terms()})


def test_an_exchange_out_of_stock_goes_by_its_line_s_rule() -> None:
    it = process(line(method=EXCHANGE, variant="v"), reviews=approved())
    known = _refused_exchange(NOW - timedelta(days=2))
    assert told(decide(it, shop(), known, NOW)) == ("Hold", "out_of_stock")
    bank = "{name: a, then: {out_of_stock: {do: refund, refund_by: BANK_TRANSFER}}}"
    assert pays(decide(it, shop(bank), known, NOW)) == {BANK: "10.00"}
    hold = "{name: a, then: {out_of_stock: {do: hold}}}"
    assert told(decide(it, shop(hold, out_of_stock=GIFT), known, NOW)) == ("Hold", "out_of_stock")
    wait = "{name: a, then: {out_of_stock: {do: wait, days: 3}}}"
    assert told(decide(it, shop(wait), known, NOW)) == ("Wait", "wait_stock")
    assert told(decide(it, shop(wait), _refused_exchange(NOW - timedelta(days=3)), NOW)) == ("Hold", "out_of_stock")


# Costs.


FREE = "{name: our fault, when: {reason: {is: DEFECTIVE}}, then: {no_fee: {}}}"


def test_a_line_that_bears_no_costs_leaves_them_to_the_others_and_they_never_exceed_those() -> None:
    lines = (line("a", 1, "10.00", reason="DEFECTIVE"), line("b", 1, "4.00", GIFT, reason="SIZE"))
    both = process(*lines, reviews=[*approved("a"), *approved("b")], costs="6.00")
    assert pays(decide(both, shop(), record(), NOW)) == {ORIGINAL: "4.00", GIFT: "4.00"}
    assert pays(decide(both, shop(FREE), record(), NOW)) == {ORIGINAL: "10.00", GIFT: "0.00"}
    only = process(*lines, reviews=[*approved("a"), *reviews("b", "DECLINED")], costs="6.00")
    assert pays(decide(only, shop(FREE), record(), NOW)) == {ORIGINAL: "10.00"}


def test_a_fee_of_the_rules_stands_in_the_place_of_rever_s_costs_and_is_taken_once() -> None:
    fee = "{name: Spain, when: {country: {is: ES}}, then: {fee: {amount: 6.00 EUR}}}"
    lines = (line("a", 1, "10.00"), line("b", 1, "4.00", GIFT))
    first = process(*lines, reviews=approved("a"), costs="1.00")
    known, it = carry_out(decide(first, shop(fee), record(), NOW), record(), first)
    assert paid(it) == Decimal("4.00")
    it = it.model_copy(update={"reviews": (*approved("a"), *approved("b"))})
    assert pays(decide(it, shop(fee), known, NOW)) == {GIFT: "4.00"}
    assert told(decide(it, shop(), known, NOW)) == ("Hold", "terms_changed"), "the fee is fixed by the first payment"
    nowhere = first.model_copy(update={"pickup_address": None})
    assert told(decide(nowhere, shop(fee), record(), NOW)) == ("Hold", "needs_facts")


def test_the_first_units_are_free_and_each_further_one_costs() -> None:
    third = "{name: third, then: {fee: {amount: 1.50 EUR, per: unit, free_units: 2}}}"
    for units, amount in ((2, "20.00"), (3, "28.50"), (4, "37.00")):
        it = process(line(quantity=units, total=f"{units}0.00"), reviews=approved(units=units), costs="9.00")
        assert pays(decide(it, shop(third), record(), NOW)) == {ORIGINAL: amount}


# The bonus.


MORE = "{name: more, then: {bonus: {percent: 10 %, methods: [GIFT_CARD]}}}"


def test_credit_gets_more_than_the_value_and_money_never_does() -> None:
    lines = (line("a", 3, "10.00", GIFT), line("b", 1, "10.00"))
    all_of_it = process(*lines, reviews=[*approved("a", 3), *approved("b")], costs="2.00")
    decided = decide(all_of_it, shop(MORE), record(), NOW)
    assert pays(decided) == {GIFT: "9.00", ORIGINAL: "10.00"}
    assert "9.00 EUR by GIFT_CARD for 3 units (a bonus of 1.00 EUR in it) (costs of 2.00 EUR taken off)" in decided.why
    none = "{name: first, then: {no_bonus: {}}}"
    assert pays(decide(all_of_it, shop(none, MORE), record(), NOW)) == {GIFT: "8.00", ORIGINAL: "10.00"}


def test_unit_by_unit_the_bonus_comes_to_the_same() -> None:
    known, it = record(), process(line("a", 3, "10.00", GIFT), costs="1.00")
    for units in (1, 2, 3):
        it = it.model_copy(update={"reviews": tuple(approved("a", units))})
        known, it = carry_out(decide(it, shop(MORE), known, NOW), known, it)
    assert paid(it) == Decimal("10.00")
    assert [str(made.bonus) for made in known.intents] == ["0.33", "0.34", "0.33"]


CAPPED = MORE.replace("methods:", "at_most: 15.00 EUR, methods:")


@pytest.mark.parametrize(
    ("total", "amount"), [("150.00", "165.00"), ("150.01", "165.01"), ("150.10", "165.10"), ("900.00", "915.00")]
)
def test_a_bonus_stops_at_its_bound(total: str, amount: str) -> None:
    it = process(line("a", 1, total, GIFT), reviews=approved("a"))
    assert pays(decide(it, shop(CAPPED), record(), NOW)) == {GIFT: amount}


def test_the_bound_of_a_bonus_is_of_the_return_however_many_lines_methods_and_refunds_it_has() -> None:
    lines = (line("a", 2, "100.00", GIFT), line("b", 1, "30.00", "PROMO_CODE"), line("c", 1, "100.00", GIFT))
    bonus = CAPPED.replace("[GIFT_CARD]", "[GIFT_CARD, PROMO_CODE]")
    whole = process(*lines, reviews=[*approved("a", 2), *approved("b"), *approved("c")])
    assert pays(decide(whole, shop(bonus), record(), NOW)) == {GIFT: "212.00", "PROMO_CODE": "33.00"}
    # One after another, as they are inspected: the same sum. What is declined takes nothing from the others.
    known, it = record(), process(*lines)
    for reviewed in (approved("c"), reviews("a", "APPROVED", "DECLINED"), approved("b")):
        it = it.model_copy(update={"reviews": (*(it.reviews or ()), *reviewed)})
        known, it = carry_out(decide(it, shop(bonus), known, NOW), known, it)
    assert [made.bonus for made in known.intents] == [10, 5, 0]
    assert decide(it, shop(bonus), known, NOW).rule == "all_settled"


def test_a_bound_in_another_currency_holds_the_credit_and_not_the_money() -> None:
    of_sek = [line("a", 1, "100.00", method, currency="SEK") for method in (GIFT, ORIGINAL)]
    credit, money = (
        decide(process(it, reviews=approved("a")), shop(CAPPED, currencies=("SEK",)), record(), NOW) for it in of_sek
    )
    assert told(credit) == ("Hold", "needs_facts")
    assert "the bonus's bound in SEK, for rule 'more'" in credit.why
    assert pays(money) == {ORIGINAL: "100.00"}


FIVE = "{name: five, then: {bonus: {amount: 5.00 EUR, methods: [GIFT_CARD, PROMO_CODE]}}}"


def test_a_bonus_of_a_sum_is_on_top_of_credit_and_never_of_money() -> None:
    lines = (line("a", 3, "10.00", GIFT), line("b", 1, "10.00"))
    it = process(*lines, reviews=[*approved("a", 3), *approved("b")], costs="2.00")
    decided = decide(it, shop(FIVE), record(), NOW)
    assert pays(decided) == {GIFT: "13.00", ORIGINAL: "10.00"}
    assert "by GIFT_CARD for 3 units (a bonus of 5.00 EUR in it) (costs of 2.00 EUR taken off)" in decided.why
    none = "{name: first, then: {no_bonus: {}}}"
    assert pays(decide(it, shop(none, FIVE), record(), NOW)) == {GIFT: "8.00", ORIGINAL: "10.00"}


@pytest.mark.parametrize("order", [("a1", "a2", "b", "c"), ("c", "b", "a1", "a2"), ("b", "a1", "c", "a2")])
def test_a_bonus_of_a_sum_is_had_once_for_the_return_in_however_many_refunds(order: tuple[str, ...]) -> None:
    """By which line, method or rule does not matter."""
    lines = (line("a", 2, "10.00", GIFT), line("b", 1, "10.00", "PROMO_CODE"), line("c", 1, "10.00", GIFT))
    other = "{name: c, when: {quantity: {is: 2}}, then: {bonus: {amount: 5.00 EUR, methods: [GIFT_CARD]}}}"
    whole = process(*lines, reviews=[*approved("a", 2), *approved("b"), *approved("c")])
    assert pays(decide(whole, shop(other, FIVE), record(), NOW)) == {GIFT: "25.00", "PROMO_CODE": "10.00"}
    known, it = record(), process(*lines)
    for name in order:
        it = it.model_copy(update={"reviews": (*(it.reviews or ()), *approved(name[0]))})
        known, it = carry_out(decide(it, shop(other, FIVE), known, NOW), known, it)
    assert [made.bonus for made in known.intents] == [5, 0, 0, 0]
    assert paid(it) == Decimal("35.00")
    assert told(decide(it, shop(other, FIVE), known, NOW)) == ("Nothing", "all_settled")


def test_a_refund_that_did_not_go_out_has_not_had_the_sum() -> None:
    it = process(line("a", 1, "10.00", GIFT), reviews=approved("a"))
    known, _ = carry_out(decide(it, shop(FIVE), record(), NOW), record(), it, IntentState.WITHDRAWN)
    assert pays(decide(it, shop(FIVE), known, NOW)) == {GIFT: "15.00"}


def test_units_that_are_worth_nothing_get_no_sum() -> None:
    it = process(
        line("a", 1, "0.00", GIFT), line("b", 1, "7.00", "PROMO_CODE"), reviews=[*approved("a"), *approved("b")]
    )
    assert pays(decide(it, shop(FIVE), record(), NOW)) == {GIFT: "0.00", "PROMO_CODE": "12.00"}


def test_a_sum_counts_towards_the_bound_of_a_percentage_and_is_had_beside_it() -> None:
    bounded = (
        "{name: b, when: {quantity: {is: 2}}, then: {bonus: {percent: 10 %, at_most: 8.00 EUR, methods: [GIFT_CARD]}}}"
    )
    lines = (line("a", 1, "10.00", GIFT), line("b", 2, "100.00", GIFT))
    it = process(*lines, reviews=[*approved("a"), *approved("b", 2)])
    assert pays(decide(it, shop(bounded, FIVE), record(), NOW)) == {GIFT: "118.00"}
    first = process(*lines, reviews=approved("b", 2))
    known, it = carry_out(decide(first, shop(bounded, FIVE), record(), NOW), record(), first)
    it = it.model_copy(update={"reviews": (*approved("b", 2), *approved("a"))})
    assert pays(decide(it, shop(bounded, FIVE), known, NOW)) == {GIFT: "15.00"}, "8.00 in percent, then the sum"


def test_a_sum_in_another_currency_holds_the_credit_and_not_the_money() -> None:
    of_sek = [line("a", 1, "100.00", method, currency="SEK") for method in (GIFT, ORIGINAL)]
    credit, money = (
        decide(process(it, reviews=approved("a")), shop(FIVE, currencies=("SEK",)), record(), NOW) for it in of_sek
    )
    assert told(credit) == ("Hold", "needs_facts")
    assert "the bonus in SEK, for rule 'five'" in credit.why
    assert pays(money) == {ORIGINAL: "100.00"}


def test_what_stays_due_once_the_line_with_the_sum_is_closed_has_it_unless_it_was_paid_by_hand() -> None:
    ask = "{name: ask, when: {quantity: {is: 2}}, then: {approve: {who: o, why: w}}}"
    lines = (line("a", 2, "10.00", GIFT), line("b", 1, "7.00", GIFT))
    held = decide(process(*lines, reviews=[*approved("a", 2), *approved("b")]), shop(ask, FIVE), record(), NOW)
    assert isinstance(held, Hold)
    assert (held.pays, held.leaves, held.leaves_by_hand) == (Decimal("22.00"), Decimal("12.00"), Decimal("7.00"))


# The label, and whose money it is.


def test_the_carrier_of_a_rule_comes_first() -> None:
    own = "{name: far, when: {country: {is: ES}}, then: {carrier: {name: SENDCLOUD/UPS}}}"
    two = (Carrier(provider="SENDCLOUD", carrier="DHL"), Carrier(provider="SENDCLOUD", carrier="UPS"))
    made = decide_label(process(**AT_HOME), shop(own, carriers=two), record(), NOW)
    assert isinstance(made, MakeLabel)
    assert made.carrier == "UPS"
    unknown = "{name: heavy, when: {product_tags: {has: heavy}}, then: {keep_item: {}}}"
    assert told(decide_label(process(**AT_HOME), shop(unknown), record(), NOW)) == ("Wait", "label_needs_facts")


def test_the_label_is_of_the_way_back_that_a_rule_names() -> None:
    """The shopper chose a drop-off point."""

    def by(method: str) -> StoreRules:
        only = Carrier(provider="SENDCLOUD", carrier="UPS", return_methods=("HOME_PICK_UP",))
        two = (Carrier(provider="SENDCLOUD", carrier="DHL", return_methods=("DROP_OFF_POINT",)), only)
        return shop(f"{{name: way, then: {{return_by: {{method: {method}}}}}}}", carriers=two)

    made = decide_label(process(**AT_HOME), by("HOME_PICK_UP"), record(), NOW)
    assert isinstance(made, MakeLabel)
    assert (made.return_method, made.carrier) == ("HOME_PICK_UP", "UPS")
    none = decide_label(process(**AT_HOME), by("IN_STORE"), record(), NOW)
    assert told(none) == ("Nothing", "no_label")
    assert "a return by IN_STORE needs no label" in none.why
    nowhere = process(pickup_address=Address(country_code="ES"), **AT_HOME)
    assert told(decide_label(nowhere, by("HOME_PICK_UP"), record(), NOW)) == ("Hold", "no_address")
    in_store = process(method="IN_STORE", **AT_HOME)
    assert isinstance(decide_label(in_store, by("HOME_PICK_UP"), record(), NOW), MakeLabel)
    unknown = "{name: VIP, when: {customer_tags: {has: VIP}}, then: {return_by: {method: HOME_PICK_UP}}}"
    assert told(decide_label(process(**AT_HOME), shop(unknown), record(), NOW)) == ("Wait", "label_needs_facts")


def test_where_rever_pays_the_rules_decide_no_money() -> None:
    it = process(*TWO, reviews=[*approved("a", 2), *approved("b")])
    with_rules = decide(it, shop(PROMO, by=RefundsBy.REVER), record(), NOW)
    assert with_rules == decide(it, rules(RefundsBy.REVER), record(), NOW)


SAYS_ALL = (
    "{name: early, then: {pay: {at: start}}}",
    "{name: handling, then: {fee: {amount: 1.00 EUR}}}",
    "{name: more, then: {bonus: {percent: 10 %, methods: [GIFT_CARD]}}}",
    "{name: no bank, then: {methods: {never: [BANK_TRANSFER], instead: [ORIGINAL_PAYMENT_METHOD]}}}",
    "{name: stock, then: {out_of_stock: {do: refund, refund_by: GIFT_CARD}}}",
)


@pytest.mark.parametrize(
    ("method", "names"),
    [
        (ORIGINAL, " (by rule 'early', 'handling')"),
        (GIFT, " (by rule 'early', 'handling', 'more')"),
        (BANK, " (by rule 'early', 'handling', 'no bank')"),
        (EXCHANGE, ""),
    ],
)
def test_of_the_rules_those_are_named_that_made_a_difference(method: str, names: str) -> None:
    it = process(line(method=method, variant="v" if method == EXCHANGE else None), reviews=approved())
    decided = decide(it, shop(*SAYS_ALL), record(), NOW)
    assert isinstance(decided, Compensate)
    assert decided.why.partition(" (by rule")[1:] == names.partition(" (by rule")[1:]


def test_the_rule_about_an_exchange_that_is_out_of_stock_is_named_where_it_is_refunded() -> None:
    refused = intent(IntentKind.EXCHANGE, IntentState.REFUSED, error_code="9")
    it = process(line(method=EXCHANGE, variant="v"), reviews=approved())
    decided = decide(it, shop(*SAYS_ALL), record(refused), NOW)
    assert pays(decided) == {GIFT: "10.00"}
    assert "(by rule 'handling', 'more', 'stock')" in decided.why
