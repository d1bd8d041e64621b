"""What is paid, on its way, back again, or not made here: sums to the cent, and no refund ever due a second time."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rever_api.models import Refund
from tasks.policy.case import Case
from tasks.policy.comparison import compare, differs
from tasks.policy.decide import decide
from tasks.policy.decision import Adopt, Compensate, Hold, Nothing, Wait
from tasks.policy.kinds import EXCHANGE as SWAP_KIND
from tasks.policy.kinds import REFUND
from tasks.policy.kinds.kind import Held, NotYet, Seen
from tasks.policy.record import (
    CAME_BACK,
    REFUNDS_SEEN,
    STILL_ON_ITS_WAY,
    HoldKind,
    Intent,
    IntentKind,
    IntentState,
    PaidSeen,
    Record,
    Waiver,
)
from tasks.policy.rules import at_rever
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

WEEK = timedelta(days=7)
EUR = (ORIGINAL, "EUR")
SENT = intent(amount="24.00", sent_at=NOW - timedelta(hours=2))
KNOWN = record(SENT, lines={"retl_1": terms("24.00")}, costs=Decimal(0))
ACCEPTED = replace(SENT, paid_seen=PaidSeen(Decimal(0), Decimal(0), NOW - timedelta(hours=2)))
"""A refund of which REVER's answer said that nothing was paid yet."""
PAID = replace(SENT, paid_seen=PaidSeen(Decimal(24), Decimal(24), NOW - timedelta(hours=1), dated=True))


def known(made: Intent, *waivers: Waiver) -> Record:
    return replace(KNOWN, intents=(made,), waivers=waivers)


def shown(*refunds: Refund, status: str = "RUNNING"):  # type: ignore[no-untyped-def]
    return process(line(total="24.00"), reviews=approved(), refunds=refunds, status=status)


def unpaid(amount: str = "24.00", missing: str = "24.00") -> Refund:
    return refund(amount, missing=missing).model_copy(update={"refunded_at": None})


@pytest.mark.parametrize("status", ["RUNNING", "COMPLETED", "CANCELED", "FAILED"])
def test_what_is_on_its_way_is_waited_for_then_held_whatever_the_status(status: str) -> None:
    it = shown(unpaid(missing="10.00"), status=status)
    waits = decide(it, rules(), KNOWN, NOW)
    assert isinstance(waits, Wait)
    assert (waits.rule, waits.reopens) == ("on_its_way", True)
    assert "REVER has paid 14.00 EUR; 10.00 EUR is on its way" in waits.why
    assert waits.why.endswith("it is waited for until 2026-03-28 10:00 UTC")
    there = decide(it, replace(rules(), zone=ZoneInfo("Europe/Madrid")), KNOWN, NOW)
    assert there.why.endswith("it is waited for until 2026-03-28 11:00 CET")
    assert NOW < waits.until <= NOW + rules().look_again
    held = decide(it, rules(), KNOWN, NOW + WEEK)
    assert isinstance(held, Hold)
    assert (held.rule, held.amount, held.items) == (STILL_ON_ITS_WAY, Decimal(10), ())


def test_what_a_clock_ahead_has_sent_or_let_wait_is_late_now() -> None:
    ahead = NOW + timedelta(days=400)
    it = shown(unpaid())
    held = decide(it, rules(), known(replace(ACCEPTED, sent_at=ahead)), NOW)
    assert (held.rule, type(held)) == (STILL_ON_ITS_WAY, Hold)
    waiver = Waiver(STILL_ON_ITS_WAY, Decimal(24), "EUR", answer="look_again", at=NOW)
    assert decide(it, rules(), known(ACCEPTED, waiver), NOW + timedelta(days=6)).rule == "on_its_way"
    assert decide(it, rules(), known(ACCEPTED, replace(waiver, at=ahead)), NOW + WEEK).rule == STILL_ON_ITS_WAY


def test_what_is_paid_in_full_ends_the_return() -> None:
    for it in (refund("24.00"), refund("24.00", missing="0"), refund("24.00", missing="0.00")):
        assert decide(shown(it), rules(), KNOWN, NOW) == replace(
            decide(shown(it), rules(), known(PAID), NOW), why=decide(shown(it), rules(), KNOWN, NOW).why
        )
        last = decide(shown(it), rules(), KNOWN, NOW)
        assert isinstance(last, Nothing)
        assert last.final


def test_a_refund_of_which_nothing_is_said_is_not_paid() -> None:
    silent = refund("24.00").model_copy(update={"refunded_at": None})
    assert decide(shown(silent), rules(), KNOWN, NOW).rule == "on_its_way"


def test_money_on_its_way_does_not_keep_other_units_from_being_paid() -> None:
    it = process(
        line(total="24.00"), line("b", total="5.00"), reviews=[*approved(), *approved("b")], refunds=[unpaid()]
    )
    decision = decide(it, rules(), KNOWN, NOW)
    assert isinstance(decision, Compensate)
    assert [due.amount for due in decision.refunds] == [Decimal("5.00")]


@pytest.mark.parametrize(
    "now",
    [
        [],
        [unpaid()],
        [unpaid(missing="0.01")],
        [refund("24.00").model_copy(update={"refunded_at": None})],
        [refund("24.00", missing="0").model_copy(update={"refunded_at": None})],
        [refund("14.00")],
        [unpaid("14.00", "0.00"), unpaid("10.00", "10.00")],
    ],
)
def test_what_was_paid_and_no_longer_is_is_held_after_an_older_view_is_ruled_out(now: list[Refund]) -> None:
    for status in ("RUNNING", "COMPLETED"):
        it = shown(*now, status=status)
        held = decide(it, rules(), known(PAID), NOW)
        assert isinstance(held, Hold)
        assert held.rule in {CAME_BACK, "rever_shows_less"}
        young = replace(PAID, sent_at=NOW, paid_seen=PaidSeen(Decimal(24), Decimal(24), NOW, dated=True))
        assert decide(it, rules(), known(young), NOW).rule == "stale_view"


def test_what_a_person_let_come_back_is_waited_for_and_more_of_it_is_asked_about() -> None:
    seen = Waiver(CAME_BACK, Decimal(10), "EUR", answer="retry", at=NOW)
    assert decide(shown(unpaid(missing="10.00")), rules(), known(PAID, seen), NOW).rule == "on_its_way"
    assert decide(shown(unpaid(missing="11.00")), rules(), known(PAID, seen), NOW).rule == CAME_BACK
    late = decide(shown(unpaid(missing="10.00")), rules(), known(PAID, seen), NOW + WEEK)
    assert late.rule == STILL_ON_ITS_WAY
    taken = decide(shown(unpaid(missing="10.00")), rules(), known(PAID, replace(seen, answer="drop")), NOW + 9 * WEEK)
    assert isinstance(taken, Nothing)
    assert taken.final


@pytest.mark.parametrize("missing", ["-0.01", "24.01", "0.001"])
def test_an_impossible_missing_amount_is_held(missing: str) -> None:
    decision = decide(shown(refund("24.00", missing=missing)), rules(), KNOWN, NOW)
    assert (decision.rule, isinstance(decision, Hold)) == ("contradictory", True)


cents = st.integers(1, 99_999).map(lambda cents: Decimal(cents) / 100)


@given(st.lists(cents, min_size=1, max_size=5), st.data())
def test_the_legs_of_a_refund_are_that_refund_to_the_cent(amounts: list[Decimal], data: st.DataObject) -> None:
    total = sum(amounts, Decimal(0))
    missing = [data.draw(st.integers(0, int(it * 100)).map(lambda cents: Decimal(cents) / 100)) for it in amounts]
    legs = [refund(str(it), missing=str(rest)) for it, rest in zip(amounts, missing, strict=True)]
    found = compare(process(refunds=legs), record(intent(amount=str(total))))
    assert (found.missing, found.foreign, found.others) == ({}, {}, {})
    (standing,) = found.standings
    assert (standing.amount, standing.open, standing.paid) == (total, sum(missing), total - sum(missing))


@given(st.lists(cents, min_size=1, max_size=4), st.lists(cents, max_size=4))
def test_what_is_shown_is_ours_missing_or_foreign_and_nothing_is_counted_twice(
    ours: list[Decimal], others: list[Decimal]
) -> None:
    """Whatever is matched with whatever: REVER's sum is ours less what is missing, and what is foreign."""
    made = record(*(intent(amount=str(it), line_id=f"l{number}") for number, it in enumerate(ours)))
    found = compare(process(refunds=[refund(str(it)) for it in others]), made)
    rest = sum(found.others.values(), Decimal(0))
    covered = sum((it.amount for it in found.standings), Decimal(0))
    assert covered + rest == sum(others, Decimal(0))
    assert covered + found.missing.get(EUR, Decimal(0)) == sum(ours, Decimal(0))


def test_a_leg_that_appears_later_is_waited_for_and_nothing_else_is_paid_meanwhile() -> None:
    it = process(
        line(total="24.00"), line("b", total="14.00"), reviews=[*approved(), *approved("b")], refunds=[refund("14.00")]
    )
    waits = decide(it, rules(), known(ACCEPTED), NOW)
    assert isinstance(waits, Wait)
    assert waits.rule == "on_its_way"
    assert decide(it, rules(), known(ACCEPTED), NOW + WEEK).rule == STILL_ON_ITS_WAY
    assert decide(it, rules(), known(replace(ACCEPTED, sent_at=NOW)), NOW).rule == "stale_view"


def test_refunds_that_only_seem_to_be_legs_keep_anything_from_being_paid_while_a_view_may_be_old() -> None:
    """Somebody else paid 14.00 and 10.00 while ours is not shown yet: it must not be taken for ours and paid again."""
    it = process(
        line(total="24.00"),
        line("b", total="24.00"),
        reviews=[*approved(), *approved("b")],
        refunds=[refund("14.00"), refund("10.00")],
    )
    young = replace(SENT, sent_at=NOW)
    assert decide(it, rules(), known(young), NOW).rule == "stale_view"


UNKNOWN = intent(state=IntentState.UNKNOWN, amount="24.00", sent_at=NOW)
SETTLE_AT = NOW + timedelta(minutes=15)


def settled(before: list[Refund], after: list[Refund], **knew: object):  # type: ignore[no-untyped-def]
    seen = REFUND.snapshot(UNKNOWN, None, process(refunds=before)) | knew
    return REFUND.judge(UNKNOWN, seen, process(refunds=after), now=NOW, settle_at=SETTLE_AT)


@pytest.mark.parametrize(
    ("before", "after", "knew", "verdict"),
    [
        ([], ["14.00", "10.00"], {}, Seen),
        (["3.00"], ["3.00", "14.00", "10.00"], {}, Seen),
        (["10.00"], ["14.00", "10.00"], {}, Held),
        ([], ["14.00"], {}, Held),
        ([], ["14.00", "10.00", "1.00"], {}, Held),
        ([], ["24.00", "14.00", "10.00"], {}, Held),
        (["3.00"], ["14.00", "10.00"], {}, Held),
        ([], ["14.00", "10.00"], {"ledger_paid": "24.00", "ledger_knew": 1}, NotYet),
        (["24.00"], ["24.00", "14.00", "10.00"], {"ledger_paid": "24.00", "ledger_knew": 1}, Seen),
    ],
)
def test_legs_settle_an_unknown_refund_only_where_they_can_be_nothing_else(
    before: list[str], after: list[str], knew: dict[str, object], verdict: type
) -> None:
    assert isinstance(settled([refund(it) for it in before], [refund(it) for it in after], **knew), verdict)


def test_an_unknown_refund_that_is_shown_is_done_and_says_what_is_paid_of_it() -> None:
    found = settled([], [unpaid(missing="20.00")])
    assert isinstance(found, Seen)
    assert found.paid is not None
    assert (found.paid.paid, found.paid.dated) == (Decimal("4.00"), False)
    assert isinstance(settled([], [refund("24.00", missing="30.00")]), Held)
    assert isinstance(settled([], [refund("24.00", missing="4.00"), refund("24.00", GIFT)]), Held)


def test_what_rever_owes_itself_is_adopted_and_then_waited_for() -> None:
    first = decide(shown(unpaid()), rules(RefundsBy.REVER), record(), NOW)
    assert isinstance(first, Adopt)
    assert decide(shown(unpaid()), rules(), record(), NOW).rule == "foreign_refund"
    adopted = known(replace(SENT, adopted=True))
    assert decide(shown(unpaid()), rules(RefundsBy.REVER), adopted, NOW).rule == "on_its_way"


def test_what_is_remembered_rises_with_what_is_paid_and_does_not_fall_for_an_older_view() -> None:
    case = Case(shown(unpaid(missing="10.00")), rules(), KNOWN, NOW)
    (seen,) = at_rever.news(case).values()
    assert seen == PaidSeen(Decimal("14.00"), Decimal("14.00"), NOW)
    young = replace(SENT, paid_seen=PaidSeen(Decimal(24), Decimal(24), NOW))
    assert at_rever.news(Case(shown(unpaid()), rules(), known(young), NOW)) == {}
    (fallen,) = at_rever.news(Case(shown(unpaid()), rules(), known(PAID), NOW)).values()
    assert (fallen.paid, fallen.most) == (Decimal(0), Decimal(24))


SWAP = line(method=EXCHANGE, variant="v", quantity=2, total="24.00")


def test_an_exchange_filled_in_part_is_waited_for_then_held_and_not_ordered_again() -> None:
    made = intent(IntentKind.EXCHANGE, units=(1, 2))
    it = process(SWAP, reviews=approved(units=2), exchange=order("v"))
    waits = decide(it, rules(), record(made, lines={"retl_1": terms("24.00", 2)}), NOW)
    assert (waits.rule, isinstance(waits, Wait)) == ("on_its_way", True)
    assert "1 unit still to be ordered" in waits.why
    held = decide(it, rules(), record(made, lines={"retl_1": terms("24.00", 2)}), NOW + WEEK)
    assert (held.rule, isinstance(held, Hold)) == (STILL_ON_ITS_WAY, True)
    full = process(SWAP, reviews=approved(units=2), exchange=order("v", "v"))
    assert isinstance(decide(full, rules(), record(made, lines={"retl_1": terms("24.00", 2)}), NOW), Nothing)


def test_an_exchange_filled_in_part_by_rever_itself_is_waited_for() -> None:
    it = process(SWAP, reviews=approved(units=2), exchange=order("v"))
    assert decide(it, rules(RefundsBy.REVER), record(), NOW).rule == "on_its_way"
    assert decide(it, rules(RefundsBy.REVER), record(), NOW + WEEK).rule == STILL_ON_ITS_WAY


def test_an_unknown_exchange_that_is_filled_in_part_is_done() -> None:
    two = process(line(method=EXCHANGE, variant="v"), line("b", method=EXCHANGE, variant="w"))
    sent = intent(IntentKind.EXCHANGE, IntentState.UNKNOWN, sent_at=NOW)
    before = {"exchange_order": False, "variants": ["v", "w"]}
    for ordered, verdict in ((("v",), Seen), (("v", "w"), Seen), (("x",), Held), (("v", "x"), Held)):
        it = two.model_copy(update={"compensation": process(exchange=order(*ordered)).compensation})
        both = replace(sent, items=(*sent.items, replace(sent.items[0], line_id="b")))
        assert isinstance(SWAP_KIND.judge(both, before, it, now=NOW, settle_at=SETTLE_AT), verdict), ordered


def test_a_refund_whose_only_sign_of_payment_lies_ahead_is_not_paid() -> None:
    """REVER cannot have paid the day after tomorrow: the money is on its way, and never sent again."""
    for ahead, rule in ((timedelta(hours=23), "completed"), (timedelta(days=2), at_rever.ON_ITS_WAY)):
        told = refund("24.00").model_copy(update={"refunded_at": NOW + ahead})
        decision = decide(shown(told, status="COMPLETED"), rules(), KNOWN, NOW)
        assert decision.rule == rule, decision
        assert not isinstance(decision, Compensate)


def test_the_patience_for_goods_does_not_run_from_a_start_that_lies_ahead() -> None:
    """An exchange that REVER fills in part waits for so many days from now, not from a start in ten years."""
    rever_pays = rules(refunds_by=RefundsBy.REVER)
    reviewed = [it.model_copy(update={"review_date": None}) for it in approved(units=2)]
    told = process(SWAP, reviews=reviewed, exchange=order("v"), started_at=NOW + timedelta(days=3_650))
    undated = told.model_copy(update={"started_at": None})
    assert decide(told, rever_pays, record(), NOW) == decide(undated, rever_pays, record(), NOW)
    assert decide(undated, rever_pays, record(), NOW).rule == at_rever.ON_ITS_WAY


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
