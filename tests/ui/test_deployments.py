"""The deployments on a real server with a real worker: a schedule fires by itself, a killed worker blocks nothing."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from anyio import run_process
from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import FlowRun, State
from prefect.events.schemas.automations import AutomationCore, EventTrigger
from prefect.states import Pending, Running, Submitting

from deployments.bootstrap import Outcome, bootstrap
from deployments.bootstrap.automations import dead_runs, runs_not_begun
from deployments.bootstrap.deployments import PREFECT_FILE
from deployments.prefect_server import PrefectServer
from rever_api.sandbox import RunningSandbox
from tests.live import environment, in_prefect_of
from tests.ui.workers import automations_taken_up, kill, until, worker, write_env

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]


@pytest.fixture
async def client(live_server: PrefectServer) -> AsyncIterator[PrefectClient]:
    """A client of the real server. What fires by itself is taken away afterwards."""
    with in_prefect_of(live_server):
        async with get_client() as client:
            yield client
            for deployment in await client.read_deployments():
                await client.delete_deployment(deployment.id)


def file_with(folder: Path, name: str, **changes: Any) -> Path:
    """`prefect.yaml` with the one deployment, changed."""
    content = yaml.safe_load(PREFECT_FILE.read_text())
    content["deployments"] = [entry | changes for entry in content["deployments"] if entry["name"] == name]
    file = folder / "prefect.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


async def runs_of(client: PrefectClient, name: str) -> list[FlowRun]:
    deployment = await client.read_deployment_by_name(f"{name}/{name}")
    only = DeploymentFilter(id=DeploymentFilterId(any_=[deployment.id]))
    return await client.read_flow_runs(deployment_filter=only)


async def test_a_schedule_fires_by_itself_in_the_workers_folder(
    client: PrefectClient, live_server: PrefectServer, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    write_env(tmp_path, sandbox)
    often = yaml.safe_load(PREFECT_FILE.read_text())["deployments"][3]["schedules"]
    often[0]["interval"] = 15
    await bootstrap(client, file=file_with(tmp_path, "reconcile", schedules=often))

    async def fired() -> bool:
        runs = await runs_of(client, "reconcile")
        return any(run.auto_scheduled and run.state and run.state.is_completed() for run in runs)

    with worker(live_server, tmp_path):
        seconds = await until(fired, within=180, told=f"no scheduled run ended: {tmp_path / 'worker.log'}")
    print(f"\na schedule of 15 s: the first run was Completed {seconds:.1f} s after the worker's start")
    assert (tmp_path / "ledger.sqlite").is_file()
    [first, *_] = [run for run in await runs_of(client, "reconcile") if run.state and run.state.is_completed()]
    assert first.parameters["parameters"]["mode"] == "act"
    listed = await run_process([sys.executable, "-m", "prefect", "deployment", "ls"], env=environment(live_server))
    assert "reconcile/" in listed.stdout.decode()


async def test_prefects_own_deploy_makes_of_the_file_what_bootstrap_makes(
    client: PrefectClient, live_server: PrefectServer
) -> None:
    await bootstrap(client)
    before = {deployment.name: deployment.updated for deployment in await client.read_deployments()}
    deploy = ["--no-prompt", "deploy", "--all", "--prefect-file", str(PREFECT_FILE)]
    await run_process([sys.executable, "-m", "prefect", *deploy], env=environment(live_server))
    after = {deployment.name: deployment.updated for deployment in await client.read_deployments()}
    assert [name for name in before if after[name] == before[name]] == []
    assert [change.line() for change in await bootstrap(client, check=True) if change.outcome is not Outcome.LEFT] == []


async def test_a_killed_worker_gives_its_slots_back_and_the_next_run_goes_on(
    client: PrefectClient, live_server: PrefectServer, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    write_env(tmp_path, sandbox, REVER_RATE="2")
    name = "process-pending-returns"
    await bootstrap(client, file=file_with(tmp_path, name, schedules=[]))
    deployment = await client.read_deployment_by_name(f"{name}/{name}")
    act = {"parameters": {"mode": "act"}}
    run = await client.create_flow_run_from_deployment(deployment.id, parameters=act)

    async def taken() -> dict[str, int]:
        limits = await client.read_global_concurrency_limits(limit=200)
        return {limit.name: limit.active_slots for limit in limits if limit.active_slots}

    async def sending() -> bool:
        return bool(sandbox.books.paid()) and any(name.startswith("rever-") for name in await taken())

    async def crashed() -> bool:
        state = (await client.read_flow_run(run.id)).state
        return bool(state and state.is_crashed())

    async def free() -> bool:
        return not await taken()

    with worker(live_server, tmp_path) as doomed:
        await until(sending, within=120, told=f"no refund was under way: {tmp_path / 'worker.log'}")
        held, where = await taken(), (await client.read_flow_run(run.id)).infrastructure_pid
        kill(doomed, int(str(where).rpartition(":")[2]))
    calls = await _calls_when_quiet(sandbox)
    seconds = await until(crashed, within=200, told="the run of the dead worker did not become Crashed")
    later = await until(free, within=300, told="the slots of the dead worker did not come back")
    print(f"\nkilled while it held {held}: Crashed after {seconds:.1f} s, all slots free {later:.1f} s later")
    assert any(limit.startswith("deployment:") for limit in held)
    assert len(sandbox.journal.entries) == calls
    write_env(tmp_path, sandbox)
    following = await client.create_flow_run_from_deployment(deployment.id, parameters=act)

    async def completed() -> bool:
        state = (await client.read_flow_run(following.id)).state
        assert not (state and state.is_final() and not state.is_completed()), state
        return bool(state and state.is_completed())

    with worker(live_server, tmp_path):
        went_on = await until(completed, within=180, told=f"the next run did not end: {tmp_path / 'worker.log'}")
    print(f"the next run was Completed after {went_on:.1f} s")
    assert sandbox.audit().clean


async def _calls_when_quiet(sandbox: RunningSandbox) -> int:
    """How many calls REVER has had once no more come in: what was sent before the kill may still be on its way."""
    before = -1
    while before != (calls := len(sandbox.journal.entries)):
        before = calls
        await asyncio.sleep(2)
    return calls


@pytest.mark.parametrize(
    ("automation", "states"),
    [(runs_not_begun, [Pending]), (runs_not_begun, [Pending, Submitting]), (dead_runs, [Running])],
    ids=["taken", "submitting", "begun"],
)
async def test_a_run_without_a_sign_of_life_becomes_crashed_and_one_that_waits_does_not(
    client: PrefectClient,
    tmp_path: Path,
    automation: Callable[[], AutomationCore],
    states: list[Callable[[], State[Any]]],
) -> None:
    """Killed before its first heartbeat: after it was taken, while its process is started, and just after it began."""
    await bootstrap(client, file=file_with(tmp_path, "process-return"))
    soon = automation()
    assert isinstance(soon.trigger, EventTrigger)
    within = soon.trigger.model_copy(update={"within": timedelta(seconds=15)})
    made = await client.create_automation(soon.model_copy(update={"name": "soon", "trigger": within}))
    await automations_taken_up(client)
    deployment = await client.read_deployment_by_name("process-return/process-return")
    form = {"parameters": {"process_id": "retp_none"}}
    dead, waits = [await client.create_flow_run_from_deployment(deployment.id, parameters=form) for _ in range(2)]
    for state in states:
        await client.set_flow_run_state(dead.id, state())

    async def crashed() -> bool:
        now = (await client.read_flow_run(dead.id)).state
        return bool(now and now.is_crashed())

    seconds = await until(crashed, within=180, told="the run without a sign of life did not become Crashed")
    print(f"\nno sign of life: Crashed {seconds:.1f} s later, with 15 s for what is minutes")
    now = (await client.read_flow_run(waits.id)).state
    assert now
    assert now.is_scheduled()
    await client.delete_automation(made)
