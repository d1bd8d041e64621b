"""REVER's refunds beside the ledger's, where both have several; and two reads of a return beside each other."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rever_api.models import Product, ReturnProcess
from tasks.policy.comparison import compare, differences, reads_differ, received
from tasks.policy.decision import Hold
from tasks.policy.record import HoldKind, Intent, IntentState
from tests.tasks.policy.factories import GIFT, ORIGINAL, approved, intent, line, order, process, record, refund, reviews


def by_hand(line_id: str = "retl_1", method: str = ORIGINAL) -> Intent:
    """Nine euros that a person paid."""
    return intent(state=IntentState.DONE_BY_HAND, line_id=line_id, amount="9.00", method=method)


def test_what_a_person_paid_is_taken_for_the_refund_of_its_own_method() -> None:
    it = process(refunds=[refund("9.00", GIFT), refund("9.00")])
    found = compare(it, record(by_hand()))
    assert found.foreign == {(GIFT, "EUR"): Decimal("9.00")}
    found = compare(it, record(by_hand(method=GIFT)))
    assert found.foreign == {(ORIGINAL, "EUR"): Decimal("9.00")}


def test_two_that_a_person_paid_by_one_method_are_two_refunds() -> None:
    it = process(refunds=[refund("9.00"), refund("9.00", GIFT)])
    found = compare(it, record(by_hand(), by_hand("other")))
    assert found.foreign == {}


def test_an_adopted_sum_that_is_shown_in_part_is_missing_by_the_rest() -> None:
    adopted = intent(amount="12.00", adopted=True)
    found = compare(process(refunds=[refund("5.00")]), record(adopted))
    assert (found.missing, found.foreign) == ({(ORIGINAL, "EUR"): Decimal("7.00")}, {})
    found = compare(process(), record(adopted))
    assert (found.missing, found.foreign) == ({(ORIGINAL, "EUR"): Decimal("12.00")}, {})


def test_what_is_missing_of_ours_and_of_what_was_adopted_adds_up() -> None:
    known = record(intent(amount="12.00", adopted=True), intent(line_id="other", amount="10.00"))
    found = compare(process(refunds=[refund("5.00")]), known)
    assert found.missing == {(ORIGINAL, "EUR"): Decimal("17.00")}


def test_others_are_all_refunds_that_this_desk_did_not_send() -> None:
    known = record(intent(), intent(line_id="a", amount="5.00", adopted=True), by_hand("b"))
    it = process(
        refunds=[refund(), refund("5.00"), refund("9.00"), refund("1.00", GIFT), refund("2.00", currency="SEK")]
    )
    assert compare(it, known).others == {"EUR": Decimal("15.00"), "SEK": Decimal("2.00")}


def test_what_the_shopper_has_in_all_is_what_rever_shows_and_what_it_does_not_show_yet() -> None:
    shown = process(refunds=[refund("9.00"), refund("5.00", currency="SEK")])
    assert received(shown, record()) == {"EUR": Decimal("9.00"), "SEK": Decimal("5.00")}
    assert received(shown, record(intent(amount="9.00"))) == received(shown, record())
    assert received(shown, record(intent(amount="7.00")))["EUR"] == Decimal("16.00")


def test_what_was_paid_by_hand_counts_once_whether_rever_shows_it_or_not() -> None:
    by_hand = intent(state=IntentState.DONE_BY_HAND, amount="9.00")
    assert received(process(), record(by_hand)) == {"EUR": Decimal("9.00")}
    assert received(process(refunds=[refund("9.00")]), record(by_hand)) == {"EUR": Decimal("9.00")}
    both = record(by_hand, intent(amount="9.00"))
    assert received(process(refunds=[refund("9.00")]), both) == {"EUR": Decimal("18.00")}


def test_what_rever_paid_in_parts_and_was_adopted_counts_once() -> None:
    parts = process(refunds=[refund("4.00"), refund("6.00")])
    assert received(parts, record(intent(amount="10.00", adopted=True))) == {"EUR": Decimal("10.00")}


def changed(**of_line: Any) -> ReturnProcess:
    return process(line().model_copy(update=of_line))


@pytest.mark.parametrize(
    ("one", "other", "what"),
    [
        ({"total_price": Decimal("20.00")}, {"total_price": Decimal("40.00")}, "total 20.00 and 40.00"),
        ({"quantity": 1}, {"quantity": 2}, "quantity 1 and 2"),
        ({"currency": "EUR"}, {"currency": "USD"}, "currency 'EUR' and 'USD'"),
        (
            {"compensation_method": "GIFT_CARD"},
            {"compensation_method": "BANK_TRANSFER"},
            "compensation method 'GIFT_CARD' and 'BANK_TRANSFER'",
        ),
        (
            {"exchange_for": Product(variant_id="blue")},
            {"exchange_for": Product(variant_id="red")},
            "variant to exchange for 'blue' and 'red'",
        ),
    ],
)
def test_what_money_hangs_on_must_be_the_same(one: dict[str, Any], other: dict[str, Any], what: str) -> None:
    (found,) = differences(changed(**one), changed(**other))
    assert found == f"line 'retl_1' has the {what}"
    why = f"two reads of this return in one run differ: {found}; nothing is sent on either"
    assert reads_differ((found,)) == Hold("reads_differ", why, HoldKind.CONTRADICTION, {"1": found})


def test_the_hold_tells_the_first_three_differences_and_keeps_twenty() -> None:
    found = tuple(f"difference {number}" for number in range(1, 23))
    hold = reads_differ(found)
    assert "differ: difference 1; difference 2; difference 3; nothing" in hold.why
    assert hold.evidence == {str(number): f"difference {number}" for number in range(1, 21)}


def test_costs_and_lines_must_be_the_same() -> None:
    plain = changed()
    costly, costlier = (plain.model_copy(update={"return_costs": Decimal(costs)}) for costs in (3, 4))
    assert differences(costly, costlier) == ("the return costs are 3 and 4",)
    assert not differences(plain.model_copy(update={"return_costs": None}), plain)
    more = plain.model_copy(update={"return_line_items": (*plain.return_line_items, line("another"))})
    assert differences(plain, more) == differences(more, plain) == ("line 'another' is in only one of them",)


def test_further_approvals_and_refunds_are_news_and_no_difference() -> None:
    before = process(line(quantity=2), reviews=())
    after = process(line(quantity=2), reviews=approved(before.return_line_items[0].id, 2), refunds=(refund("20.00"),))
    assert differences(before, after) == ()


def test_what_was_done_does_not_go_away_between_two_reads() -> None:
    """A read that shows less is older or wrong: paid by it, a refund of others would be paid a second time."""
    bare = process(line(quantity=2), reviews=approved(units=1))
    paid = process(line(quantity=2), reviews=approved(units=1), refunds=(refund("20.00"),))
    assert "a refund of 20.00 EUR" in differences(paid, bare)[0]
    assert differences(bare, paid) == ()
    by_card = process(line(quantity=2), reviews=approved(units=1), refunds=(refund("20.00", "GIFT_CARD"),))
    assert differences(by_card, paid) == ("a refund of 20.00 EUR by 'GIFT_CARD' in the first alone",)
    twice = process(line(quantity=2), reviews=approved(units=1), refunds=[refund("20.00")] * 3)
    assert differences(twice, paid) == (f"2 refunds of 20.00 EUR by '{ORIGINAL}' in the first alone",)
    swapped = process(line(quantity=2), reviews=approved(units=1), exchange=order("blue"))
    assert differences(swapped, bare) == ("the exchange order in the first alone",)
    assert differences(swapped, swapped) == differences(bare, swapped) == ()
    undone = bare.model_copy(update={"reviews": ()})
    assert differences(bare, undone) == ("1 review in the first alone",)
    changed_mind = bare.model_copy(update={"reviews": reviews("retl_1", "DECLINED")})
    assert differences(changed_mind, bare) != () != differences(bare, changed_mind)
    untold = paid.model_copy(update={"compensation": None, "reviews": None})
    assert len(differences(paid, untold)) == 2
    assert differences(untold, paid) == ()


def test_a_store_and_costs_do_not_change_between_two_reads() -> None:
    ours, theirs = (changed().model_copy(update={"ecommerce_id": name}) for name in ("acme", "nordic"))
    assert differences(ours, theirs) == ("the store is 'acme' and 'nordic'",)
    assert differences(ours, changed().model_copy(update={"ecommerce_id": ""})) == ()
    costly, silent = (changed().model_copy(update={"return_costs": costs}) for costs in (Decimal(3), None))
    assert differences(costly, silent) == ("the return costs are 3 and not given",)
    assert differences(silent, costly) == ()


def test_what_a_read_leaves_out_is_no_difference() -> None:
    lean = changed(total_price=None, currency="", compensation_method="")
    assert differences(lean, changed()) == differences(changed(), lean) == ()
    assert differences(changed().model_copy(update={"return_line_items": ()}), changed()) == ()


@given(st.decimals(0, 1000, places=2), st.decimals(0, 1000, places=2), st.integers(1, 5), st.integers(1, 5))
def test_it_is_silent_on_the_same_and_the_same_both_ways(one: Decimal, other: Decimal, few: int, many: int) -> None:
    first, second = changed(total_price=one, quantity=few), changed(total_price=other, quantity=many)
    assert bool(differences(first, second)) == bool(differences(second, first)) == ((one, few) != (other, many))
