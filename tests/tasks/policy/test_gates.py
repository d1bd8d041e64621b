"""Whether a read and a record are any ground to decide about money."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from rever_api.models import ReturnProcess
from tasks.policy.case import Case
from tasks.policy.decide import decide, incomplete
from tasks.policy.decision import Compensate, Hold, Nothing, Wait
from tasks.policy.facts import contradictions, later, quoted
from tasks.policy.record import HoldKind, IntentKind, IntentState, Waiver
from tasks.policy.rules import payment
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
