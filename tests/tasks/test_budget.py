"""A run's cap on money: what goes beyond it waits, a return decided about again counts once, and parts are shared."""

import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.budget import Budget
from tasks.policy.decision import Compensate, Nothing, RefundDue, Wait
from tasks.policy.record import LineUnits

UNTIL = datetime(2026, 3, 1, tzinfo=UTC)


def due(amount: str, currency: str = "EUR") -> Compensate:
    refund = RefundDue("BANK_TRANSFER", Decimal(amount), Decimal(amount), currency, (LineUnits("retl_1", (1,)),))
    return Compensate("refund", "approved", Decimal(0), (refund,))


def test_what_goes_beyond_the_cap_waits_and_says_what_is_left() -> None:
    budget = Budget(Decimal(50))
    assert budget.within("acme", "a", due("30"), UNTIL) == due("30")
    waits = budget.within("acme", "b", due("20.01"), UNTIL)
    assert isinstance(waits, Wait)
    assert waits.until == UNTIL
    assert waits.for_another_run
    assert "20 EUR more" in waits.why


def test_exactly_the_cap_is_paid() -> None:
    budget = Budget(Decimal(50))
    budget.within("acme", "a", due("30"), UNTIL)
    assert budget.within("acme", "b", due("20"), UNTIL) == due("20")


def test_the_same_return_again_counts_once() -> None:
    budget = Budget(Decimal(50))
    for _ in range(3):
        assert budget.within("acme", "a", due("50"), UNTIL) == due("50")


def test_a_second_method_after_the_first_was_paid_is_still_within() -> None:
    budget = Budget(Decimal(50))
    budget.within("acme", "a", due("50"), UNTIL)
    assert budget.within("acme", "a", due("20"), UNTIL) == due("20")
    assert isinstance(budget.within("acme", "b", due("0.01"), UNTIL), Wait)


def test_currencies_do_not_mix() -> None:
    budget = Budget(Decimal(50))
    budget.within("acme", "a", due("50", "EUR"), UNTIL)
    assert budget.within("acme", "b", due("50", "SEK"), UNTIL) == due("50", "SEK")


def test_decisions_without_money_are_left_alone() -> None:
    assert Budget(Decimal(0)).within("acme", "a", Nothing("done", "done"), UNTIL) == Nothing("done", "done")


def pays(budget: Budget, store: str, process_id: str, amount: str, currency: str = "EUR") -> bool:
    """Whether a refund is let pass, and claimed then."""
    passes = isinstance(budget.within(store, process_id, due(amount, currency), UNTIL), Compensate)
    budget.claim([process_id] if passes else [])
    return passes


def test_a_store_has_its_part_and_then_what_others_have_left_of_theirs() -> None:
    budget = Budget(Decimal(90), stores=3)
    assert pays(budget, "a", "a1", "25")
    waits = [budget.within("a", f"a{number}", due("10"), UNTIL) for number in range(2, 9)]
    assert all(isinstance(it, Wait) and "90 EUR in all" in it.why for it in waits)
    assert pays(budget, "b", "b1", "30")
    assert not pays(budget, "c", "c1", "31")
    assert budget.hand_on(["a", "b", "c"]) == {"c": ["c1"]}
    assert pays(budget, "c", "c1", "31")
    assert budget.hand_on(["a", "b", "c"]) == {}
    assert not pays(budget, "a", "a2", "10")


def test_what_is_left_goes_to_the_store_for_which_the_least_is_paid_and_of_its_returns_to_the_first_that_fits() -> None:
    budget = Budget(Decimal(100), stores=4)
    for store, amounts in {"a": (20, 20, 20), "b": (26, 5), "c": (10, 50)}.items():
        for number, amount in enumerate(amounts):
            pays(budget, store, f"{store}{number}", str(amount))
    assert budget.hand_on(["a", "b", "c"]) == {"b": ["b0"], "a": ["a1"]}, "of 65, b0 leaves no 50 for c"


def test_what_a_store_that_is_not_asked_again_waits_for_stays_where_it_is() -> None:
    budget = Budget(Decimal(20), stores=2)
    assert not pays(budget, "a", "a1", "15")
    assert budget.hand_on(["b"]) == {}
    assert budget.hand_on(["a", "b"]) == {"a": ["a1"]}
    assert budget.hand_on(["a", "b"]) == {}


def test_what_was_let_pass_and_not_claimed_goes_to_others() -> None:
    budget = Budget(Decimal(60), stores=2)
    assert pays(budget, "a", "a1", "10")
    budget.within("a", "a2", due("20"), UNTIL)  # and a guard holds it
    assert not pays(budget, "a", "a3", "15")
    for number in range(3):
        budget.within("b", f"b{number}", due("15"), UNTIL)  # and b is paused
    assert not pays(budget, "c", "c1", "31")
    assert budget.hand_on(["a", "b", "c"]) == {"c": ["c1"], "a": ["a3"]}
    budget.within("a", "a3", due("15"), UNTIL)  # and a is paused by now
    assert pays(budget, "c", "c1", "31")
    assert not pays(budget, "a", "a4", "16")
    assert budget.hand_on(["a", "b", "c"]) == {}, "all of it would wait at a again, one after another"


AMOUNTS = st.decimals(Decimal("0.01"), Decimal(60), places=2)


@given(
    most=st.decimals(Decimal(0), Decimal(200), places=2),
    needs=st.dictionaries(st.sampled_from("abcde"), st.lists(st.tuples(AMOUNTS, st.sampled_from(["EUR", "SEK"])))),
)
def test_the_cap_is_never_passed_nobody_starves_and_nothing_that_fits_is_left(
    most: Decimal, needs: dict[str, list[tuple[Decimal, str]]]
) -> None:
    budget, stores, paid = Budget(most, len(needs) or 1), sorted(needs), dict[tuple[str, str], Decimal]()
    waiting: dict[str, tuple[str, Decimal, str]] = {}

    def ask(store: str, process_id: str, amount: Decimal, currency: str) -> None:
        if pays(budget, store, process_id, str(amount), currency):
            paid[store, currency] = paid.get((store, currency), Decimal(0)) + amount
            waiting.pop(process_id, None)
        else:
            waiting[process_id] = (store, amount, currency)

    for store in stores:
        for number, (amount, currency) in enumerate(needs[store]):
            ask(store, f"{store}{number}", amount, currency)
    while handed_on := budget.hand_on(stores):
        for store, ids in handed_on.items():
            for process_id in ids:
                ask(store, process_id, *waiting[process_id][1:])
    for currency in ("EUR", "SEK"):
        left = most - sum(amount for (_, of), amount in paid.items() if of == currency)
        assert left >= 0
        assert all(amount > left for _, amount, of in waiting.values() if of == currency)
        for store in stores:
            mine, part = [amount for amount, of in needs[store] if of == currency], most / len(stores)
            kept = paid.get((store, currency), Decimal(0))
            assert kept == sum(mine) or kept + max(mine) > part, "a store has less than its part, and needs it"


@pytest.mark.parametrize("stores", [1, 4, 6])
def test_threads_that_ask_at_the_same_time_never_go_beyond_the_cap(stores: int) -> None:
    budget, most = Budget(Decimal(300), stores), 300

    def ask(worker: int) -> int:
        asked = [budget.within(f"s{worker}", f"{worker}-{number}", due("1"), UNTIL) for number in range(most)]
        return sum(isinstance(it, Compensate) for it in asked)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            assert sum(threads.map(ask, range(4))) == min(most, 4 * most // stores)
    finally:
        sys.setswitchinterval(before)
