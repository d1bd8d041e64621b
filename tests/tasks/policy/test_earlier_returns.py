"""What a shopper's other returns say, and what they leave open."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rever_api.models import Shopper
from tasks.policy.condition_fields import FIELDS
from tasks.policy.earlier_returns import earlier_of
from tasks.policy.record import Intent, IntentState, OrderShipping, PaidSeen
from tasks.policy.return_facts import EarlierReturn, Money, Unknown, facts_of
from tests.tasks.policy.factories import (
    BANK,
    GIFT,
    NOW,
    approved,
    intent,
    line,
    process,
    record,
    refund,
    reviews,
    rules,
)

ANN = "ann@example.com"


def one(*lines: Any, **fields: Any) -> EarlierReturn:
    """The one earlier return that REVER's answer makes."""
    found = earlier_of([process(*lines, shopper=Shopper(email=ANN), **fields)], ANN, UTC)
    assert isinstance(found, tuple)
    return found[0]


def test_returns_of_the_mailbox_count_once_and_those_of_others_do_not() -> None:
    late = datetime(2026, 3, 20, 23, 30, tzinfo=UTC)
    mine = process(shopper=Shopper(email="Ann+shop@Example.com"), order_id="o-1", started_at=late)
    others = [process(shopper=Shopper(email=email)) for email in ("anna@example.com", "")]
    found = earlier_of([mine, mine, *others, process(shopper=None)], ANN, ZoneInfo("Europe/Madrid"))
    expected = EarlierReturn("retp_1", "o-1", date(2026, 3, 21), value=Money(Decimal("10.00"), "EUR"), began=late)
    assert found == (expected,)
    assert earlier_of(others, "", UTC) == ()


def test_a_return_without_a_beginning_leaves_all_unknown() -> None:
    found = earlier_of([process(shopper=Shopper(email=ANN), started_at=None)], ANN, UTC)
    assert found == Unknown("the day on which the shopper's other return retp_1 began")


def test_cancelled_ones_are_known_as_such() -> None:
    assert one(status="CANCELED").cancelled
    assert not one(status="FAILED").cancelled


def test_what_is_on_its_way_is_not_refunded_yet() -> None:
    paid = one(refunds=[refund("10.00", missing="4.00"), refund("3.00", currency="SEK")])
    assert paid.refunded == {"EUR": Decimal("6.00"), "SEK": Decimal("3.00")}
    unpaid = refund("10.00").model_copy(update={"refunded_at": None})
    assert one(refunds=[unpaid]).refunded == {"EUR": Decimal(0)}


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        (approved(), False),
        ((), False),
        (reviews("retl_1", "MISSING"), True),
        (reviews("retl_1", "APPROVED", "DECLINED"), True),
        (reviews("retl_1", "LOST_IN_SPACE"), None),
        (None, None),
    ],
)
def test_wrong_items_are_missing_or_declined_units(found: Any, wrong: bool | None) -> None:
    told = one(reviews=found).wrong_items
    assert isinstance(told, Unknown) if wrong is None else told is wrong


@pytest.mark.parametrize(
    ("fields", "bonus"),
    [
        ({}, False),
        ({"compensation": None}, None),
        ({"refunds": [refund("10.00", GIFT)], "reviews": approved()}, False),
        ({"refunds": [refund("10.01", GIFT)], "reviews": approved()}, True),
        # Costs of 4.00 were taken off, or a bonus of 4.00 was paid beside them.
        ({"refunds": [refund("6.00", GIFT)], "reviews": approved(), "costs": "4.00"}, False),
        ({"refunds": [refund("7.00", GIFT)], "reviews": approved(), "costs": "4.00"}, None),
        ({"refunds": [refund("6.00", GIFT)], "reviews": approved(), "costs": None}, None),
        # Nothing was looked at yet: what was paid may be for less than all.
        ({"refunds": [refund("10.00", GIFT)]}, None),
        ({"refunds": [refund("10.00", GIFT)], "reviews": None}, None),
        ({"refunds": [refund("1.00", GIFT)], "reviews": reviews("retl_1", "DECLINED")}, True),
        ({"refunds": [refund("10.00", BANK)], "reviews": approved()}, None),
        ({"refunds": [refund("10.00", GIFT, "SEK")], "reviews": approved()}, None),
    ],
)
def test_a_bonus_is_more_than_the_goods_are_worth(fields: dict[str, Any], bonus: bool | None) -> None:
    told = one(line(method=GIFT), **fields).bonus
    assert isinstance(told, Unknown) if bonus is None else told is bonus


def test_an_account_that_omits_what_is_empty_tells_none() -> None:
    bare = process(shopper=Shopper(email=ANN), compensation=None, reviews=None)
    (told,) = earlier_of([bare], ANN, UTC, omits_empty_fields=True)  # type: ignore[misc]
    assert (told.refunded, told.wrong_items, told.bonus) == ({}, False, False)


@pytest.mark.parametrize("name", ["earlier_refunds", "earlier_refund_value", "earlier_wrong_items", "earlier_bonuses"])
def test_what_one_of_them_does_not_tell_is_unknown_of_all_and_their_number_is_known(name: str) -> None:
    silent = earlier_of(
        [process(shopper=Shopper(email=ANN), compensation=None, reviews=None, rever_process_id="retp_2")], ANN, UTC
    )
    facts = facts_of(process(), record(), rules(), NOW, UTC)._replace(earlier=silent)
    assert isinstance(FIELDS[name].reader()(facts, None), Unknown)
    assert FIELDS["earlier_returns"].reader()(facts, None) == 1
    assert FIELDS[name].reader(within_days=1)(facts, None) in (0, Money(Decimal(0), "EUR"))


LINES = st.lists(
    st.builds(
        lambda quantity, total, method: (quantity, total, method),
        st.integers(1, 3),
        st.sampled_from(["10.00", "0.05", "33.33"]),
        st.sampled_from([GIFT, BANK]),
    ),
    min_size=1,
    max_size=2,
)


@given(
    LINES,
    st.lists(st.sampled_from(["APPROVED", "DECLINED", "MISSING", "LOST_IN_SPACE"]), max_size=6),
    st.lists(
        st.tuples(st.sampled_from(["5.00", "10.00", "11.00", "33.33"]), st.sampled_from([GIFT, BANK])), max_size=3
    ),
    st.sampled_from(["0.00", "4.00"]),
    st.sets(st.sampled_from(["reviews", "compensation", "return_costs"]), min_size=1),
)
def test_what_is_known_with_less_told_is_what_is_known_with_all(
    bought: list[tuple[int, str, str]], outcomes: list[str], paid: list[tuple[str, str]], costs: str, left_out: set[str]
) -> None:
    lines = [line(f"l{n}", quantity, total, method) for n, (quantity, total, method) in enumerate(bought)]
    ids = [it.id for it in lines for _ in range(it.quantity)]
    told = [review for line_id, status in zip(ids, outcomes, strict=False) for review in reviews(line_id, status)]
    refunds = [refund(amount, method) for amount, method in paid]
    whole = one(*lines, reviews=told, refunds=refunds, costs=costs)
    less = one(*lines, **{"reviews": told, "refunds": refunds, "costs": costs, **dict.fromkeys(left_out)})
    for name in ("refunded", "wrong_items", "bonus", "value", "cancelled"):
        known = getattr(less, name)
        assert isinstance(known, Unknown) or known == getattr(whole, name), name


def by_both(shown: Any, *intents: Intent, **fields: Any) -> EarlierReturn:
    """The one earlier return, of which REVER shows these refunds and the ledger has these intents."""
    told = process(shopper=Shopper(email=ANN), refunds=shown, **fields)
    found = earlier_of([told], ANN, UTC, {"retp_1": record(*intents)})
    assert isinstance(found, tuple)
    return found[0]


@pytest.mark.parametrize(
    ("shown", "intents", "expected"),
    [
        # REVER does not show it yet, or shows it as on its way: it counts whole.
        ([], [intent(amount="10.00")], "10.00"),
        ([refund("10.00", missing="10.00")], [intent(amount="10.00")], "10.00"),
        ([refund("10.00")], [intent(amount="10.00")], "10.00"),
        # Another's refund beside ours, as REVER shows it.
        ([refund("3.00", GIFT)], [intent(amount="10.00")], "13.00"),
        ([refund("3.00", GIFT, missing="3.00")], [intent(amount="10.00")], "10.00"),
        # One that was sent counts as for the caps; one that was not, or that REVER refused, does not.
        ([], [intent(state=IntentState.SENT)], "10.00"),
        ([refund("10.00")], [intent(state=IntentState.SENT)], "10.00"),
        ([], [intent(state=IntentState.UNKNOWN)], "10.00"),
        ([], [intent(state=IntentState.INTENDED), intent(state=IntentState.REFUSED)], "0"),
        # By hand: once, whether REVER shows it or not.
        ([], [intent(state=IntentState.DONE_BY_HAND)], "10.00"),
        ([refund("10.00", GIFT)], [intent(state=IntentState.DONE_BY_HAND)], "10.00"),
        ([], [intent(state=IntentState.DROPPED)], "0"),
        # REVER's own refund, which the ledger has adopted.
        ([refund("10.00")], [intent(adopted=True)], "10.00"),
        ([refund("10.00", missing="4.00")], [intent(adopted=True)], "6.00"),
        # What was shown as paid and no longer is, the shopper does not have.
        ([refund("10.00", missing="10.00")], [intent(paid_seen=PaidSeen(Decimal(10), Decimal(10), NOW))], "0"),
    ],
)
def test_refunds_count_once_by_the_ledger_or_by_rever(shown: Any, intents: Any, expected: str) -> None:
    refunded = by_both(shown, *intents).refunded
    assert not isinstance(refunded, Unknown)
    assert refunded.get("EUR", Decimal(0)) == Decimal(expected)


REFUNDS = st.lists(st.tuples(st.integers(1, 5000), st.sampled_from([GIFT, BANK]), st.booleans()), max_size=4)


@given(REFUNDS, REFUNDS)
def test_each_refund_counts_once_however_many_of_the_desk_s_own_rever_shows(ours: Any, others: Any) -> None:
    made = [
        intent(id=f"i{n}", amount=str(Decimal(cents) / 100), method=way, units=(n + 1,))
        for n, (cents, way, _) in enumerate(ours)
    ]
    mine = [refund(str(it.amount), it.method) for it in made]
    theirs = [refund(str(Decimal(cents) / 100), way) for cents, way, _ in others]
    total = sum((Decimal(cents) for cents, *_ in (*ours, *others)), Decimal(0)) / 100
    assert sum(by_both([*theirs, *mine], *made).refunded.values()) == total  # type: ignore[union-attr]
    # With others' refunds beside them nobody could say whose it is that is missing.
    some = [it for it, (_, _, shown) in zip(mine, ours, strict=True) if shown]
    alone = sum((it.amount for it in made), Decimal(0))
    assert sum(by_both(some, *made).refunded.values()) == alone  # type: ignore[union-attr]


def test_a_bonus_that_the_ledger_paid_counts_though_rever_does_not_show_it() -> None:
    assert by_both([], intent(bonus=Decimal("1.00"))).bonus is True
    assert by_both([], intent()).bonus is False


def test_the_shipping_of_the_order_is_no_bonus() -> None:
    ours = intent(amount="14.90", shipping=OrderShipping("o", 1, Decimal("4.90"), Decimal(10), Decimal("4.90")))
    assert by_both([refund("14.90")], ours, reviews=approved()).bonus is False
    assert by_both([refund("14.90")], intent(amount="14.90")).bonus is True


def test_a_return_that_rever_does_not_show_counts_by_the_ledger_alone() -> None:
    late = datetime(2026, 3, 19, 23, 30, tzinfo=UTC)
    paid = replace(record(intent(sent_at=late)), process_id="retp_2")
    madrid = ZoneInfo("Europe/Madrid")
    (told,) = earlier_of([], ANN, madrid, {"retp_2": paid}, {"retp_2"})  # type: ignore[misc]
    assert (told.process_id, told.started_on, told.refunded, told.shown) == (
        "retp_2",
        date(2026, 3, 20),
        {"EUR": Decimal("10.00")},
        False,
    )
    assert isinstance(told.wrong_items, Unknown)
    facts = facts_of(process(), record(), rules(), NOW, UTC)._replace(earlier=(told,))
    asked = {name: FIELDS[name].reader()(facts, None) for name in ("earlier_returns", "earlier_refunds")}
    assert asked == {"earlier_returns": 1, "earlier_refunds": 1}
    assert isinstance(FIELDS["earlier_returns"].reader(within_days=3650)(facts, None), Unknown)
    assert FIELDS["earlier_returns"].reader(within_days=0)(facts, None) == 0, "it had begun before"
    assert isinstance(FIELDS["returns_of_order"].reader()(facts, None), Unknown)
    assert earlier_of([], ANN, UTC, {}, {"retp_2"}) == ()


def test_a_return_without_an_e_mail_is_the_shopper_s_where_the_ledger_says_so_and_another_s_is_not() -> None:
    paid = {"retp_1": record(intent())}
    nameless, other = process(shopper=None), process(shopper=Shopper(email="eve@example.com"))
    assert len(earlier_of([nameless], ANN, UTC, paid, {"retp_1"})) == 1  # type: ignore[arg-type]
    assert earlier_of([nameless], ANN, UTC, paid) == ()
    assert earlier_of([other], ANN, UTC, paid, {"retp_1"}) == ()
