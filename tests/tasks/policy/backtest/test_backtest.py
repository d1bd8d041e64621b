"""A candidate over past returns beside the current policy: each kind of difference, and the promises of the whole."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.policy.backtest.backtest import Backtest, Totals
from tasks.policy.backtest.differences import Change, Purse
from tasks.policy.backtest.past import PastReturn
from tasks.policy.record import IntentState
from tasks.policy.store import Guards, RefundsBy, StoreRules
from tests.tasks.policy.backtest.histories import BEGAN, DAY, UNTIL, past, ruled, tried
from tests.tasks.policy.factories import EXCHANGE, GIFT, intent, line, record, refund

EUR = Purse("EUR")


def capped(**guards: object) -> StoreRules:
    return ruled(guards=Guards.model_validate(guards))


def changes(found: Backtest) -> dict[str, dict[str, str]]:
    """Return -> change -> amount."""
    return {it.process_id: {str(kind): str(amount) for kind, amount in it.changes.items()} for it in found.differences}


def test_a_return_is_paid_when_it_is_reviewed_and_nothing_differs() -> None:
    found = tried(ruled(), ruled(), past(line("a", total="24.00")))
    assert found.differences == ()
    assert found.money == {EUR: Totals(current=Decimal("24.00"), candidate=Decimal("24.00"))}
    assert (found.returns, found.left_out) == (1, {})


def test_a_lower_cap_holds_what_the_current_policy_pays() -> None:
    found = tried(
        capped(max_refund={"EUR": "100"}), capped(max_refund={"EUR": "50"}), *three("40.00", "60.00", "120.00")
    )
    assert changes(found) == {"retp_1": {"held": "60.00"}}
    (one,) = found.differences
    assert (one.rules[-1], one.current, one.candidate) == ("guard:max_refund", Decimal("60.00"), Decimal(0))
    assert one.why == "the refund of 60.00 EUR is above the most that one may be, 50"
    assert found.money[EUR].changes == {Change.HELD: Decimal("60.00")}


def test_a_higher_cap_pays_more() -> None:
    found = tried(
        capped(max_refund={"EUR": "50"}), capped(max_refund={"EUR": "100"}), *three("40.00", "60.00", "120.00")
    )
    assert changes(found) == {"retp_1": {"more": "60.00"}}


def three(*totals: str) -> list[PastReturn]:
    return [past(line("a", total=total), name=f"retp_{n}") for n, total in enumerate(totals)]


def test_the_cap_of_a_day_counts_in_the_order_of_time() -> None:
    first = past(line("a", total="60.00"), name="retp_z", reviewed=[("APPROVED", 5)])
    second = past(line("a", total="60.00"), name="retp_a", reviewed=[("APPROVED", 5.2)])
    other_day = past(line("a", total="60.00"), name="retp_b", reviewed=[("APPROVED", 6)])
    found = tried(ruled(), capped(max_per_day={"EUR": "100"}), second, other_day, first)
    assert changes(found) == {"retp_a": {"held": "60.00"}}


def test_refunds_of_one_shopper_are_counted_however_the_mailbox_is_written() -> None:
    returns = [
        past(line("a"), name=f"retp_{n}", email=email, reviewed=[("APPROVED", 5 + n)])
        for n, email in enumerate(("a@example.com", "A+shop@example.com", "b@example.com"))
    ]
    found = tried(ruled(), capped(max_refunds_per_shopper=1), *returns)
    assert changes(found) == {"retp_1": {"held": "10.00"}}
    assert "guard:max_refunds_per_shopper" in found.differences[0].rules


def test_a_cap_that_holds_stops_what_would_come_after_it_in_the_same_return() -> None:
    it = past(line("a", total="60.00"), line("b", total="10.00"), reviewed=[("APPROVED", 5), ("APPROVED", 8)])
    found = tried(ruled(), capped(max_refund={"EUR": "50"}), it)
    assert changes(found) == {"retp_1": {"held": "70.00"}}
    assert found.money[EUR].candidate == 0


def test_what_a_hold_stops_counts_for_no_other_cap() -> None:
    held = past(line("a", total="120.00"), line("b", total="10.00"), reviewed=[("APPROVED", 5), ("APPROVED", 8)])
    other = past(line("a", total="95.00"), name="retp_2", reviewed=[("APPROVED", 8.2)])
    found = tried(ruled(), capped(max_per_day={"EUR": "100"}), held, other)
    assert changes(found) == {"retp_1": {"held": "130.00"}}


def test_goods_never_received_are_paid_at_the_start_or_held() -> None:
    it = past(line("a", total="30.00", reason="NOT_RECEIVED"), reviewed=[])
    found = tried(ruled(), ruled(not_received="hold"), it)
    assert changes(found) == {"retp_1": {"held": "30.00"}}
    assert found.differences[0].rules == ("not_received",)
    assert found.differences[0].current_at == BEGAN


def test_units_are_paid_as_they_are_reviewed_and_costs_are_taken_off_once() -> None:
    it = past(
        line("a", quantity=3, total="10.00"),
        line("b", total="5.00", method=GIFT),
        reviewed=[("APPROVED", 5), ("APPROVED", 6), ("DECLINED", 6), ("APPROVED", 8)],
        costs="1.00",
    )
    found = tried(ruled(), ruled(), it)
    assert found.money[EUR].candidate == Decimal("10.67")


def test_an_exchange_is_counted_as_goods_and_never_as_money() -> None:
    it = past(line("a", total="30.00", method=EXCHANGE, variant="v2"))
    found = tried(ruled(), ruled(), it)
    assert list(found.money) == [Purse("EUR", goods=True)]
    assert found.money[Purse("EUR", goods=True)].candidate == Decimal("30.00")


def test_what_was_really_done_is_the_ledgers_and_stands_beside() -> None:
    done = record(
        intent(amount="7.50", sent_at=BEGAN + 6 * DAY),
        intent(state=IntentState.DONE_BY_HAND, amount="2.00"),
        intent(state=IntentState.REFUSED, amount="99.00"),
    )
    it = past(line("a", total="60.00"), record=done, refunds=[refund("7.50"), refund("3.00")])
    found = tried(ruled(), capped(max_refund={"EUR": "50"}), it)
    totals = found.money[EUR]
    assert (totals.ledger, totals.by_hand, totals.rever) == (Decimal("7.50"), Decimal("2.00"), Decimal("10.50"))
    assert found.differences[0].really == Decimal("7.50")


def test_what_was_refunded_in_the_past_does_not_stop_the_replayed_payment() -> None:
    it = past(line("a", total="60.00"), refunds=[refund("60.00")])
    assert tried(ruled(), ruled(), it).money[EUR].current == Decimal("60.00")


def test_a_return_that_cannot_be_placed_in_time_is_left_out_and_said_so() -> None:
    found = tried(ruled(), ruled(), past(began=None), past(name="retp_2"))
    assert found.left_out == {"retp_1": "REVER does not say when it began"}
    assert found.returns == 1


def test_where_rever_pays_nothing_is_paid_here() -> None:
    rever = replace(ruled(), refunds_by=RefundsBy.REVER)
    found = tried(rever, rever, past())
    assert found.money == {}
    assert any(words.startswith("At acme REVER pays") for words in found.unknown)


def test_where_nobody_has_said_who_pays_it_is_replayed_as_if_this_desk_did() -> None:
    unstated = replace(ruled(), refunds_by=RefundsBy.UNSTATED)
    found = tried(unstated, unstated, past())
    assert found.money[EUR].current == Decimal("10.00")
    assert any("as if this desk did" in words for words in found.unknown)


def test_a_contradiction_holds_on_both_sides_alike() -> None:
    found = tried(ruled(), ruled(), past(line("a", total=None)))
    assert (found.differences, found.money) == ((), {})
    assert any("1 return is held by the candidate" in words for words in found.unknown)


STATUSES = st.sampled_from(["APPROVED", "APPROVED", "DECLINED", "MISSING"])


@st.composite
def histories(draw: st.DrawFn) -> list[PastReturn]:
    found = []
    for n in range(draw(st.integers(1, 6))):
        lines = [
            line(
                f"l{i}",
                quantity=draw(st.integers(1, 3)),
                total=str(draw(st.decimals("0.00", "200.00", places=2))),
                method=draw(st.sampled_from(["ORIGINAL_PAYMENT_METHOD", GIFT, EXCHANGE])),
                variant="v2",
                reason=draw(st.sampled_from(["", "NOT_RECEIVED"])),
            )
            for i in range(draw(st.integers(1, 3)))
        ]
        days = st.one_of(st.none(), st.floats(0, 12))
        units = sum(it.quantity for it in lines)
        found.append(
            past(
                *lines,
                name=f"retp_{n}",
                began=BEGAN + draw(st.integers(0, 9)) * timedelta(hours=7),
                reviewed=draw(st.lists(st.tuples(STATUSES, days), max_size=units)),
                email=draw(st.sampled_from(["a@example.com", "b@example.com", ""])),
                costs=draw(st.sampled_from(["0.00", "6.00"])),
                status=draw(st.sampled_from(["RUNNING", "COMPLETED", "CANCELED", "ON_HOLD"])),
            )
        )
    return found


POLICIES = st.builds(
    lambda most, day, times, lost: ruled(
        not_received=lost, guards=Guards(max_refund=most, max_per_day=day, max_refunds_per_shopper=times)
    ),
    st.sampled_from([{}, {"EUR": Decimal(50)}, {"EUR": Decimal(120)}]),
    st.sampled_from([{}, {"EUR": Decimal(150)}]),
    st.sampled_from([None, 1, 2]),
    st.sampled_from(["approved", "hold"]),
)


@settings(max_examples=60, deadline=None)
@given(histories(), POLICIES)
def test_a_candidate_that_is_the_current_policy_makes_no_difference(
    returns: list[PastReturn], policy: StoreRules
) -> None:
    found = tried(policy, policy, *returns)
    assert found.differences == ()
    assert all(totals.current == totals.candidate for totals in found.money.values())


@settings(max_examples=60, deadline=None)
@given(histories(), POLICIES, POLICIES, st.randoms(use_true_random=False))
def test_the_order_in_which_returns_come_does_not_matter(
    returns: list[PastReturn], one: StoreRules, other: StoreRules, random: object
) -> None:
    mixed = list(returns)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert tried(one, other, *mixed) == tried(one, other, *returns)


@settings(max_examples=60, deadline=None)
@given(histories(), POLICIES, POLICIES)
def test_the_changes_add_up_to_what_the_candidate_pays_otherwise(
    returns: list[PastReturn], one: StoreRules, other: StoreRules
) -> None:
    for it in tried(one, other, *returns).differences:
        more = it.changes.get(Change.MORE, Decimal(0))
        less = sum((it.changes.get(kind, Decimal(0)) for kind in (Change.LESS, Change.HELD)), Decimal(0))
        if not {Change.EARLIER, Change.LATER} & set(it.changes):
            assert it.candidate - it.current == more - (less if it.current > it.candidate else 0)
        assert all(amount >= 0 for amount in it.changes.values())


@settings(max_examples=60, deadline=None)
@given(histories(), POLICIES)
def test_nothing_is_paid_above_what_a_return_is_worth_nor_twice(returns: list[PastReturn], policy: StoreRules) -> None:
    for it in returns:
        worth = sum((each.total_price or Decimal(0) for each in it.process.return_line_items), Decimal(0))
        paid = sum((totals.candidate for totals in tried(policy, policy, it).money.values()), Decimal(0))
        assert paid <= worth


def test_a_later_end_of_the_replay_does_not_change_what_was_paid_before_it() -> None:
    it = past(line("a", quantity=2), reviewed=[("APPROVED", 5), ("APPROVED", 20)])
    early = tried(ruled(), ruled(), it, until=BEGAN + 10 * DAY)
    assert early.money[EUR].current == Decimal("5.00")
    assert tried(ruled(), ruled(), it, until=UNTIL).money[EUR].current == Decimal("10.00")
