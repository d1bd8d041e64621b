"""A run's cap on money: what goes beyond it waits, a return decided about again counts once; and what ends a run."""

import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

from rever_api.messages import OtherClock
from tasks.desk import Budget, Desk, DeskError
from tasks.policy.decision import Compensate, Nothing, RefundDue, Wait
from tasks.policy.record import LineUnits
from tasks.reporting.report import Mode, RunReport

UNTIL = datetime(2026, 3, 1, tzinfo=UTC)


def due(amount: str, currency: str = "EUR") -> Compensate:
    refund = RefundDue("BANK_TRANSFER", Decimal(amount), Decimal(amount), currency, (LineUnits("retl_1", (1,)),))
    return Compensate("refund", "approved", Decimal(0), (refund,))


def test_no_cap_lets_all_pass() -> None:
    assert Budget().within("a", due("1000000"), UNTIL) == due("1000000")


def test_what_goes_beyond_the_cap_waits_and_says_what_is_left() -> None:
    budget = Budget(Decimal(50))
    assert budget.within("a", due("30"), UNTIL) == due("30")
    waits = budget.within("b", due("20.01"), UNTIL)
    assert isinstance(waits, Wait)
    assert waits.until == UNTIL
    assert waits.for_another_run
    assert "20 EUR more" in waits.why


def test_exactly_the_cap_is_paid() -> None:
    budget = Budget(Decimal(50))
    budget.within("a", due("30"), UNTIL)
    assert budget.within("b", due("20"), UNTIL) == due("20")


def test_the_same_return_again_counts_once() -> None:
    budget = Budget(Decimal(50))
    for _ in range(3):
        assert budget.within("a", due("50"), UNTIL) == due("50")


def test_a_second_method_after_the_first_was_paid_is_still_within() -> None:
    budget = Budget(Decimal(50))
    budget.within("a", due("50"), UNTIL)
    assert budget.within("a", due("20"), UNTIL) == due("20")
    assert isinstance(budget.within("b", due("0.01"), UNTIL), Wait)


def test_currencies_do_not_mix() -> None:
    budget = Budget(Decimal(50))
    budget.within("a", due("50", "EUR"), UNTIL)
    assert budget.within("b", due("50", "SEK"), UNTIL) == due("50", "SEK")


def test_decisions_without_money_are_left_alone() -> None:
    assert Budget(Decimal(0)).within("a", Nothing("done", "done"), UNTIL) == Nothing("done", "done")


def test_threads_that_ask_at_the_same_time_never_go_beyond_the_cap() -> None:
    budget, most = Budget(Decimal(300)), 300

    def ask(worker: int) -> int:
        asked = [budget.within(f"{worker}-{number}", due("1"), UNTIL) for number in range(most)]
        return sum(isinstance(it, Compensate) for it in asked)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            assert sum(threads.map(ask, range(4))) == most
    finally:
        sys.setswitchinterval(before)


async def test_a_clock_that_is_right_at_a_second_look_does_not_lift_what_ended_the_run_meanwhile() -> None:
    clocks = SimpleNamespace(ahead=timedelta(hours=1))

    async def asked_again(store: str) -> None:
        desk.halted, clocks.ahead = DeskError(f"another store ended the run while {store} was asked"), timedelta(0)

    rever: Any = SimpleNamespace(get_ecommerce_settings=asked_again)
    unused: Any = None
    report = RunReport("x")
    desk = Desk(unused, rever, unused, unused, Mode.ACT, unused, ("acme", "nordic"), report, cast("OtherClock", clocks))
    await desk._check_clock("acme")
    assert isinstance(desk.halted_at("nordic"), DeskError)
