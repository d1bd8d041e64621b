"""A decision taken again covers an intent only where nothing about it has changed."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rever_api.models import ReturnProcess
from tasks.policy.decision import (
    Adopt,
    Compensate,
    Decision,
    ExchangeDue,
    ExchangeDueItem,
    MakeLabel,
    Nothing,
    RefundDue,
)
from tasks.policy.kinds import KINDS
from tasks.policy.record import Intent, IntentKind, IntentState, LineUnits
from tasks.policy.still_due import differences, reads_differ
from tests.tasks.policy.factories import BANK, GIFT, ORIGINAL, approved, intent, line, process, refund, reviews

REFUND = intent(state=IntentState.INTENDED, units=(1, 2), amount="6.67")
DUE = RefundDue(ORIGINAL, Decimal("6.670"), Decimal("6.67"), "EUR", (LineUnits("retl_1", (2, 1)),))
OTHER = RefundDue(GIFT, Decimal(5), Decimal(5), "EUR", (LineUnits("retl_2", (1,)),))
PAY = Compensate("r", "w", Decimal(0), (OTHER, DUE))


def covers(decision: Decision, meant: Intent, content: object = None) -> bool:
    return KINDS[meant.kind].covers(decision, meant, content)


def test_a_refund_is_covered_wherever_it_stands() -> None:
    assert covers(PAY, REFUND)


@pytest.mark.parametrize(
    "changed",
    [
        {"amount": Decimal("6.66")},
        {"method": BANK},
        {"currency": "SEK"},
        {"items": (LineUnits("retl_1", (1, 2, 3)),)},
        {"items": (LineUnits("retl_1", (1,)),)},
        {"items": (LineUnits("retl_9", (1, 2)),)},
    ],
)
def test_any_change_of_a_refund_uncovers_it(changed: dict[str, Any]) -> None:
    assert not covers(replace(PAY, refunds=(OTHER, replace(DUE, **changed))), REFUND)


@pytest.mark.parametrize("decision", [Nothing("r", "w"), Adopt("r", "w", Decimal(0), (DUE,))])
def test_only_a_payment_covers_a_payment(decision: Decision) -> None:
    assert covers(decision, REFUND) is False


ITEM = ExchangeDueItem("retl_1", "v", "p", (1, 2))
SWAP = intent(IntentKind.EXCHANGE, IntentState.INTENDED, units=(1, 2))


@pytest.mark.parametrize(
    ("due", "covered"),
    [
        (ITEM, True),
        (replace(ITEM, variant_id="w"), False),
        (replace(ITEM, units=(1,)), False),
        (replace(ITEM, line_id="retl_2"), False),
    ],
)
def test_an_exchange_is_covered_variant_by_variant(due: ExchangeDueItem, covered: bool) -> None:
    decision = Compensate("r", "w", Decimal(0), exchange=ExchangeDue((due,), Decimal(20), "EUR"))
    assert covers(decision, SWAP, (ITEM,)) is covered
    assert not covers(replace(decision, exchange=None, refunds=(DUE,)), SWAP, (ITEM,))


LABEL = MakeLabel("r", "w", 1, "SENDCLOUD", "DHL", "HOME_PICK_UP")


@pytest.mark.parametrize(
    "changed", [{"generation": 2}, {"provider": "OPS"}, {"carrier": "UPS"}, {"return_method": "DROP_OFF_POINT"}]
)
def test_a_label_is_covered_by_the_same_label(changed: dict[str, Any]) -> None:
    mine = intent(IntentKind.LABEL, IntentState.INTENDED, generation=1)
    assert covers(replace(LABEL, why="other words"), mine, LABEL)
    assert not covers(replace(LABEL, **changed), mine, LABEL)
    assert not covers(LABEL, mine)


# What two reads of one run must have in common, and what may be news.


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
    ],
)
def test_what_money_hangs_on_must_be_the_same(one: dict[str, Any], other: dict[str, Any], what: str) -> None:
    (found,) = differences(changed(**one), changed(**other))
    assert what in found
    assert what in reads_differ((found,)).why


def test_costs_and_lines_must_be_the_same() -> None:
    plain = changed()
    assert differences(plain.model_copy(update={"return_costs": Decimal(3)}), plain)
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
    assert differences(costly, silent) == ("the return costs are 3 and not told",)
    assert differences(silent, costly) == ()


def test_what_a_read_leaves_out_is_no_difference() -> None:
    lean = changed(total_price=None, currency="", compensation_method="")
    assert differences(lean, changed()) == differences(changed(), lean) == ()
    assert differences(changed().model_copy(update={"return_line_items": ()}), changed()) == ()


@given(st.decimals(0, 1000, places=2), st.decimals(0, 1000, places=2), st.integers(1, 5), st.integers(1, 5))
def test_it_is_silent_on_the_same_and_the_same_both_ways(one: Decimal, other: Decimal, few: int, many: int) -> None:
    first, second = changed(total_price=one, quantity=few), changed(total_price=other, quantity=many)
    assert bool(differences(first, second)) == bool(differences(second, first)) == ((one, few) != (other, many))
