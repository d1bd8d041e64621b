"""Timing, changed terms and approvals, values that are not known."""

from decimal import Decimal

import pytest

from rever_api.models import ReturnProcess
from tasks.policy.case import Case
from tasks.policy.checks import fewer_approvals, terms_changed
from tasks.policy.decide import decide
from tasks.policy.decision import Compensate, Hold, Wait
from tasks.policy.record import HoldKind, IntentState, Record, Waiver
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
