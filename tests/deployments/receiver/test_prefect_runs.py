"""What is asked of Prefect, at Prefect's own server; and that its absence is a sentence."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.events.filters import EventFilter, EventNameFilter
from prefect.exceptions import ObjectAlreadyExists
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelled, Completed, Pending
from prefect.utilities.callables import parameter_schema

from deployments.receiver.delivery import Kind
from deployments.receiver.offers import MANY, ONE, parameters_of
from deployments.receiver.prefect_runs import UNNEEDED, Announcer, PrefectRuns, PrefectTrouble, RunState
from flows.process_return import process_return

NOWHERE = "http://127.0.0.1:9/api"


@pytest.fixture
async def deployed(prefect_server: None) -> AsyncIterator[PrefectClient]:
    """A client of a server that has the deployment for one return."""
    async with get_client() as client:
        with suppress(ObjectAlreadyExists):
            await client.create_work_pool(WorkPoolCreate(name="test-lane", type="process"))
        deployment_id = await client.create_deployment(
            await client.create_flow(process_return),
            "process-return",
            work_pool_name="test-lane",
            parameter_openapi_schema=parameter_schema(process_return).model_dump_for_openapi(),
            enforce_parameter_schema=True,
        )
        yield client
        await client.delete_deployment(deployment_id)
        await client.delete_work_pool("test-lane")


@pytest.mark.prefect
async def test_a_run_is_asked_for_once_by_its_key_and_followed(deployed: PrefectClient) -> None:
    runs, key = PrefectRuns(), uuid4().hex
    form = parameters_of(ONE, ["retp_1"])
    first = await runs.offer(ONE, form, key)
    assert await runs.offer(ONE, form, key) == first
    assert await runs.offer(ONE, form, key + "again") != first
    run = await deployed.read_flow_run(UUID(first))
    assert (run.parameters, run.parent_task_run_id) == (form, None)
    assert await runs.states([first, str(uuid4())]) == {first: RunState.TO_COME}
    await deployed.set_flow_run_state(run.id, Pending())
    assert await runs.states([first]) == {first: RunState.UNDER_WAY}
    await deployed.set_flow_run_state(run.id, Cancelled(), force=True)
    assert await runs.states([first]) == {first: RunState.OVER}
    assert await runs.reachable(5.0)
    await runs.close()


@pytest.mark.prefect
async def test_a_run_is_cancelled_only_while_nobody_has_taken_it(deployed: PrefectClient) -> None:
    runs = PrefectRuns()
    waits, taken, over = [await runs.offer(ONE, parameters_of(ONE, ["retp_1"]), uuid4().hex) for _ in range(3)]
    await deployed.set_flow_run_state(UUID(taken), Pending())
    await deployed.set_flow_run_state(UUID(over), Completed(), force=True)
    assert await runs.cancel([waits, taken, over, str(uuid4())]) == {waits}
    state = (await deployed.read_flow_run(UUID(waits))).state
    assert state is not None
    assert (state.is_cancelled(), state.message) == (True, UNNEEDED)
    assert await runs.states([taken, over]) == {taken: RunState.UNDER_WAY, over: RunState.OVER}
    assert await runs.cancel([waits]) == set()
    await runs.close()


@pytest.mark.prefect
async def test_what_is_missing_there_is_said(deployed: PrefectClient) -> None:
    runs = PrefectRuns()
    with pytest.raises(PrefectTrouble, match=f"no deployment {MANY}: run `rever-returns bootstrap`"):
        await runs.offer(MANY, parameters_of(MANY, ["retp_1"]), uuid4().hex)
    with pytest.raises(PrefectTrouble, match="Prefect responded with HTTP 4") as refused:
        await runs.offer(ONE, {"parameters": {"mode": "ann@example.com"}}, uuid4().hex)
    assert "ann@" not in str(refused.value)
    await runs.close()


@pytest.mark.prefect
async def test_events_come_to_be_events_of_the_return(deployed: PrefectClient) -> None:
    announcer = Announcer(PrefectRuns())
    process_id = f"retp_{uuid4().hex}"
    loop = asyncio.create_task(announcer.run())
    announcer.came_in(Kind.SHIPPED, process_id, datetime.now(UTC))
    wanted = EventFilter(event=EventNameFilter(name=["rever.return.shipped"]))
    async with asyncio.timeout(60):
        found: list[dict[str, Any]] = []
        while not found:
            await asyncio.sleep(0.2)
            found = await _events(deployed, wanted, process_id)
    loop.cancel()
    assert len(found) == 1
    assert found[0]["payload"]["sentence"].endswith("is on its way: its shipping status changed")


async def _events(client: PrefectClient, wanted: EventFilter, process_id: str) -> list[dict[str, Any]]:
    body = {"filter": wanted.model_dump(mode="json")}
    page = (await client.request("POST", "/events/filter", json=body)).json()
    resource = f"rever.return.{process_id}"
    return [event for event in page["events"] if event["resource"]["prefect.resource.id"] == resource]


async def test_a_server_that_is_away_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("httpcore._async.connection.RETRIES_BACKOFF_FACTOR", 0.01)  # each connects three times more
    runs = PrefectRuns()
    with temporary_settings({PREFECT_API_URL: NOWHERE}):
        assert not await runs.reachable(5.0)
        with pytest.raises(PrefectTrouble, match=r"Prefect did not respond \(ConnectError\)"):
            await runs.offer(ONE, parameters_of(ONE, ["retp_1"]), "key")
        with pytest.raises(PrefectTrouble, match="Prefect did not respond"):
            await runs.states([str(uuid4())])
        with pytest.raises(PrefectTrouble, match="Prefect did not respond"):
            await runs.emit([])
    await runs.close()
