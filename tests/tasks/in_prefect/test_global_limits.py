"""Global limits of a real Prefect server: what they let through at a time, and what is said when they cannot."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from prefect import flow, get_client
from prefect.client.orchestration import PrefectClient

from tasks.desk import DeskError
from tasks.in_prefect.global_limits import slots_of
from tasks.steps import STEPS, Step, as_tasks
from tasks.steps import step as made_a_step

pytestmark = pytest.mark.prefect


@pytest.fixture
async def client(prefect_server: None) -> AsyncIterator[PrefectClient]:
    async with get_client() as client:
        yield client


@pytest.fixture
async def step(client: PrefectClient) -> AsyncIterator[Step]:
    """A step of its own, whose limit has two slots."""
    step = replace(STEPS["issue-refunds"], name=f"test-{uuid.uuid4().hex[:8]}", timeout_s=60)
    await client.upsert_global_concurrency_limit_by_name(step.limit, 2)
    yield step
    await client.delete_global_concurrency_limit_by_name(step.limit)


async def held(client: PrefectClient, step: Step) -> int:
    return (await client.read_global_concurrency_limit_by_name(step.limit)).active_slots


async def test_a_step_takes_a_slot_for_each_return_and_no_more_than_there_are(
    client: PrefectClient, step: Step
) -> None:
    seen = []

    @flow
    async def run() -> None:
        for batch in (["one"], ["one of many"] * 100, "unknown"):
            async with slots_of(step.limit, step.takes((batch,), {step.limit: 2}), 60):
                seen.append(await held(client, step))

    await run()
    assert seen == [1, 2, 2]
    assert await held(client, step) == 0


async def test_who_finds_no_slot_waits_and_gives_up_with_a_sentence(client: PrefectClient, step: Step) -> None:
    @flow
    async def run() -> None:
        async with slots_of(step.limit, 2, 60):
            with pytest.raises(DeskError, match=f"no slot of the global limit {step.limit} came free in 1 s"):
                async with slots_of(step.limit, 1, 1):
                    pytest.fail("it was let in")

    await run()
    assert await held(client, step) == 0


async def test_a_limit_that_is_gone_since_the_run_began_lets_nobody_pass(client: PrefectClient, step: Step) -> None:
    @flow
    async def run() -> None:
        async with slots_of(f"{step.limit}-gone", 1, 60):
            pytest.fail("it was let in")

    with pytest.raises(DeskError, match="it is gone from Prefect's server"):
        await run()


async def test_a_step_in_two_runs_at_once_runs_one_after_the_other(
    client: PrefectClient, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STEPS, "issue-refunds", step)
    now, most = 0, 0

    @made_a_step("issue-refunds")
    async def work(_: list[str]) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.2)
        now -= 1

    @flow
    async def run() -> None:
        with as_tasks({step.limit: 2}):
            await work(["one", "two"])

    await asyncio.gather(run(), run())
    assert most == 1
