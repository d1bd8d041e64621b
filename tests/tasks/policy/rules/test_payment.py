"""What is paid: amounts, methods, costs, exchanges, and what holds a payment."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tasks.policy.decide import decide
from tasks.policy.decision import Compensate, Hold, Nothing, Wait
from tasks.policy.record import HoldKind, IntentKind, IntentState, LineUnits, Waiver
from tests.tasks.policy.factories import (
    BANK,
    EXCHANGE,
    GIFT,
    NOW,
    ORIGINAL,
    approved,
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

SWAP = line(method=EXCHANGE, variant="v")


def paid(decision: object) -> list[tuple[str, str]]:
    assert isinstance(decision, Compensate), decision
    return [(due.method, str(due.amount)) for due in decision.refunds]


def test_one_refund_per_method_in_the_order_of_the_lines() -> None:
    lines = (line("a", total="3.00", method=GIFT), line("b", total="4.00"), line("c", total="5.00", method=GIFT))
    it = process(*lines, reviews=[*approved("a"), *approved("b"), *approved("c")])
    decision = decide(it, rules(), record(), NOW)
    assert paid(decision) == [(GIFT, "8.00"), (ORIGINAL, "4.00")]
    assert isinstance(decision, Compensate)
    assert decision.rule == "on_item_verified"
    assert [item.line_id for item in decision.refunds[0].items] == ["a", "c"]


def test_declined_and_missing_units_pay_nothing() -> None:
    it = process(line(quantity=3), reviews=reviews("retl_1", "APPROVED", "DECLINED", "MISSING"))
    assert paid(decide(it, rules(), record(), NOW)) == [(ORIGINAL, "3.33")]


def test_a_later_approval_pays_the_rest() -> None:
    before = record(intent(units=(1,), amount="3.33"), lines={"retl_1": terms("10.00", 3)}, costs=Decimal(0))
    it = process(line(quantity=3), reviews=approved(units=3), refunds=[refund("3.33")])
    decision = decide(it, rules(), before, NOW)
    assert paid(decision) == [(ORIGINAL, "6.67")]
    assert isinstance(decision, Compensate)
    assert decision.refunds[0].items == (LineUnits("retl_1", (2, 3)),)


@pytest.mark.parametrize(
    ("costs", "amounts"),
    [
        ("0.00", [(ORIGINAL, "12.00"), (GIFT, "8.00")]),
        ("5.00", [(ORIGINAL, "7.00"), (GIFT, "8.00")]),
        ("15.00", [(ORIGINAL, "0.00"), (GIFT, "5.00")]),
        ("99.00", [(ORIGINAL, "0.00"), (GIFT, "0.00")]),
    ],
)
def test_costs_come_off_the_return_as_a_whole(costs: str, amounts: list[tuple[str, str]]) -> None:
    it = process(
        line(total="12.00"),
        line("retl_2", total="8.00", method=GIFT),
        costs=costs,
        reviews=[*approved(), *approved("retl_2")],
    )
    decision = decide(it, rules(), record(), NOW)
    assert paid(decision) == amounts
    assert isinstance(decision, Compensate)
    assert decision.costs == Decimal(costs)


def test_costs_already_taken_are_not_taken_again() -> None:
    before = record(intent(amount="7.00", gross=Decimal(12)), lines={"retl_1": terms("12.00")}, costs=Decimal(5))
    it = process(
        line(total="12.00"), line("retl_2", method=GIFT), costs="5.00",
        reviews=[*approved(), *approved("retl_2")], refunds=[refund("7.00")],
    )  # fmt: skip
    assert paid(decide(it, rules(), before, NOW)) == [(GIFT, "10.00")]


def test_the_units_of_a_refused_or_withdrawn_intent_are_free_again() -> None:
    withdrawn = record(intent(state=IntentState.WITHDRAWN), lines={"retl_1": terms()})
    assert paid(decide(process(reviews=approved()), rules(), withdrawn, NOW)) == [(ORIGINAL, "10.00")]


def test_a_refusal_is_held_until_a_person_says_retry() -> None:
    before = intent(state=IntentState.REFUSED, error_code="3")
    held = decide(process(reviews=approved()), rules(), record(before), NOW)
    assert isinstance(held, Hold)
    assert (held.rule, held.kind, held.amount) == ("refused_by_rever", HoldKind.REFUSED, Decimal(10))
    waiver = Waiver("refused_by_rever", Decimal(10), "EUR")
    assert paid(decide(process(reviews=approved()), rules(), record(before, waivers=(waiver,)), NOW))
    again = record(before, replace(before, id="again"), waivers=(replace(waiver, used_by="again"),))
    assert decide(process(reviews=approved()), rules(), again, NOW).rule == "refused_by_rever"


def test_a_refusal_of_another_method_does_not_hold() -> None:
    before = intent(state=IntentState.REFUSED, method=BANK)
    assert paid(decide(process(reviews=approved()), rules(), record(before), NOW)) == [(ORIGINAL, "10.00")]


def test_a_refusal_of_other_units_does_not_hold() -> None:
    before = intent(state=IntentState.REFUSED, line_id="retl_2")
    assert paid(decide(process(reviews=approved()), rules(), record(before), NOW)) == [(ORIGINAL, "10.00")]


def test_only_goods_never_received_are_held_for_a_person() -> None:
    """Unreviewed goods count as approved with this timing, and a reviewed line has nothing assumed."""
    early = process(line(), line("retl_2", reason="NOT_RECEIVED"), return_status="STARTED", logistics=())
    held = decide(early, rules(timing="ON_START", not_received="hold"), record(), NOW)
    assert isinstance(held, Hold)
    assert held.items == (LineUnits("retl_2", (1,)),)
    told = process(line(reason="NOT_RECEIVED"), reviews=approved())
    assert paid(decide(told, rules(not_received="hold"), record(), NOW)) == [(ORIGINAL, "10.00")]


def test_an_exchange_names_product_variant_and_worth() -> None:
    decision = decide(process(SWAP, reviews=approved()), rules(), record(), NOW)
    assert isinstance(decision, Compensate)
    assert decision.exchange is not None
    assert (decision.exchange.gross, decision.exchange.currency) == (Decimal(10), "EUR")
    (item,) = decision.exchange.items
    assert (item.line_id, item.variant_id, item.product_id, item.units) == ("retl_1", "v", "p-v", (1,))


def test_goods_never_received_are_approved_or_held_by_the_policy() -> None:
    it = process(line(quantity=2, reason="NOT_RECEIVED"), line("retl_2"), return_status="STARTED", logistics=())
    assert paid(decide(it, rules(), record(), NOW)) == [(ORIGINAL, "10.00")]
    held = decide(it, rules(not_received="hold"), record(), NOW)
    assert isinstance(held, Hold)
    assert (held.rule, held.kind) == ("not_received", HoldKind.APPROVAL)
    assert held.items == (LineUnits("retl_1", (1, 2)),)
    waived = record(waivers=(Waiver("not_received", Decimal(10), "EUR"),))
    assert paid(decide(it, rules(not_received="hold"), waived, NOW))


def test_an_exchange_goes_in_one_when_every_line_of_it_is_inspected() -> None:
    lines = (line("a", 2, method=EXCHANGE, variant="v"), line("b", method=EXCHANGE, variant="w"), line("c"))
    part = process(*lines, reviews=[*reviews("a", "APPROVED", "DECLINED")])
    assert decide(part, rules(), record(), NOW).rule == "wait_exchange_inspection"
    whole = process(*lines, reviews=[*reviews("a", "APPROVED", "DECLINED"), *approved("b")])
    decision = decide(whole, rules(), record(), NOW)
    assert isinstance(decision, Compensate)
    assert decision.exchange is not None
    assert [(it.line_id, it.variant_id, it.units) for it in decision.exchange.items] == [
        ("a", "v", (1,)),
        ("b", "w", (1,)),
    ]
    assert decision.refunds == ()


def test_what_a_person_exchanged_by_hand_bears_no_costs() -> None:
    """Found by the model: goods exchanged by hand took their worth off the costs, and the refund was too high by it."""
    by_hand = intent(state=IntentState.DONE_BY_HAND, method="", amount="0", gross=Decimal(0))
    it = process(
        line(total="0.01", method=EXCHANGE, variant="v"), line("b", total="37.00", method=GIFT), costs="2.00",
        reviews=[*approved(), *approved("b")],
    )  # fmt: skip
    assert paid(decide(it, rules(), record(by_hand, lines={"retl_1": terms("0.01")}), NOW)) == [(GIFT, "35.00")]


def test_an_exchange_bears_no_costs() -> None:
    it = process(SWAP, line("retl_2"), costs="4.00", reviews=[*approved(), *approved("retl_2")])
    assert paid(decide(it, rules(), record(), NOW)) == [(ORIGINAL, "6.00")]


def test_costs_are_still_to_be_taken_after_an_exchange() -> None:
    it = process(SWAP, line("retl_2"), costs="4.00", reviews=[*approved(), *approved("retl_2")], exchange=order("v"))
    swapped = record(intent(IntentKind.EXCHANGE), lines={"retl_1": terms()})
    assert paid(decide(it, rules(), swapped, NOW)) == [(ORIGINAL, "6.00")]


@pytest.mark.parametrize("wanted", [None, ""])
def test_an_exchange_for_nothing_is_held(wanted: str | None) -> None:
    decision = decide(process(line(method=EXCHANGE, variant=wanted), reviews=approved()), rules(), record(), NOW)
    assert isinstance(decision, Hold)
    assert decision.rule == "no_variant"


def test_more_to_exchange_after_the_exchange_is_held() -> None:
    it = process(SWAP, line("retl_2", method=EXCHANGE, variant="w"), reviews=[*approved(), *approved("retl_2")])
    done = record(intent(IntentKind.EXCHANGE), lines={"retl_1": terms()})
    shown = it.model_copy(update={"compensation": process(exchange=order("v")).compensation})
    assert decide(shown, rules(), done, NOW).rule == "second_exchange"


def test_out_of_stock_is_held_tried_again_or_refunded() -> None:
    before = intent(IntentKind.EXCHANGE, IntentState.REFUSED, error_code="9")
    it = process(SWAP, reviews=approved(), costs="1.00")
    held = decide(it, rules(), record(before), NOW)
    assert isinstance(held, Hold)
    assert (held.rule, held.kind, held.amount) == ("out_of_stock", HoldKind.OUT_OF_STOCK, Decimal(10))
    waived = record(before, waivers=(Waiver("out_of_stock", Decimal(10), "EUR"),))
    again = decide(it, rules(), waived, NOW)
    assert isinstance(again, Compensate)
    assert again.exchange is not None
    instead = decide(it, rules(out_of_stock=GIFT), record(before), NOW)
    assert paid(instead) == [(GIFT, "9.00")]


def test_another_refusal_of_an_exchange_is_held_whatever_the_policy() -> None:
    before = intent(IntentKind.EXCHANGE, IntentState.REFUSED, error_code="3")
    decision = decide(process(SWAP, reviews=approved()), rules(out_of_stock=GIFT), record(before), NOW)
    assert decision.rule == "refused_by_rever"


def test_completed_with_something_unpaid_is_held() -> None:
    decision = decide(process(reviews=approved(), status="COMPLETED"), rules(), record(), NOW)
    assert isinstance(decision, Hold)
    assert (decision.rule, decision.amount) == ("completed_unpaid", Decimal(10))
    waived = record(waivers=(Waiver("completed_unpaid", Decimal(10), "EUR"),))
    assert isinstance(decide(process(reviews=approved(), status="COMPLETED"), rules(), waived, NOW), Hold)


def test_completed_where_costs_use_up_what_is_due_closes_without_a_call() -> None:
    decision = decide(process(reviews=approved(), costs="10.00", status="COMPLETED"), rules(), record(), NOW)
    assert paid(decision) == [(ORIGINAL, "0.00")]


@pytest.mark.parametrize("status", ["RUNNING", "COMPLETED"])
def test_the_end_is_final_when_every_unit_has_its_outcome(status: str) -> None:
    done = record(intent(), lines={"retl_1": terms()})
    end = decide(process(reviews=approved(), refunds=[refund()], status=status), rules(), done, NOW)
    assert isinstance(end, Nothing)
    assert end.final
    labelled = record(*done.intents, intent(IntentKind.LABEL, IntentState.UNKNOWN), lines=done.lines)
    still = decide(process(reviews=approved(), refunds=[refund()], status=status), rules(), labelled, NOW)
    assert isinstance(still, Nothing)
    assert not still.final
    declined = decide(process(reviews=reviews("retl_1", "DECLINED"), status=status), rules(), record(), NOW)
    assert isinstance(declined, Nothing)
    assert declined.final


def test_completed_without_an_inspection_is_not_final() -> None:
    end = decide(process(status="COMPLETED"), rules(), record(), NOW)
    assert isinstance(end, Nothing)
    assert not end.final


@pytest.mark.parametrize(
    ("return_status", "logistics", "method", "rule"),
    [
        ("REVIEW_REQUIRED", ["IN_WAREHOUSE"], "DROP_OFF_POINT", "wait_inspection"),
        ("COLLECTED", ["COLLECTED"], "DROP_OFF_POINT", "wait_parcel"),
        ("STARTED", ["CREATED"], "DROP_OFF_POINT", "wait_goods"),
        ("STARTED", ["NO_SHIPPING_STATUS"], "HOME_PICK_UP", "wait_label"),
        ("STARTED", [], "IN_STORE", "wait_goods"),
    ],
)
def test_a_wait_says_for_what(return_status: str, logistics: list[str], method: str, rule: str) -> None:
    it = process(line(quantity=2), return_status=return_status, logistics=logistics, method=method)
    decision = decide(it, rules(), record(), NOW)
    assert isinstance(decision, Wait)
    assert decision.rule == rule
    assert decision.until == NOW + rules().look_again


def test_an_exchange_without_a_variant_is_held_with_its_units() -> None:
    it = process(line(quantity=2, method=EXCHANGE), reviews=approved(units=2))
    held = decide(it, rules(), record(), NOW)
    assert isinstance(held, Hold)
    assert (held.rule, held.kind) == ("no_variant", HoldKind.UNKNOWN_VALUE)
    assert held.items == (LineUnits("retl_1", (1, 2)),)
    assert "retl_1" in held.evidence["lines"]


def test_a_payment_says_how_many_units_and_what_costs_took() -> None:
    it = process(line(quantity=2), reviews=approved(units=2), costs="4.00")
    assert decide(it, rules(), record(), NOW).why == (
        "2 units approved and not compensated yet: "
        "refunds 6.00 EUR by ORIGINAL_PAYMENT_METHOD for 2 units (costs of 4.00 EUR taken off)"
    )


BESIDE = line("beside", total="3.00", method=BANK)
"""A line that is due as well, and that a hold about another one is not about."""
ABOUT = (LineUnits("retl_1", (1,)),)


def test_a_refused_refund_is_held_with_just_its_units_and_which_effect_it_was() -> None:
    before = intent(state=IntentState.REFUSED, error_code="3")
    it = process(line(), BESIDE, reviews=[*approved(), *approved("beside")])
    held = decide(it, rules(), record(before), NOW)
    assert isinstance(held, Hold)
    assert (held.items, held.amount, held.currency) == (ABOUT, Decimal(10), "EUR")
    assert held.evidence == {"intent": before.id, "code": "3"}
    assert "10.00 EUR by ORIGINAL_PAYMENT_METHOD" in held.why


@pytest.mark.parametrize(
    ("code", "rule", "kind", "words"),
    [
        ("9", "out_of_stock", HoldKind.OUT_OF_STOCK, "out of stock"),
        ("3", "refused_by_rever", HoldKind.REFUSED, "has refused the exchange"),
    ],
)
def test_a_refused_exchange_is_held_with_just_its_units_and_worth(
    code: str, rule: str, kind: HoldKind, words: str
) -> None:
    before = intent(IntentKind.EXCHANGE, IntentState.REFUSED, error_code=code)
    it = process(SWAP, BESIDE, reviews=[*approved(), *approved("beside")])
    held = decide(it, rules(), record(before), NOW)
    assert isinstance(held, Hold)
    assert (held.rule, held.kind, held.items) == (rule, kind, ABOUT)
    assert (held.amount, held.currency) == (Decimal(10), "EUR")
    assert held.evidence == {"intent": before.id, "code": code}
    assert words in held.why


def test_what_a_completed_return_leaves_unpaid_is_held_with_all_its_units() -> None:
    lines = (line(quantity=2, total="20.00"), BESIDE)
    it = process(*lines, reviews=[*approved(units=2), *approved("beside")], status="COMPLETED")
    held = decide(it, rules(), record(), NOW)
    assert isinstance(held, Hold)
    assert held.items == (LineUnits("retl_1", (1, 2)), LineUnits("beside", (1,)))
    assert (held.kind, held.amount, held.currency) == (HoldKind.CONTRADICTION, Decimal("23.00"), "EUR")
    assert held.evidence == {"units": "3", "due": "23.00 EUR"}
    assert "3 approved units not compensated (23.00 EUR to refund)" in held.why


def test_what_a_completed_return_leaves_to_exchange_names_no_money() -> None:
    it = process(SWAP, line("r", total="0.00"), reviews=[*approved(), *approved("r")], status="COMPLETED")
    held = decide(it, rules(), record(), NOW)
    assert isinstance(held, Hold)
    assert (held.rule, held.amount, held.currency) == ("completed_unpaid", None, "")


def test_goods_never_received_are_held_line_by_line() -> None:
    lines = (line(quantity=2, total="20.00", reason="NOT_RECEIVED"), BESIDE)
    held = decide(process(*lines, reviews=approved("beside")), rules(not_received="hold"), record(), NOW)
    assert isinstance(held, Hold)
    assert "2 units never reached the shopper" in held.why
    assert "retl_1" in held.evidence["lines"]
    assert "beside" not in held.evidence["lines"]


def test_of_many_lines_never_received_a_person_is_told_the_first_twenty() -> None:
    lines = [line(f"r{number}", reason="NOT_RECEIVED") for number in range(22)]
    held = decide(process(*lines), rules(not_received="hold"), record(), NOW)
    assert isinstance(held, Hold)
    assert held.evidence == {"lines": ", ".join(f"'r{number}'" for number in range(20))}
    assert len(held.items) == 22


def test_an_exchange_for_nothing_says_of_which_line() -> None:
    it = process(line(method=EXCHANGE), BESIDE, reviews=[*approved(), *approved("beside")])
    held = decide(it, rules(), record(), NOW)
    assert isinstance(held, Hold)
    assert (held.rule, "retl_1" in held.why, "beside" in held.why) == ("no_variant", True, False)


@pytest.mark.parametrize(
    ("currency", "then", "now", "amount"), [("EUR", "10.00", "12.00", "5.00"), ("BHD", "1.002", "2.000", "0.501")]
)
def test_later_units_are_paid_by_the_terms_of_the_first(currency: str, then: str, now: str, amount: str) -> None:
    """Once a person has let the change pass. Of three units at REVER now, the first terms know two."""
    it = process(
        line(quantity=3, total=now, currency=currency), reviews=approved(units=3),
        refunds=[refund(amount, currency=currency)],
    )  # fmt: skip
    known = record(
        intent(amount=amount, currency=currency),
        lines={"retl_1": terms(then, 2, currency)},
        costs=Decimal(0),
        waivers=(Waiver("terms_changed", Decimal(amount), currency),),
    )
    decision = decide(it, rules(currencies=(currency,)), known, NOW)
    assert paid(decision) == [(ORIGINAL, amount)]
    assert isinstance(decision, Compensate)
    assert decision.refunds[0].items == (LineUnits("retl_1", (2,)),)


def test_costs_go_on_from_what_was_paid_by_the_first_terms() -> None:
    it = process(line(total="12.00"), line("b", total="5.00"), costs="11.00", reviews=[*approved(), *approved("b")])
    known = record(
        intent(amount="0.00", gross=Decimal("10.00"), nothing_sent=True),
        lines={"retl_1": terms("10.00")},
        costs=Decimal("11.00"),
        waivers=(Waiver("terms_changed", Decimal("5.00"), "EUR"),),
    )
    assert paid(decide(it, rules(), known, NOW)) == [(ORIGINAL, "4.00")]


def test_costs_that_an_account_leaves_out_are_none() -> None:
    it = process(reviews=approved(), costs=None)
    assert paid(decide(it, rules(omits=True), record(), NOW)) == [(ORIGINAL, "10.00")]
