"""REVER's refunds beside the ledger's, where both have several."""

from decimal import Decimal

from tasks.policy.comparison import compare, received
from tasks.policy.record import Intent, IntentState
from tests.tasks.policy.factories import GIFT, ORIGINAL, intent, process, record, refund


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
