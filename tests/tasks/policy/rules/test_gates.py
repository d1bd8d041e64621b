"""Whether a read and a record are any ground to decide about money."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from rever_api.models import Compensation, Product, ReturnLineItem, ReturnProcess
from tasks.policy import money
from tasks.policy.case import Case
from tasks.policy.decide import decide
from tasks.policy.decision import Compensate, Decision, Hold, Nothing, Wait
from tasks.policy.facts import contradictions, incomplete, later, quoted
from tasks.policy.record import HoldKind, IntentKind, IntentState, LineTerms, Record, Waiver
from tasks.policy.rules import payment
from tasks.policy.rules.gates import fewer_approvals, terms_changed
from tasks.policy.store import RefundsBy
from tests.tasks.policy.factories import (
    EXCHANGE,
    GIFT,
    NOW,
    ORIGINAL,
    approved,
    hold,
    intent,
    line,
    order,
    process,
    record,
    refund,
    reviews,
    rules,
    terms,
)

DUE = process(reviews=approved())


def test_an_open_hold_goes_on_holding() -> None:
    decision = decide(DUE, rules(), record(holds=(hold(),)), NOW)
    assert isinstance(decision, Hold)
    assert (decision.rule, decision.kind, decision.why) == (
        "foreign_refund",
        HoldKind.FOREIGN_REFUND,
        "somebody else has paid",
    )


def test_a_hold_of_the_label_does_not_stop_the_money() -> None:
    assert isinstance(decide(DUE, rules(), record(holds=(hold("no_carrier", label=True),)), NOW), Compensate)


@pytest.mark.parametrize("state", [IntentState.INTENDED, IntentState.SENT, IntentState.UNKNOWN])
@pytest.mark.parametrize("kind", [IntentKind.REFUND, IntentKind.EXCHANGE])
def test_an_open_intent_is_waited_for(kind: IntentKind, state: IntentState) -> None:
    decision = decide(process(line(quantity=2), reviews=approved(units=2)), rules(), record(intent(kind, state)), NOW)
    assert isinstance(decision, Wait)
    assert (decision.rule, decision.until) == ("open_intent", NOW + timedelta(minutes=5))


def test_an_open_label_does_not_stop_the_money() -> None:
    assert isinstance(decide(DUE, rules(), record(intent(IntentKind.LABEL, IntentState.SENT)), NOW), Compensate)


def test_a_contradiction_holds_with_its_evidence() -> None:
    decision = decide(process(reviews=approved(units=2)), rules(), record(), NOW)
    assert isinstance(decision, Hold)
    assert (decision.rule, decision.kind) == ("contradictory", HoldKind.CONTRADICTION)
    assert "2 reviews of 1 unit" in decision.evidence["1"]


@pytest.mark.parametrize(
    ("left_out", "name"),
    [
        ({"reviews": None}, "reviews"),
        ({"return_costs": None}, "return_costs"),
        ({"compensation": None}, "compensation"),
        ({"compensation": {"exchange_order": None}}, "compensation"),
    ],
)
def test_what_was_not_told_is_no_ground_to_pay(left_out: dict[str, Any], name: str) -> None:
    it = process(**{"reviews": approved(), **left_out})
    decision = decide(it, rules(), record(), NOW)
    assert incomplete(it, rules()) == (name,)
    assert isinstance(decision, Hold)
    assert (decision.rule, decision.evidence["missing"]) == ("incomplete_read", name)
    assert incomplete(it, rules(omits=True)) == ()
    paid = decide(it, rules(omits=True), record(), NOW)
    assert isinstance(paid, Wait if name == "reviews" else Compensate)


@pytest.mark.parametrize(
    "shown",
    [[], [refund("9.00")], [refund("10.00", GIFT)], [refund("10.00", currency="SEK")]],
)
def test_less_at_rever_than_we_did_is_a_stale_view_and_then_held(shown: list[Any]) -> None:
    done = record(intent(sent_at=NOW - timedelta(minutes=14)), lines={"retl_1": terms("20.00", 2)})
    it = process(line(quantity=2, total="20.00"), reviews=approved(units=2), refunds=shown)
    first = decide(it, rules(), done, NOW)
    assert isinstance(first, Wait)
    assert (first.rule, first.until) == ("stale_view", NOW + timedelta(minutes=1))
    later = decide(it, rules(), done, NOW + timedelta(minutes=1))
    assert isinstance(later, Hold)
    assert later.rule == "rever_shows_less"


def test_two_equal_refunds_are_two() -> None:
    done = record(intent(units=(1,)), intent(units=(2,)), lines={"retl_1": terms("30.00", 3)})
    it = process(line(quantity=3, total="30.00"), reviews=approved(units=3), refunds=[refund()])
    assert decide(it, rules(), done, NOW).rule == "rever_shows_less"


def test_an_exchange_of_ours_that_rever_does_not_show() -> None:
    it = process(line(method=EXCHANGE, variant="v"), reviews=approved())
    assert decide(it, rules(), record(intent(IntentKind.EXCHANGE)), NOW).rule == "rever_shows_less"
    shown = process(line(method=EXCHANGE, variant="v"), reviews=approved(), exchange=order("v"))
    assert decide(shown, rules(), record(intent(IntentKind.EXCHANGE)), NOW).rule == "all_settled"


def test_what_a_person_did_or_costs_used_up_need_not_show() -> None:
    by_hand = record(intent(state=IntentState.DONE_BY_HAND))
    assert decide(DUE, rules(), by_hand, NOW).rule == "all_settled"
    nothing = record(intent(amount="0", gross=10, nothing_sent=True), costs=10)
    assert decide(process(reviews=approved(), costs="10"), rules(), nothing, NOW).rule == "all_settled"


def test_a_waived_stale_view_goes_on() -> None:
    waived = Waiver("rever_shows_less", Decimal(10), "EUR")
    done = record(intent(), lines={"retl_1": terms()}, waivers=(waived,))
    assert decide(DUE, rules(), done, NOW).rule == "all_settled"
    more = record(intent(), intent(line_id="b"), lines={"retl_1": terms(), "b": terms()}, waivers=(waived,))
    assert decide(process(line(), line("b"), reviews=approved()), rules(), more, NOW).rule == "rever_shows_less"


@pytest.mark.parametrize("status", ["CANCELED", "CANCELLED", "FAILED"])
def test_a_return_that_is_over_is_not_paid(status: str) -> None:
    unpaid = decide(process(reviews=approved(), status=status), rules(), record(), NOW)
    assert isinstance(unpaid, Nothing)
    assert not unpaid.final
    assert "1 approved unit left without compensation" in unpaid.why
    nothing_approved = decide(process(status=status), rules(), record(), NOW)
    assert isinstance(nothing_approved, Nothing)
    assert nothing_approved.final


def test_on_hold_at_rever_waits() -> None:
    decision = decide(process(reviews=approved(), status="ON_HOLD"), rules(), record(), NOW)
    assert isinstance(decision, Wait)
    assert decision.rule == "rever_on_hold"


def test_an_unknown_status_is_held_and_named() -> None:
    decision = decide(process(reviews=approved(), status="PAUSED"), rules(), record(), NOW)
    assert isinstance(decision, Hold)
    assert (decision.rule, decision.kind) == ("unknown_status", HoldKind.UNKNOWN_VALUE)
    assert "PAUSED" in decision.why


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ({"reviews": reviews("retl_1", "DECLINED", "MISSING"), "logistics": ()}, "wait_inspection"),
        ({"logistics": ("IN_WAREHOUSE",)}, "wait_inspection"),
        ({"logistics": (), "return_status": "REVIEW_REQUIRED"}, "wait_inspection"),
        ({"logistics": ("CREATED",)}, "wait_goods"),
    ],
)
def test_where_the_goods_are_is_told_by_inspection_parcel_or_status(told: dict[str, Any], name: str) -> None:
    it = process(line(quantity=3), method="IN_STORE", **{"return_status": "STARTED", **told})
    decision = decide(it, rules(), record(), NOW)
    assert isinstance(decision, Wait)
    assert decision.rule == name


def test_goods_are_there_once_a_unit_is_approved_and_paid_and_one_declined() -> None:
    seen: dict[str, Any] = {
        "reviews": reviews("retl_1", "APPROVED", "DECLINED"),
        "refunds": [refund()],
        "logistics": (),
    }
    it = process(line(quantity=3), method="IN_STORE", return_status="STARTED", **seen)
    known = record(intent(), lines={"retl_1": terms("10.00", 3)})
    assert decide(it, rules(), known, NOW).rule == "wait_inspection"


def test_missing_units_have_their_outcome() -> None:
    it = process(
        line(quantity=2), reviews=reviews("retl_1", "APPROVED", "MISSING"), refunds=[refund("5.00")], status="COMPLETED"
    )
    known = record(intent(amount="5.00"), lines={"retl_1": terms("10.00", 2)}, costs=Decimal(0))
    decision = decide(it, rules(), known, NOW)
    assert isinstance(decision, Nothing)
    assert (decision.rule, decision.final) == ("completed", True)


def test_a_cancelled_return_that_others_refunded_is_not_at_its_end() -> None:
    decision = decide(process(refunds=[refund()], status="CANCELED"), rules(), record(), NOW)
    assert isinstance(decision, Nothing)
    assert not decision.final


def test_units_paid_before_their_inspection_are_counted_over_all_lines() -> None:
    lines = (line("a"), line("b"), line("gone"))
    it = process(*lines[:2], reviews=[*reviews("a", "DECLINED"), *reviews("b", "DECLINED")], status="CANCELED")
    assert "not approved" not in decide(it, rules(), record(), NOW).why
    paid = record(*(intent(line_id=it.id) for it in lines), lines={it.id: terms() for it in lines}, costs=Decimal(0))
    completed = Case(it.model_copy(update={"rever_process_status": "COMPLETED"}), rules(), paid, NOW)
    decision = payment.completed(completed)
    assert decision is not None
    assert "; 2 units paid before the inspection and not approved in it" in decision.why


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (process(line(quantity=10_000, total="10000.00")), []),
        (process(line(quantity=10_001, total="10001.00")), ["10001"]),
        (process(line(total="1000000000000000.00")), ["1000000000000000.00"]),
        (process(line(currency="JPY", total="10"), costs="1.50"), ["the return costs are 1.50", "JPY"]),
        (process(line(currency="JPY", total="10"), costs="1"), []),
        (process(line(currency="BHD", total="1.234"), costs="1.234"), []),
        (process(refunds=[refund("1.50", currency="JPY")]), ["a refund of 1.50 is shown", "JPY"]),
    ],
)
def test_amounts_that_cannot_be_reckoned_with_contradict(told: ReturnProcess, words: list[str]) -> None:
    found = "; ".join(contradictions(told))
    assert bool(found) == bool(words)
    assert not [word for word in words if word not in found]


def test_a_return_without_lines_contradicts_itself() -> None:
    assert list(contradictions(process().model_copy(update={"return_line_items": ()}))) == ["the return has no lines"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a" * 60, "'" + "a" * 60 + "'"),
        ("a" * 61, "'" + "a" * 57 + "...'"),
        ("it", "'it'"),
        ("ON_FIRE", "'ON_FIRE'"),
        ("Ada Lovelace, 7 Mill Lane", "a text of 25 characters"),
        ("ada@example.test", "a text of 16 characters"),
        ("\x1b[2J", "a text of 4 characters"),
        ("é", "a text of 1 character"),
    ],
)
def test_what_rever_says_is_quoted_where_it_is_no_text_and_at_no_great_length(text: str, shown: str) -> None:
    assert quoted(text) == shown


def test_an_older_view_names_what_it_does_not_show_and_nothing_else() -> None:
    done = record(intent(), lines={"retl_1": terms()}, costs=Decimal(0))
    decision = decide(process(reviews=approved()), rules(), done, NOW)
    assert isinstance(decision, Hold)
    assert decision.evidence == {"absent": f"10.00 EUR by {ORIGINAL}"}


def test_the_end_of_time_is_a_time_as_all_others() -> None:
    assert later(datetime.max.replace(tzinfo=UTC), timedelta(1)) == datetime.max.replace(tzinfo=UTC)


# Timing, changed terms and approvals, values that are not known.


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


def test_a_later_rounding_rule_does_not_value_anew_what_is_half_paid(monkeypatch: pytest.MonkeyPatch) -> None:
    """0.05 for two units: an older rule paid 0.02 for the first, so the second is worth 0.03, and 0.05 in all."""

    def down(total: Decimal, quantity: int, approved_units: int, currency: str) -> Decimal:
        return (total * approved_units / quantity).quantize(Decimal("0.01"), "ROUND_DOWN")

    monkeypatch.setattr(money, "ROUNDINGS", {**money.ROUNDINGS, "down": down})
    it = process(line(quantity=2, total="0.05"), reviews=approved(units=2), refunds=[refund("0.02")])
    for rounding, first, second in (("down", "0.02", "0.03"), ("half_up", "0.03", "0.02")):
        fixed = LineTerms(Decimal("0.05"), 2, "EUR", rounding)
        paid = record(intent(units=(1,), amount=first), lines={"retl_1": fixed})
        shown = it.model_copy(update={"compensation": Compensation(refunds=(refund(first),))})
        decision = decide(shown, rules(), paid, NOW)
        assert isinstance(decision, Compensate), decision
        assert decision.refunds[0].amount == Decimal(second)
