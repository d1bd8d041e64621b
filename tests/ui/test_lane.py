"""The fast lane against a real Prefect server and a sandbox: runs executed in time, once, and ended when told to."""

import signal
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from prefect.client.schemas.objects import StateType
from prefect.states import Cancelling

from deployments.prefect_server import PrefectServer
from rever_api.sandbox import RunningSandbox
from tests.judge import assert_promises_kept
from tests.live import in_prefect_of
from tests.ui.desks import PATIENCE_S, Desk, desk_at, wait_until

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]

HELD = "hang_after_acting"


@pytest.fixture
def desk(live_server: PrefectServer, start_sandbox: Callable[..., RunningSandbox], tmp_path: Path) -> Iterator[Desk]:
    with (
        in_prefect_of(live_server),
        desk_at(live_server, start_sandbox(returns=20, scenarios=("approved_one",)), tmp_path) as desk,
    ):
        yield desk


def test_a_run_is_executed_within_a_second_or_so_of_its_being_made(desk: Desk) -> None:
    deployment, taken = desk.deployment(), []
    with desk.lane() as lane:
        for process_id in desk.approved(20):
            began = time.monotonic()
            run = desk.run_in_lane(deployment, process_id)
            desk.wait_for_refund(process_id)
            taken.append(time.monotonic() - began)
            desk.wait_for(StateType.COMPLETED, run)
        lane.signal()
        assert lane.process.wait(PATIENCE_S) == 0
    median, worst = statistics.median(taken), max(taken)
    print(f"from a run's creation to its refund: median {median:.2f} s, worst {worst:.2f} s of {len(taken)}")
    assert len(desk.refunds()) == 20
    assert_promises_kept(desk)


def test_two_lanes_execute_each_run_once(desk: Desk) -> None:
    deployment = desk.deployment()
    with desk.lane("one") as one, desk.lane("two") as two:
        runs = {process_id: desk.run_in_lane(deployment, process_id) for process_id in desk.approved(20)}
        desk.wait_for(StateType.COMPLETED, *runs.values())
        for lane in (one, two):
            lane.signal()
            assert lane.process.wait(PATIENCE_S) == 0
        shares = [lane.log.read_text().count("process-return: Completed") for lane in (one, two)]
    print(f"two lanes executed {shares[0]} and {shares[1]} of 20 runs")
    assert sum(shares) == 20
    assert [desk.client.read_flow_run(run.id).run_count for run in runs.values()] == [1] * 20
    assert all(len(desk.refunds(process_id)) == 1 for process_id in runs)


def test_a_deployments_limit_holds_in_the_lane(desk: Desk) -> None:
    deployment = desk.deployment(concurrency_limit=1)
    with desk.lane():
        runs = [desk.run_in_lane(deployment, process_id) for process_id in desk.approved(3)]
        desk.wait_for(StateType.COMPLETED, *runs)
    spans = sorted(desk.span(run) for run in runs)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_a_run_cancelled_in_the_ui_ends_cancelled_and_its_refund_is_not_sent_again(desk: Desk) -> None:
    deployment = desk.deployment()
    desk.sandbox.set_faults(f"issueRefund:1:{HELD}")
    (process_id,) = desk.approved(1)
    with desk.lane():
        run = desk.run_in_lane(deployment, process_id)
        desk.wait_for_refund(process_id)
        desk.client.set_flow_run_state(run.id, Cancelling())
        desk.wait_for(StateType.CANCELLED, run)
        desk.sandbox.stop_faults()
        again = desk.run_in_lane(deployment, process_id)
        desk.wait_for(StateType.COMPLETED, again)
    assert "CRASHED" not in {state.type.value for state in desk.client.read_flow_run_states(run.id)}
    assert len(desk.refunds(process_id)) == 1


def test_a_lane_told_to_end_lets_its_runs_end_and_takes_no_more(desk: Desk) -> None:
    deployment = desk.deployment()
    desk.sandbox.set_faults(f"issueRefund:1:{HELD}")
    first, second = desk.approved(2)
    with desk.lane() as lane:
        run = desk.run_in_lane(deployment, first)
        desk.wait_for_refund(first)
        lane.signal()
        wait_until(lambda: "ending: 1 runs" in lane.log.read_text(), "the lane to end")
        left = desk.run_in_lane(deployment, second)
        time.sleep(1)
        assert lane.process.poll() is None
        desk.sandbox.stop_faults()
        assert lane.process.wait(PATIENCE_S) == 0
    assert desk.state(run) == StateType.COMPLETED
    assert desk.state(left) == StateType.SCHEDULED
    desk.client.delete_flow_run(left.id)  # or the next test's lane would take it


def test_a_second_signal_cuts_short_and_the_run_is_seen_to_have_crashed(desk: Desk) -> None:
    deployment = desk.deployment()
    desk.sandbox.set_faults(f"issueRefund:1:{HELD}")
    (process_id,) = desk.approved(1)
    with desk.lane() as lane:
        run = desk.run_in_lane(deployment, process_id)
        desk.wait_for_refund(process_id)
        lane.signal(signal.SIGINT)
        wait_until(lambda: "ending: 1 runs" in lane.log.read_text(), "the lane to end")
        lane.signal(signal.SIGINT)
        assert lane.process.wait(PATIENCE_S) == 0
    assert desk.state(run) == StateType.CRASHED


def test_a_killed_lane_leaves_its_run_running_with_heartbeats_to_be_missed(desk: Desk) -> None:
    """What the automation that ends dead runs goes by: the run has sent heartbeats, and sends none any more."""
    deployment = desk.deployment()
    desk.sandbox.set_faults(f"issueRefund:1:{HELD}")
    (process_id,) = desk.approved(1)
    with desk.lane() as lane:
        run = desk.run_in_lane(deployment, process_id)
        desk.wait_for_refund(process_id)
        wait_until(lambda: _heartbeats(desk, str(run.id)) > 0, "the run's first heartbeat")
        lane.kill()
    assert desk.state(run) == StateType.RUNNING
    desk.sandbox.stop_faults()
    with desk.lane("next"):
        again = desk.run_in_lane(deployment, process_id)
        desk.wait_for(StateType.COMPLETED, again)
    assert desk.state(run) == StateType.RUNNING
    assert len(desk.refunds(process_id)) == 1


def _heartbeats(desk: Desk, run_id: str) -> int:
    which = {"event": {"name": ["prefect.flow-run.heartbeat"]}, "resource": {"id": [f"prefect.flow-run.{run_id}"]}}
    answer = desk.client.request("POST", "/events/filter", json={"filter": which, "limit": 5})
    return len(answer.json()["events"])
