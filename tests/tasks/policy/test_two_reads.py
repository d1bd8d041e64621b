"""What two reads of one run must have in common, and what may be news."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rever_api.models import Product, ReturnProcess
from tasks.policy.decision import Hold
from tasks.policy.record import HoldKind
from tasks.policy.two_reads import differences, reads_differ
from tests.tasks.policy.factories import ORIGINAL, approved, line, order, process, refund, reviews


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
