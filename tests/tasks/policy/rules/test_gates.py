"""Timing, changed terms and approvals, values that are not known."""

from dataclasses import replace
from decimal import Decimal

import pytest

from rever_api.models import Product, ReturnLineItem, ReturnProcess
from tasks.policy.case import Case
from tasks.policy.decide import decide
from tasks.policy.decision import Compensate, Decision, Hold, Wait
from tasks.policy.record import HoldKind, IntentState, Record, Waiver
from tasks.policy.rules.gates import fewer_approvals, terms_changed
from tasks.policy.store import RefundsBy
from tests.tasks.policy.factories import NOW, approved, intent, line, process, record, refund, reviews, rules, terms


@pytest.mark.parametrize("timing", ["NO_TIMING", "ON_FULL_MOON"])
def test_an_unknown_timing_holds_what_is_due_and_waits_otherwise(timing: str) -> None:
    held = decide(process(reviews=approved()), rules(timing=timing), record(), NOW)
    assert isinstance(held, Hold)
    assert (held.rule, held.kind, held.amount) == ("unknown_timing", HoldKind.UNKNOWN_VALUE, Decimal(10))
    assert isinstance(decide(process(), rules(timing=timing), record(), NOW), Wait)


def test_no_timing_told_means_on_item_verified() -> None:
    assert isinstance(decide(process(), rules(timing=""), record(), NOW), Wait)
    assert isinstance(decide(process(reviews=approved()), rules(timing=""), record(), NOW), Compensate)


def test_on_start_pays_before_the_goods_move() -> None:
    it = process(line(quantity=3), return_status="STARTED", logistics=["CREATED"])
    decision = decide(it, rules(timing="ON_START"), record(), NOW)
    assert isinstance(decision, Compensate)
    assert decision.refunds[0].items[0].units == (1, 2, 3)


def paid_two(**fields: object) -> Record:
    return record(intent(units=(1, 2), amount="6.67"), lines={"retl_1": terms("10.00", 3)}, **fields)


def with_two(**changes: object) -> ReturnProcess:
    told = {"reviews": approved(units=2), "refunds": [refund("6.67")]}
    return process(line(quantity=3), **{**told, **changes})  # type: ignore[arg-type]


def test_an_approval_taken_back_is_held() -> None:
    less = with_two(reviews=reviews("retl_1", "APPROVED", "DECLINED"))
    decision = decide(less, rules(), paid_two(), NOW)
    assert isinstance(decision, Hold)
    assert decision.rule == "fewer_approvals"
    assert isinstance(decide(less, rules(), paid_two(waivers=(Waiver("fewer_approvals"),)), NOW), Wait)


def test_units_a_person_closed_need_no_approval() -> None:
    closed = record(intent(state=IntentState.DROPPED, units=(1, 2)), lines={"retl_1": terms("10.00", 3)})
    assert decide(process(line(quantity=3), reviews=approved()), rules(), closed, NOW).rule == "wait_inspection"


def test_a_unit_paid_before_its_review_and_then_declined_is_told_not_held() -> None:
    it = process(line(), reviews=reviews("retl_1", "DECLINED"), refunds=[refund()])
    decision = decide(it, rules(timing="ON_START"), record(intent(), lines={"retl_1": terms()}), NOW)
    assert decision.rule == "all_settled"
    assert "1 unit paid before the inspection and not approved in it" in decision.why


@pytest.mark.parametrize(
    "changed",
    [line(quantity=3, total="12.00"), line(quantity=4), line("retl_2", 3), line(quantity=3, currency="SEK")],
)
def test_changed_terms_of_a_line_hold(changed: object) -> None:
    it = process(changed, refunds=[refund("6.67")])  # type: ignore[arg-type]
    kept = with_two().model_copy(update={"return_line_items": it.return_line_items, "reviews": ()})
    decision = decide(kept, rules(timing="ON_START"), paid_two(), NOW)
    assert isinstance(decision, Hold)
    assert decision.rule == "terms_changed"


def test_changed_costs_hold_and_a_waiver_goes_on_by_the_first_ones() -> None:
    it = with_two(reviews=approved(units=3), costs="2.00")
    held = decide(it, rules(), paid_two(costs=Decimal(0)), NOW)
    assert isinstance(held, Hold)
    assert held.rule == "terms_changed"
    assert held.amount == Decimal("3.33")
    waived = paid_two(costs=Decimal(0), waivers=(Waiver("terms_changed", Decimal("3.33"), "EUR"),))
    paid = decide(it, rules(), waived, NOW)
    assert isinstance(paid, Compensate)
    assert (paid.costs, paid.refunds[0].amount) == (Decimal(0), Decimal("3.33"))


def test_a_waiver_is_good_for_its_amount_and_once() -> None:
    it = with_two(reviews=approved(units=3), costs="2.00")
    for waiver in (Waiver("terms_changed", Decimal("3.32"), "EUR"), Waiver("terms_changed")):
        assert decide(it, rules(), paid_two(costs=Decimal(0), waivers=(waiver,)), NOW).rule == "terms_changed"
    used = Waiver("terms_changed", Decimal("3.33"), "EUR", used_by="another")
    assert decide(it, rules(), paid_two(costs=Decimal(0), waivers=(used,)), NOW).rule == "terms_changed"


def test_a_withdrawn_intent_gives_its_waiver_back() -> None:
    mine = intent(state=IntentState.WITHDRAWN)
    held = record(mine, waivers=(Waiver("some_rule", used_by=mine.id),))
    assert held.waived("some_rule")
    sent = record(intent(id="sent"), waivers=(Waiver("some_rule", used_by="sent"),))
    assert not sent.waived("some_rule")
    assert sent.without("sent").waived("some_rule")


def test_an_unknown_review_status_is_held_and_named() -> None:
    decision = decide(process(line(quantity=2), reviews=reviews("retl_1", "APPROVED", "MAYBE")), rules(), record(), NOW)
    assert isinstance(decision, Hold)
    assert decision.rule == "unknown_review_status"
    assert "MAYBE" in decision.why


@pytest.mark.parametrize("method", ["", "BIZUM"])
def test_an_unknown_method_holds_only_what_is_approved(method: str) -> None:
    two = (line(), line("retl_2", method=method))
    held = decide(process(*two, reviews=[*approved(), *approved("retl_2")]), rules(), record(), NOW)
    assert isinstance(held, Hold)
    assert held.rule == "unknown_method"
    assert (method or "empty") in held.why
    assert isinstance(decide(process(*two, reviews=approved()), rules(), record(), NOW), Compensate)


def test_what_has_changed_in_another_currency_is_held_whoever_lets_it_pass() -> None:
    told = process(
        line(total="11.00"), line("b", total="5.00", currency="SEK"), line("c", total="6.00"),
        reviews=[*approved(), *approved("b"), *approved("c")],
    )  # fmt: skip
    fixed = {"retl_1": terms("10.00"), "b": terms("5.00"), "c": terms("5.00")}
    known = record(
        *(intent(line_id=it) for it in fixed), lines=fixed, waivers=(Waiver("terms_changed", Decimal(100), "EUR"),)
    )
    case = Case(told, rules(), known, NOW)
    changes = (
        "line 'b' was 1 for 5.00 EUR, is 1 for 5.00 SEK; line 'c' was 1 for 5.00 EUR, is 1 for 6.00 EUR; "
        "line 'retl_1' was 1 for 10.00 EUR, is 1 for 11.00 EUR"
    )
    why = f"the terms have changed since the first payment: {changes}; going on is by the first ones"
    assert terms_changed(case) == Hold("terms_changed", why, HoldKind.CONTRADICTION, {"changes": changes})


def test_changed_terms_are_held_as_a_contradiction() -> None:
    known = record(intent(), lines={"retl_1": terms("9.00")})
    decision = decide(process(reviews=approved(), refunds=[refund()]), rules(), known, NOW)
    assert isinstance(decision, Hold)
    assert (decision.rule, decision.kind) == ("terms_changed", HoldKind.CONTRADICTION)


def test_twenty_lines_with_fewer_approvals_are_evidence_enough() -> None:
    names = [f"l{number:02}" for number in range(21)]
    told = process(*(line(it) for it in names), reviews=[each for it in names for each in reviews(it, "DECLINED")])
    known = record(*(intent(line_id=it) for it in names), lines={it: terms() for it in names})
    held = fewer_approvals(Case(told, rules(), known, NOW))
    assert isinstance(held, Hold)
    assert held.evidence["lines"] == "; ".join(f"line {it!r}: 1 compensated, 0 approved" for it in names[:20])


def told_line(**parts: str) -> ReturnLineItem:
    """Three units at ten euros, all parts told."""
    sound = {"unit_price": "10.00", "subtotal_price": "30.00", "total_discounts": "0", "total_taxes": "0"}
    sound |= {"total_price": "30.00", "currency": "EUR", "quantity": "3"} | parts
    return ReturnLineItem.model_validate(
        {"id": "retl_1", "compensation_method": "ORIGINAL_PAYMENT_METHOD", **{k: v for k, v in sound.items() if v}}
    )


def decided(it: ReturnLineItem, units: int = 3) -> Decision:
    store = rules(currencies=("EUR", "JPY", "KWD"))
    return decide(process(it, reviews=approved(units=units)), store, record(), NOW)


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"total_taxes": "5.21"},
        {"total_taxes": "6.30", "total_price": "36.30"},
        {"total_discounts": "7.50", "total_price": "22.50"},
        {"total_discounts": "7.50", "total_taxes": "4.72", "total_price": "27.22"},
        {"subtotal_price": "22.50", "total_discounts": "7.50", "total_price": "22.50"},
        {"total_price": "30.03"},
        {"subtotal_price": "29.97"},
        {"subtotal_price": "30.03", "total_price": "30.03"},
        {"unit_price": "9.991", "subtotal_price": "29.973", "total_price": "29.97"},
        {"subtotal_price": "36.30", "total_taxes": "6.30", "total_price": "36.30"},
        {"total_price": "12.00"},
        {"total_price": "3000.00", "total_taxes": ""},
        {"total_price": "3000.00", "total_discounts": ""},
        {"total_price": "3000.00", "subtotal_price": ""},
        {"total_price": "3000.00", "unit_price": ""},
        {"unit_price": "1000", "subtotal_price": "3000", "total_price": "3003", "currency": "JPY"},
        {"unit_price": "1.500", "subtotal_price": "4.500", "total_price": "4.503", "currency": "KWD"},
    ],
    ids=[
        "sound",
        "taxes inside",
        "taxes on top",
        "discount",
        "discount and taxes on top",
        "discount taken from the subtotal",
        "a cent a unit",
        "subtotal below",
        "subtotal a cent above",
        "fine unit price",
        "unit price net",
        "less than parts",
        "no taxes",
        "no discounts",
        "no subtotal",
        "no unit price",
        "a yen a unit",
        "a fils a unit",
    ],
)
def test_a_line_whose_total_is_what_its_parts_come_to_is_paid(parts: dict[str, str]) -> None:
    paid = decided(told_line(**parts))
    assert isinstance(paid, Compensate)
    assert paid.refunds[0].amount == Decimal(parts.get("total_price", "30.00"))


@pytest.mark.parametrize(
    "parts",
    [
        {"total_price": "3000.00"},
        {"total_price": "30.04"},
        {"total_price": "30.00", "total_discounts": "7.50"},
        {"subtotal_price": "22.50", "total_discounts": "7.50", "total_price": "30.00"},
        {"total_price": "36.34", "total_taxes": "6.30"},
        {"subtotal_price": "3000.00", "total_price": "3000.00"},
        {"subtotal_price": "0.00"},
        {"unit_price": "0.00"},
        {"total_discounts": "-2970.00", "total_price": "3000.00"},
        {"total_discounts": "-0.01"},
        {"total_taxes": "-0.01"},
        {"unit_price": "-10.00"},
        {"subtotal_price": "-30.00", "total_price": "0.00"},
        {"unit_price": "1000", "subtotal_price": "3000", "total_price": "3004", "currency": "JPY"},
        {"unit_price": "1.500", "subtotal_price": "4.500", "total_price": "4.504", "currency": "KWD"},
    ],
)
def test_a_line_whose_total_is_more_than_its_parts_come_to_is_held_by_a_rule_of_its_own(parts: dict[str, str]) -> None:
    held = decided(told_line(**parts), units=1)
    assert isinstance(held, Hold)
    assert (held.rule, held.kind) == ("total_above_parts", HoldKind.CONTRADICTION)
    assert "line 'retl_1'" in held.why


@pytest.mark.parametrize("absurd", ["NaN", "sNaN", "Infinity", "1E+20"])
def test_an_absurd_part_is_held_and_breaks_nothing(absurd: str) -> None:
    strange = told_line().model_copy(update={"total_taxes": Decimal(absurd)})
    held = decided(strange)
    assert isinstance(held, Hold)
    assert held.rule == "total_above_parts"


def test_a_person_who_saw_the_total_approves_it_and_it_is_paid() -> None:
    strange = process(told_line(total_price="3000.00"), reviews=approved(units=1))
    approve = Waiver("total_above_parts", Decimal("1000.00"), "EUR")
    assert isinstance(decide(strange, rules(), record(waivers=(approve,)), NOW), Compensate)


def test_nothing_is_held_of_a_line_of_which_nothing_is_due() -> None:
    strange = told_line(total_price="3000.00")
    assert isinstance(decided(strange, units=0), Wait)
    goods = strange.model_copy(update={"compensation_method": "EXCHANGE", "exchange_for": Product(variant_id="v2")})
    assert isinstance(decided(goods), Compensate)


@pytest.mark.parametrize("refunds_by", [RefundsBy.US, RefundsBy.REVER])
def test_a_refund_in_another_currency_than_the_stores_is_held(refunds_by: RefundsBy) -> None:
    strange = process(line(currency="USD"), reviews=approved())
    held = decide(strange, rules(refunds_by), record(), NOW)
    assert isinstance(held, Hold)
    assert (held.rule, held.currency) == ("other_currency", "USD")
    assert "EUR" in held.why


def test_a_refund_of_rever_in_another_currency_is_not_adopted_unasked() -> None:
    strange = process(line(currency="USD"), reviews=approved(), refunds=[refund(currency="USD")])
    assert decide(strange, rules(), record(), NOW).rule == "other_currency"


def test_a_currency_that_the_policy_names_is_paid_and_so_is_the_stores_own() -> None:
    named = rules(currencies=("USD", "SEK"))
    for currency in ("USD", "SEK", "EUR"):
        it = process(line(currency=currency), reviews=approved())
        assert isinstance(decide(it, named, record(), NOW), Compensate)
    assert decide(process(line(currency="GBP"), reviews=approved()), named, record(), NOW).rule == "other_currency"


def test_where_the_settings_tell_no_currency_only_the_policys_count_and_any_where_it_names_none() -> None:
    silent = replace(rules(), settings=rules().settings.model_copy(update={"currency": ""}))
    it = process(line(currency="USD"), reviews=approved())
    assert isinstance(decide(it, silent, record(), NOW), Compensate)
    named = replace(rules(currencies=("SEK",)), settings=silent.settings)
    assert decide(it, named, record(), NOW).rule == "other_currency"


def test_an_exchange_pays_in_no_currency() -> None:
    goods = process(line(currency="USD", method="EXCHANGE", variant="v2"), reviews=approved())
    assert isinstance(decide(goods, rules(), record(), NOW), Compensate)
