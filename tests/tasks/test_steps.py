"""Working on many items: bounded, in full, and an error lets what is under way end first."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.in_prefect.limits_page import limits_page
from tasks.steps import STEPS, each, global_limits, limits_note, step


async def test_every_item_is_worked_on_and_no_more_at_once_than_the_table_says() -> None:
    now, most = 0, 0

    async def work(item: int) -> int:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return item * 2

    answers = await each("issue-refunds", range(50), work)
    assert sorted(answers) == [item * 2 for item in range(50)]
    assert most == STEPS["issue-refunds"].at_once


async def test_an_error_stops_the_taking_but_not_what_is_under_way() -> None:
    begun, ended = set(), set()

    async def work(item: int) -> None:
        begun.add(item)
        if item == 0:
            raise ValueError("the first")
        await asyncio.sleep(0.01)
        ended.add(item)

    with pytest.raises(ValueError, match="the first"):
        await each("issue-refunds", range(50), work)
    assert begun - {0} == ended
    assert len(begun) < 50


class Terminated(BaseException):
    """What a signal raises in the middle of whatever runs."""


async def test_a_signal_in_one_lets_the_others_note_what_they_did_before_the_run_ends() -> None:
    noted = set()

    async def work(item: int) -> None:
        if item == 0:
            await asyncio.sleep(0)
            raise Terminated
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            await asyncio.shield(asyncio.sleep(0.01))
            noted.add(item)
            raise

    with pytest.raises(Terminated):
        await each("issue-refunds", range(5), work)
    assert noted == {1, 2, 3, 4}


async def test_a_step_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = STEPS["decide-returns"].__class__("decide-returns", 0, 0, 0.01, 1, effect=True)
    monkeypatch.setitem(STEPS, "decide-returns", quick)

    @step("decide-returns")
    async def slow() -> None:
        await asyncio.sleep(5)

    @step("check-inspections")
    async def of_which_it_is_a_part() -> str:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await slow()
        return "to its own end"

    with pytest.raises(TimeoutError):
        await slow()
    assert await of_which_it_is_a_part() == "to its own end"
    monkeypatch.setitem(STEPS, "check-inspections", replace(quick, name="check-inspections"))
    with pytest.raises(TimeoutError):
        await of_which_it_is_a_part()


def test_a_step_that_is_not_in_the_table_fails_where_it_is_written() -> None:
    with pytest.raises(LookupError, match="'pay-twice' is not in the table of steps; it has settle-outcomes, "):
        step("pay-twice")


def test_a_step_takes_a_slot_for_each_return_and_no_more_than_it_works_on_or_the_limit_has() -> None:
    how = STEPS["issue-refunds"]
    for arguments, slots in ((([1, 2, 3],), 3), (("desk", [1] * 100, []), 8), (("desk", "acme"), 8), (([],), 1)):
        assert how.takes(arguments, {how.limit: 32}) == slots
    assert how.takes(([1, 2, 3],), {how.limit: 2}) == 2


def test_no_step_with_an_effect_is_retried() -> None:
    assert not [step.name for step in STEPS.values() if step.effect and step.retries]


def test_each_step_that_sends_has_a_global_limit_of_whole_batches() -> None:
    sends = {"issue-refunds", "issue-exchanges", "cancel-returns", "generate-labels", "add-reviews", "answer-hold"}
    assert {f"rever-{name}" for name in sends} <= set(global_limits())
    refunds = STEPS["issue-refunds"]
    assert global_limits()["rever-issue-refunds"] == refunds.across * refunds.at_once >= refunds.at_once > 0


def test_a_report_says_which_limits_held() -> None:
    assert "only" in limits_note({})
    assert "over all processes rever-answer-hold 4" in limits_note({"rever-answer-hold": 4})


def test_the_documented_limits_are_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "limits.md"
    assert page.read_text(encoding="utf-8") == limits_page(), "run `make docs`"
