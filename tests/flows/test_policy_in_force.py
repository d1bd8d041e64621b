"""A changed policy takes effect at the next run's start, whole or not at all; one that is wrong lets no run begin."""

from datetime import datetime
from typing import Any

import pytest
from prefect.client.schemas.objects import State

from flows.generate_labels import generate_labels
from flows.process_pending_returns import process_pending_returns
from flows.reconcile import reconcile
from tasks.in_prefect.events import POLICY_REFUSED
from tasks.policy.policy_file import PolicyFileError
from tests.events import events
from tests.flows.test_in_prefect import deployed, forget_limits, make_limits, seen
from tests.flows.test_shadow import LIVE, Starting, kept
from tests.flows.test_shadow import start as start  # noqa: PLC0414 - the fixture
from tests.world import World


def changed_in_mid_run(world: World, text: str) -> None:
    """Have the policy file say something else from the moment on when the run has decided about its first returns."""
    clock, file, asked = world.clock, world.ledger_file.with_name("policy.yaml"), []

    def now() -> datetime:
        asked.append(1)
        if world.sandbox.books.paid() and file.read_text() != text:
            file.write_text(text)
        return clock()

    world.clock = now


HOLDS_ALL = "default: {guards: {max_refund: {EUR: 0, SEK: 0}}}\n"


def test_a_file_that_changes_in_mid_run_changes_nothing_before_the_next(start: Starting) -> None:
    whole = start(LIVE)
    expected = whole.act(max_returns="12").paid
    world = start(LIVE, settings={"REVER_LEDGER_URL": f"sqlite:///{whole.ledger_file.with_name('other.sqlite')}"})
    changed_in_mid_run(world, HOLDS_ALL)
    report = world.act(max_returns="12")
    assert world.ledger_file.with_name("policy.yaml").read_text() == HOLDS_ALL
    assert report.paid == expected != {}
    assert not [hold for hold in world.holds() if hold.rule == "guard:max_refund"]
    assert world.act().paid == {}
    assert [hold for hold in world.holds() if hold.rule == "guard:max_refund"]


def test_a_file_that_breaks_in_mid_run_lets_it_end_and_the_next_one_not_begin(start: Starting) -> None:
    world = start(HOLDS_ALL)
    world.act(max_returns="5")
    world.ledger_file.with_name("policy.yaml").write_text(LIVE)
    changed_in_mid_run(world, "default: {not_received: keep}\n")
    report = world.act()
    assert not report.failed
    paid = world.paid()
    assert report.paid == paid != {}
    before = kept(world)
    for mode in ("plan", "act"):
        with pytest.raises(PolicyFileError, match=r"policy\.yaml, line 1: default\.not_received is .keep"):
            world.run("process-pending-returns", mode=mode)
    assert (world.paid(), kept(world)) == (paid, before)


def test_a_file_that_is_gone_is_never_taken_for_the_defaults(start: Starting) -> None:
    world = start(LIVE)
    world.ledger_file.with_name("policy.yaml").unlink()
    with pytest.raises(PolicyFileError, match="the policy file cannot be read"):
        world.act()
    assert world.paid() == {}


@pytest.mark.prefect
async def test_a_schedules_runs_fail_with_the_sentence_and_an_event_until_the_file_is_right_again(
    start: Starting, prefect_server: None
) -> None:
    world = start("default:\n  not_received: keep\n  guards: {max_refund: {EUR: 0}}\n", returns=10)
    file = world.ledger_file.with_name("policy.yaml")
    await make_limits()
    try:
        for flow in (process_pending_returns, generate_labels, reconcile):
            state = await deployed(flow, {"mode": "act"})
            await _assert_refused(state, "policy.yaml, line 2: default.not_received is")
            assert world.paid() == {}
            assert not world.ledger_file.exists()
        file.write_text("stores: {acmee: {not_received: hold}}\n")
        await _assert_refused(await deployed(process_pending_returns, {"mode": "act"}), "has rules for 'acmee'")
        file.unlink()
        gone = await deployed(process_pending_returns, {"mode": "act"})
        await _assert_refused(gone, "policy.yaml: the policy file cannot be read")
        assert world.paid() == {}
        file.write_text(LIVE)
        right = await deployed(process_pending_returns, {"mode": "act"})
    finally:
        await forget_limits()
    assert right.is_completed()
    assert world.paid() != {}


async def _assert_refused(state: State[Any], says: str) -> None:
    """The run failed, its state says why, and so does one event of it; nothing of it was taken for the defaults."""
    assert state.is_failed()
    assert says in str(state.message)
    run_id = state.state_details.flow_run_id
    assert run_id
    (event,) = await events(POLICY_REFUSED, lambda event: str(run_id) in str(event["related"]), at_least=1)
    assert says in event["payload"]["sentence"]
    assert event["resource"]["prefect.resource.id"] == "rever.desk"
    run, *_ = await seen(run_id)
    assert run.state
    assert run.state.is_failed()


@pytest.mark.prefect
async def test_a_run_with_a_candidate_leaves_a_table_of_what_it_decides_otherwise(
    start: Starting, prefect_server: None
) -> None:
    world = start(returns=20)
    await make_limits()
    try:
        state = await deployed(process_pending_returns, {"mode": "act"})
    finally:
        await forget_limits()
    assert state.state_details.flow_run_id
    _, _, artifacts, _ = await seen(state.state_details.flow_run_id)
    assert "process-pending-returns-shadow" in {artifact["key"] for artifact in artifacts}
    assert world.paid() != {}
