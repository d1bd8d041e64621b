"""A server as it was before bootstrap: once for a module, or for a test that asks for it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import suppress

import pytest
from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.exceptions import ObjectNotFound

from deployments.bootstrap.objects import DEFAULTS, POOLS
from deployments.receiver.offers import MANY
from flows.catalog import FLOWS
from tasks.steps import global_limits


@pytest.fixture(scope="module")
def cleared_after(prefect_server: None) -> Iterator[None]:
    """Leave nothing of ours to the tests that follow."""
    yield
    asyncio.run(_clear_all())


@pytest.fixture
async def client(cleared_after: None) -> AsyncIterator[PrefectClient]:
    """A client of the session's server, set up or not."""
    async with get_client() as client:
        yield client


@pytest.fixture
async def fresh(client: PrefectClient) -> PrefectClient:
    """A client of a server that was never set up, as far as we are concerned."""
    await clear(client)
    return client


async def clear(client: PrefectClient) -> None:
    """Take away what bootstrap makes."""
    for name in (*(f"{flow}/{flow}" for flow in FLOWS), MANY):
        with suppress(ObjectNotFound):
            found = await client.read_deployment_by_name(name)
            await client.delete_deployment(found.id)
    for automation in await client.read_automations():
        if automation.name.startswith("rever: "):
            await client.delete_automation(automation.id)
    await _gone(*(client.delete_work_pool(name) for name in POOLS))
    await _gone(*(client.delete_variable_by_name(name) for name in DEFAULTS))
    await _gone(*(client.delete_global_concurrency_limit_by_name(name) for name in global_limits()))
    for slug in ("slack-webhook", "custom-webhook"):
        with suppress(ObjectNotFound):
            document = await client.read_block_document_by_name("rever-notices", slug)
            await client.delete_block_document(document.id)


async def _clear_all() -> None:
    async with get_client() as client:
        await clear(client)


async def _gone(*removals: Awaitable[object]) -> None:
    for removal in removals:
        with suppress(ObjectNotFound):
            await removal
