"""Setting a server up: once, again, and after a person has changed something there."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import (
    DeploymentScheduleCreate,
    DeploymentUpdate,
    GlobalConcurrencyLimitUpdate,
    VariableUpdate,
)
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.events.schemas.automations import EventTrigger
from pydantic import SecretStr

from deployments.bootstrap import BootstrapError, Change, Outcome, bootstrap
from deployments.bootstrap.automations import dead_runs, runs_not_begun
from deployments.bootstrap.deployments import PREFECT_FILE
from deployments.receiver.offers import MANY
from flows.catalog import FLOWS
from tasks.steps import global_limits
from tests.deployments.bootstrap.test_deployments import SCHEDULES

pytestmark = pytest.mark.prefect

NOWHERE = SecretStr("")
URL = SecretStr("http://127.0.0.1:9/secret-path")


async def put_up(client: PrefectClient, url: SecretStr = NOWHERE, **how: Any) -> list[Change]:
    return await bootstrap(client, notices_url=url, **how)


def not_left(changes: list[Change]) -> list[str]:
    return [change.line() for change in changes if change.outcome is not Outcome.LEFT]


@pytest.fixture
def one(tmp_path: Path) -> Path:
    """`prefect.yaml` with one deployment alone, for what is not about deployments: Prefect takes its time for each."""
    text = PREFECT_FILE.read_text()
    entries = text.index("deployments:\n") + len("deployments:\n")
    (reconcile,) = [entry for entry in text[entries:].split("\n\n") if "name: reconcile\n" in entry]
    file = tmp_path / "one.yaml"
    file.write_text(f"{text[:entries]}{reconcile}\n")
    return file


async def read(client: PrefectClient, name: str) -> DeploymentResponse:
    return await client.read_deployment_by_name(f"{name}/{name}")


async def test_notices_are_left_out_without_an_address_and_follow_a_new_one(fresh: PrefectClient, one: Path) -> None:
    [words] = [change.words for change in await put_up(fresh, file=one) if change.what == "notices"]
    assert "set REVER_NOTICES_URL" in words
    assert {each.name for each in await fresh.read_automations()} == {dead_runs().name, runs_not_begun().name}
    former = runs_not_begun().model_copy(update={"name": "rever: notices of tripped guards"})
    await fresh.create_automation(former)
    made = not_left(await put_up(fresh, URL, file=one))
    assert sum("notices" in line for line in made) == 8
    assert made[-1] == f"changed  automation {former.name!r}: no longer made, removed"
    assert await fresh.read_automations_by_name(former.name) == []
    changed = await put_up(fresh, SecretStr("http://127.0.0.1:9/another"), file=one)
    assert not_left(changed) == ["changed  block custom-webhook/rever-notices: the address"]
    # What is on the server counts where the environment says nothing.
    assert not_left(await put_up(fresh, file=one)) == []
    shown = await fresh.read_block_document_by_name("rever-notices", "custom-webhook", include_secrets=False)
    assert "another" not in str(shown)


async def test_a_pool_of_another_type_is_a_persons_to_move(fresh: PrefectClient, one: Path) -> None:
    from prefect.client.schemas.actions import WorkPoolCreate

    await fresh.create_work_pool(WorkPoolCreate(name="rever", type="docker"))
    with pytest.raises(BootstrapError, match="type 'docker', and 'process' is needed"):
        await put_up(fresh, file=one)


@pytest.fixture
def acmes(one: Path) -> Path:
    """A file of one's own, with the deployment for one store."""
    before, after = one.read_text().split("name: reconcile\n")
    after = after.replace("parameters: *act", "parameters: {parameters: {mode: act, stores: [acme]}}", 1)
    one.write_text(f"{before}name: reconcile-acme\n{after}")
    return one


async def test_a_file_of_ones_own_adds_a_deployment_for_a_store(fresh: PrefectClient, acmes: Path) -> None:
    await put_up(fresh, file=acmes)
    found = await fresh.read_deployment_by_name("reconcile/reconcile-acme")
    assert found.schedules[0].parameters == {"parameters": {"mode": "act", "stores": ["acme"]}}
    await fresh.delete_deployment(found.id)


async def test_the_second_time_changes_nothing_and_a_check_does_nothing(fresh: PrefectClient) -> None:
    said = await put_up(fresh, URL, check=True)
    assert await fresh.read_work_pools() == await fresh.read_automations() == []
    made = await put_up(fresh, URL)
    types = [change for change in made if change.what.startswith("block type")]
    assert {change.outcome for change in made if change not in types} == {Outcome.MADE}
    assert [change.what for change in said] == [change.what for change in made]
    assert not_left(await put_up(fresh, URL)) == []
    assert not_left(await put_up(fresh, URL, check=True)) == []


async def test_a_limits_slots_are_a_persons_and_one_that_bounds_nothing_is_put_right(client: PrefectClient) -> None:
    await put_up(client)
    name, other = "rever-issue-refunds", "rever-generate-labels"
    assert (await client.read_global_concurrency_limit_by_name(name)).limit == global_limits()[name]
    await client.update_global_concurrency_limit(name, GlobalConcurrencyLimitUpdate(limit=5))
    off = GlobalConcurrencyLimitUpdate(active=False, slot_decay_per_second=1)
    await client.update_global_concurrency_limit(other, off)
    changes = await put_up(client)
    assert not_left(changes) == [f"changed  global limit {other}: not active"]
    assert f"left     global limit {name}: 5 slots, set by a person" in [change.line() for change in changes]
    assert (await client.read_global_concurrency_limit_by_name(name)).limit == 5
    mended = await client.read_global_concurrency_limit_by_name(other)
    assert (mended.active, mended.slot_decay_per_second, mended.limit) == (True, 0, global_limits()[other])
    assert not_left(await put_up(client)) == []


async def test_every_flow_is_a_deployment_as_the_file_says(client: PrefectClient) -> None:
    await put_up(client)
    for name in FLOWS:
        found = await read(client, name)
        assert found.entrypoint == f"{FLOWS[name]}.{name.replace('-', '_')}"
        assert (found.version, found.pull_steps, found.paused) == ("0.1.0", [], False)
        assert found.description
        assert "rever" in found.tags
        assert found.job_variables["working_dir"] == "."
        assert found.job_variables["env"] == {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}
    alone = {name: (await read(client, name)).global_concurrency_limit for name in FLOWS}
    assert {name for name, limit in alone.items() if limit and limit.limit == 1} == {
        "process-pending-returns",
        "generate-labels",
        "import-inspections",
        "track-parcels",
        "chase-stale-returns",
        "reconcile",
        "archive-ledger",
    }
    assert (await read(client, "process-return")).work_pool_name == "rever-fast-lane"
    storm = await client.read_deployment_by_name(MANY)
    assert (storm.work_pool_name, storm.global_concurrency_limit) == ("rever-fast-lane", None)
    assert (await read(client, "answer-hold")).work_queue_name == "people"

    # A person's answer never waits behind a batch.
    queues = {queue.name: queue for queue in await client.read_work_queues(work_pool_name="rever")}
    assert queues["people"].priority == 1 < (queues["batches"].priority or 0)
    assert queues["people"].concurrency_limit is None
    assert queues["batches"].concurrency_limit


async def test_what_is_ours_is_put_right(client: PrefectClient) -> None:
    await put_up(client)
    found = await read(client, "reconcile")
    await client.update_deployment(found.id, DeploymentUpdate(tags=["other"], concurrency_limit=5))
    schedule = IntervalSchedule(interval=timedelta(minutes=1), timezone="UTC")
    await client.update_deployment_schedule(found.id, found.schedules[0].id, schedule=schedule, parameters={})
    changed = not_left(await put_up(client))
    assert changed == [
        "changed  deployment reconcile/reconcile: tags, concurrency_limit",
        "changed  schedule reconcile/reconcile/hourly: every 60 min, Europe/Madrid, parameters",
    ]
    assert not_left(await put_up(client)) == []


async def test_what_a_person_paused_or_set_stays_so(client: PrefectClient) -> None:
    await put_up(client)
    found = await read(client, "reconcile")
    [ours] = found.schedules
    await client.update_deployment_schedule(found.id, ours.id, active=False, parameters={})
    theirs = DeploymentScheduleCreate(schedule=IntervalSchedule(interval=timedelta(days=1)), active=True)
    await client.create_deployment_schedules(found.id, [theirs])
    await client.pause_deployment((await read(client, "generate-labels")).id)
    queue = await client.read_work_queue_by_name("batches", "rever")
    await client.update_work_queue(queue.id, concurrency_limit=9)
    await client.update_deployment(found.id, DeploymentUpdate(tags=["other"]))

    said = {change.what: change.words for change in await put_up(client)}
    assert said["deployment generate-labels/generate-labels"] == "paused by a person"
    assert said["work queue rever/batches"] == "limit 9, set by a person"
    again = await read(client, "reconcile")
    assert {schedule.slug: schedule.active for schedule in again.schedules} == {"hourly": False, None: True}
    assert again.tags != ["other"]
    assert next(each for each in again.schedules if each.slug).parameters == {"parameters": {"mode": "act"}}
    assert (await client.read_work_queue_by_name("batches", "rever")).concurrency_limit == 9
    await client.update_work_queue(queue.id, concurrency_limit=queue.concurrency_limit)
    for changed in (again, await read(client, "generate-labels")):
        await client.delete_deployment(changed.id)


async def test_the_time_zone_of_the_variable_is_the_schedules(client: PrefectClient) -> None:
    await put_up(client)
    await client.update_variable(VariableUpdate(name="rever_time_zone", value="Europe/Stockholm"))
    assert len(not_left(await put_up(client))) == len(SCHEDULES)
    [schedule] = (await read(client, "reconcile")).schedules
    assert schedule.schedule.model_dump()["timezone"] == "Europe/Stockholm"
    await client.update_variable(VariableUpdate(name="rever_time_zone", value="Madrid"))
    with pytest.raises(BootstrapError, match="'Madrid', not a time zone: write it like Europe/Madrid"):
        await put_up(client)
    await client.delete_variable_by_name("rever_time_zone")


async def test_an_automation_that_was_edited_is_put_right_and_one_switched_off_stays_off(client: PrefectClient) -> None:
    await put_up(client)
    name = dead_runs().name
    [found] = await client.read_automations_by_name(name)
    assert isinstance(found.trigger, EventTrigger)
    edited = dead_runs().model_copy(
        update={"enabled": False, "trigger": found.trigger.model_copy(update={"within": timedelta(hours=1)})}
    )
    await client.update_automation(found.id, edited)
    await client.create_automation(edited)
    assert not_left(await put_up(client)) == [f"changed  automation {name!r}: trigger, it is there twice"]
    [found] = await client.read_automations_by_name(name)
    assert isinstance(found.trigger, EventTrigger)
    assert (found.trigger.within, found.enabled) == (timedelta(seconds=90), False)
    await client.delete_automation(found.id)
