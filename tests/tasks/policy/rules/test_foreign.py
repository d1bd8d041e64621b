"""What REVER did by itself: adopted, expected, or held."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from rever_api.models import Refund
from tasks.policy.comparison import differs
from tasks.policy.decide import decide
from tasks.policy.decision import Adopt, Compensate, Hold, Nothing, Wait
from tasks.policy.record import REFUNDS_SEEN, HoldKind, IntentKind, IntentState, Waiver
from tasks.policy.store import RefundsBy
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

REVER = rules(RefundsBy.REVER)
SEEN = Waiver(REFUNDS_SEEN, Decimal("9.00"), "EUR")
TWO = (line(total="12.00"), line("retl_2", total="8.00", method=GIFT))
BOTH = [*approved(), *approved("retl_2")]


@pytest.mark.parametrize("who", [RefundsBy.US, RefundsBy.REVER, RefundsBy.UNSTATED])
@pytest.mark.parametrize("status", ["RUNNING", "COMPLETED"])
def test_foreign_refunds_that_equal_what_is_due_are_adopted(who: RefundsBy, status: str) -> None:
    shown = [refund("5.00"), refund("7.00"), refund("6.00", GIFT)]
    it = process(*TWO, reviews=BOTH, refunds=shown, costs="2.00", status=status)
    assert decide(it, rules(who), record(), NOW).rule != "already_paid", "costs come off the first method"
    shown = [refund("5.00"), refund("5.00"), refund("8.00", GIFT)]
    decision = decide(
        it.model_copy(update={"compensation": process(refunds=shown).compensation}), rules(who), record(), NOW
    )
    assert isinstance(decision, Adopt)
    assert [(due.method, due.amount) for due in decision.refunds] == [(ORIGINAL, Decimal(10)), (GIFT, Decimal(8))]


def test_adopted_refunds_are_known_from_then_on() -> None:
    it = process(*TWO, reviews=BOTH, refunds=[refund("5.00"), refund("7.00"), refund("8.00", GIFT)])
    adopted = record(
        intent(amount="12.00", adopted=True),
        intent(line_id="retl_2", amount="8.00", method=GIFT, adopted=True),
        lines={"retl_1": terms("12.00"), "retl_2": terms("8.00")},
        costs=Decimal(0),
    )
    decision = decide(it, REVER, adopted, NOW)
    assert isinstance(decision, Nothing)
    assert decision.final
    less = it.model_copy(update={"compensation": process(refunds=[refund("5.00"), refund("8.00", GIFT)]).compensation})
    assert decide(less, REVER, adopted, NOW).rule == "rever_shows_less"
    more = it.model_copy(update={"compensation": process(refunds=[refund("13.00"), refund("8.00", GIFT)]).compensation})
    assert decide(more, REVER, adopted, NOW).rule == "foreign_refund"


@pytest.mark.parametrize(
    "shown",
    [
        [refund("9.00")],
        [refund("11.00")],
        [refund("10.00", BANK)],
        [refund("10.00"), refund("1.00", BANK)],
        [refund("10.00", missing="4.00")],
        [refund("10.00", currency="SEK")],
    ],
)
def test_any_other_foreign_refund_is_held_never_the_difference_paid(shown: list[object]) -> None:
    decision = decide(process(reviews=approved(), refunds=shown), rules(), record(), NOW)  # type: ignore[arg-type]
    assert isinstance(decision, Hold)
    assert (decision.rule, decision.kind) == ("foreign_refund", HoldKind.FOREIGN_REFUND)
    assert (decision.amount, decision.items[0].units) == (Decimal(10), (1,))


def test_a_foreign_refund_before_anything_is_due_is_held() -> None:
    assert decide(process(refunds=[refund()]), rules(), record(), NOW).rule == "foreign_refund"


def test_a_person_who_saw_the_foreign_refund_is_not_asked_again() -> None:
    it = process(reviews=approved(), refunds=[refund("9.00")])
    waived = record(waivers=(SEEN, Waiver("foreign_refund", Decimal(10), "EUR")))
    assert isinstance(decide(it, rules(), waived, NOW), Compensate)
    by_hand = record(intent(state=IntentState.DONE_BY_HAND, amount="9.00", method=""))
    assert decide(it, rules(), by_hand, NOW).rule == "all_settled"
    dropped = record(intent(state=IntentState.DROPPED, amount="0"), waivers=(SEEN,))
    final = decide(it, rules(), dropped, NOW)
    assert isinstance(final, Nothing)
    assert final.final


@pytest.mark.parametrize(
    "now_shown",
    [
        [refund("9.00"), refund("0.01")],
        [refund("9.00"), refund("9.00")],
        [refund("9.00"), refund("5.00", GIFT)],
        [refund("9.00"), refund("5.00", currency="SEK")],
    ],
)
def test_a_person_has_seen_no_refund_that_came_later(now_shown: list[object]) -> None:
    """Neither where units were closed nor where it was said that what is due be paid all the same."""
    it = process(reviews=approved(), refunds=now_shown)  # type: ignore[arg-type]
    answered = (
        record(intent(state=IntentState.DONE_BY_HAND, amount="9.00"), waivers=(SEEN,)),
        record(intent(state=IntentState.DROPPED, amount="0"), waivers=(SEEN,)),
        record(waivers=(SEEN, Waiver("foreign_refund", Decimal(10), "EUR"))),
    )
    for known in answered:
        again = decide(it, rules(), known, NOW)
        assert isinstance(again, Hold)
        assert again.rule == "foreign_refund"
        assert not known.seen(again.refunds), "the answer to this one covers it"


def test_what_rever_adopted_for_was_paid_counts_as_made_by_others() -> None:
    """Else a second refund of what was adopted would hide behind the first, which a person had seen before."""
    adopted = record(intent(amount="9.00", adopted=True), lines={"retl_1": terms("9.00")}, waivers=(SEEN,))
    it = process(line(total="9.00"), reviews=approved(), refunds=[refund("9.00"), refund("9.00")])
    again = decide(it, rules(), adopted, NOW)
    assert isinstance(again, Hold)
    assert again.refunds == {"EUR": Decimal("18.00")}


def test_what_a_person_paid_by_hand_does_not_hide_a_refund_of_more() -> None:
    it = process(line(quantity=2, total="20.00"), reviews=approved(units=2), refunds=[refund("20.00")])
    by_hand = record(intent(state=IntentState.DONE_BY_HAND), lines={"retl_1": terms("20.00", 2)})
    assert decide(it, rules(), by_hand, NOW).rule == "foreign_refund"


def test_a_refund_paid_by_hand_is_not_taken_for_the_next_unit() -> None:
    it = process(line(quantity=2, total="20.00"), reviews=approved(units=2), refunds=[refund("10.00")])
    by_hand = record(intent(state=IntentState.DONE_BY_HAND), lines={"retl_1": terms("20.00", 2)})
    decision = decide(it, rules(), by_hand, NOW)
    assert isinstance(decision, Compensate)
    assert decision.refunds[0].items[0].units == (2,)


def test_unstated_waits_and_names_the_setting() -> None:
    decision = decide(process(reviews=approved()), rules(RefundsBy.UNSTATED), record(), NOW)
    assert isinstance(decision, Wait)
    assert decision.rule == "refunds_by_unstated"
    assert "REVER_REFUNDS_BY" in decision.why


def test_rever_has_until_the_deadline_to_pay() -> None:
    it = process(reviews=approved())
    decision = decide(it, rules(RefundsBy.REVER, rever_pays_within_hours=2), record(), NOW)
    assert isinstance(decision, Wait)
    assert decision.rule == "rever_pays"
    assert NOW < decision.until <= NOW + timedelta(hours=1)
    late = decide(it, rules(RefundsBy.REVER, rever_pays_within_hours=2), record(), NOW + timedelta(hours=1))
    assert isinstance(late, Hold)
    assert (late.rule, late.kind, late.amount) == ("not_paid_by_rever", HoldKind.NOT_PAID_BY_REVER, Decimal(10))


def test_the_deadline_runs_from_the_start_where_nothing_was_reviewed() -> None:
    it = process(line(reason="NOT_RECEIVED"))
    assert decide(it, rules(RefundsBy.REVER, rever_pays_within_hours=71), record(), NOW).rule == "not_paid_by_rever"
    assert decide(it, rules(RefundsBy.REVER, rever_pays_within_hours=73), record(), NOW).rule == "rever_pays"
    unknown = it.model_copy(update={"started_at": None})
    assert decide(unknown, rules(RefundsBy.REVER, rever_pays_within_hours=1), record(), NOW).rule == "rever_pays"


def test_a_part_paid_by_rever_is_waited_for_and_too_much_is_held() -> None:
    part = process(*TWO, reviews=BOTH, refunds=[refund("12.00")])
    assert decide(part, REVER, record(), NOW).rule == "rever_pays"
    assert decide(part, REVER, record(), NOW + timedelta(days=3)).rule == "not_paid_by_rever"
    more = process(*TWO, reviews=BOTH, refunds=[refund("12.01")])
    assert decide(more, REVER, record(), NOW).rule == "foreign_refund"


def test_at_revers_store_nothing_is_sent_even_when_costs_use_it_up() -> None:
    decision = decide(process(reviews=approved(), costs="10.00"), REVER, record(), NOW)
    assert isinstance(decision, Adopt)
    assert decision.refunds[0].amount == 0


def test_an_exchange_order_that_is_not_ours_is_held() -> None:
    lines = line(method=EXCHANGE, variant="v")
    for seen in (reviews(), approved()):
        held = decide(process(lines, reviews=seen, exchange=order("v")), rules(), record(), NOW)
        assert isinstance(held, Hold)
        assert held.rule == "foreign_exchange"
    by_hand = record(intent(IntentKind.EXCHANGE, IntentState.DONE_BY_HAND))
    assert decide(process(lines, reviews=approved(), exchange=order("v")), rules(), by_hand, NOW).rule == "all_settled"


def test_revers_own_exchange_is_the_outcome_of_its_units() -> None:
    lines = line(method=EXCHANGE, variant="v")
    assert decide(process(lines, reviews=approved()), REVER, record(), NOW).rule == "rever_pays"
    done = decide(process(lines, reviews=approved(), exchange=order("v")), REVER, record(), NOW)
    assert isinstance(done, Nothing)
    assert done.final
    other = decide(process(lines, reviews=approved(), exchange=order("w")), REVER, record(), NOW)
    assert other.rule == "foreign_exchange"


def test_rever_that_pays_by_itself_is_looked_at_when_its_time_is_over() -> None:
    hours = timedelta(hours=REVER.policy.rever_pays_within_hours)
    it = process(reviews=reviews("retl_1", "APPROVED", at=NOW - hours + timedelta(minutes=1)))
    decision = decide(it, REVER, record(), NOW)
    assert isinstance(decision, Wait)
    assert (decision.rule, decision.until) == ("rever_pays", NOW + timedelta(minutes=1))


@pytest.mark.parametrize(("timing", "since"), [("ON_ITEM_SENT", "updated_at"), ("ON_START", "started_at")])
def test_without_reviews_rever_pays_from_when_the_goods_were_sent_or_from_the_start(timing: str, since: str) -> None:
    hours = timedelta(hours=REVER.policy.rever_pays_within_hours)
    times: dict[str, Any] = {"updated_at": NOW - hours * 2, "started_at": NOW - hours * 2} | {
        since: NOW - hours + timedelta(minutes=1)
    }
    it = process(**times)
    decision = decide(it, rules(RefundsBy.REVER, timing=timing), record(), NOW)
    assert isinstance(decision, Wait)
    assert decision.until == NOW + timedelta(minutes=1)


def test_less_than_one_is_a_part_of_what_rever_pays() -> None:
    it = process(reviews=approved(), refunds=[refund("0.50")])
    assert decide(it, REVER, record(), NOW).rule == decide(
        process(reviews=approved(), refunds=[refund("5.00")]), REVER, record(), NOW
    ).rule  # fmt: skip


def test_an_exchange_order_that_names_no_variant_may_be_what_the_shopper_chose() -> None:
    def rule(ordered: str) -> str:
        it = process(line(method=EXCHANGE, variant="v"), reviews=approved(), exchange=order(ordered))
        return decide(it, REVER, record(), NOW).rule

    assert "foreign_exchange" not in {rule(""), rule("v")}
    assert rule("w") == "foreign_exchange"


CANCELLED_OUT = [refund("24.00"), refund("-24.00")]


def test_refunds_of_others_that_cancel_out_are_others_all_the_same() -> None:
    due = process(line(total="24.00"), reviews=approved(), refunds=CANCELLED_OUT)
    held = decide(due, rules(), record(), NOW)
    assert isinstance(held, Hold)
    assert (held.rule, held.amount, held.refunds) == ("foreign_refund", Decimal("24.00"), {"EUR": Decimal("48.00")})
    assert "taken back again" in held.why


@pytest.mark.parametrize("refunds", [CANCELLED_OUT, [refund("48.00"), refund("-24.00")], [refund("-24.00")]])
@pytest.mark.parametrize("refunds_by", [RefundsBy.US, RefundsBy.REVER])
def test_what_was_taken_back_is_never_adopted_or_expected(refunds_by: RefundsBy, refunds: list[Refund]) -> None:
    due = process(line(total="24.00"), reviews=approved(), refunds=refunds)
    assert decide(due, rules(refunds_by), record(), NOW).rule == "foreign_refund"


def test_across_methods_and_currencies_movements_are_counted_too() -> None:
    moved = [refund("24.00"), refund("-24.00", BANK), refund("5.00", currency="SEK"), refund("-5.00", currency="SEK")]
    held = decide(process(line(total="24.00"), reviews=approved(), refunds=moved), rules(), record(), NOW)
    assert isinstance(held, Hold)
    assert held.refunds == {"EUR": Decimal("48.00"), "SEK": Decimal("10.00")}


def test_movements_that_a_person_saw_are_not_asked_about_again_and_further_ones_are() -> None:
    seen = (Waiver(REFUNDS_SEEN, Decimal("48.00"), "EUR"), Waiver("foreign_refund", Decimal("24.00"), "EUR"))
    due = process(line(total="24.00"), reviews=approved(), refunds=CANCELLED_OUT)
    assert isinstance(decide(due, rules(), record(waivers=seen), NOW), Compensate)
    further = process(line(total="24.00"), reviews=approved(), refunds=[*CANCELLED_OUT, refund("1"), refund("-1")])
    assert decide(further, rules(), record(waivers=seen), NOW).rule == "foreign_refund"


def test_a_settled_return_with_movements_nobody_saw_is_not_at_its_end() -> None:
    ended = process(status="CANCELED", refunds=CANCELLED_OUT)
    nothing = decide(ended, rules(), record(), NOW)
    assert isinstance(nothing, Nothing)
    assert not nothing.final
    assert "taken back again" in differs(ended, record())


def test_a_hold_tells_what_a_person_who_lets_it_pass_pays_and_orders() -> None:
    """Not what is named as being at stake: that can be the goods alone."""
    mixed = process(
        line(), line("b", method=EXCHANGE, variant="v2"), reviews=[*approved(), *approved("b")], exchange=order("v9")
    )  # fmt: skip
    held = decide(mixed, rules(), record(), NOW)
    assert isinstance(held, Hold)
    assert (held.rule, held.amount, held.pays, held.goods) == (
        "foreign_exchange", Decimal("10.00"), Decimal("10.00"), Decimal("10.00"),
    )  # fmt: skip
    by_rever = decide(mixed, rules(RefundsBy.REVER), record(), NOW)
    assert isinstance(by_rever, Hold)
    assert (by_rever.pays, by_rever.goods) == (Decimal(0), None)


def test_a_review_of_days_to_come_makes_nobody_wait_for_them() -> None:
    """A date years ahead cannot tell of the past: REVER's deadline runs from what can."""
    ahead = process(reviews=reviews("retl_1", "APPROVED", at=NOW + timedelta(days=900)))
    within = rules(RefundsBy.REVER, rever_pays_within_hours=71)
    assert decide(ahead, within, record(), NOW).rule == "not_paid_by_rever"
    soon = process(reviews=reviews("retl_1", "APPROVED", at=NOW + timedelta(hours=23)))
    assert decide(soon, within, record(), NOW).rule == "rever_pays"
