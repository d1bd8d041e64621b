"""The returns that a file names are found whatever their status, by few searches where those tell the same."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest

from rever_api import AsyncReverClient
from rever_api.models import ReturnProcess, SearchQuery
from tasks import fetch_named_returns
from tasks.desk import client_config
from tasks.fetch_named_returns import NamedReturns, fetch_named
from tasks.fetch_returns import Entry
from tasks.files.matching import comparable
from tasks.settings import load_settings
from tests.world import World


def fetched(
    world: World, names: Mapping[str, str], walks: list[SearchQuery] | None = None, *, with_reviews: bool = True
) -> NamedReturns:
    """What is found by these names: field -> text. `walks` are the lists that were gone through.

    The lists leave reviews out unless they are `with_reviews`.
    """

    async def found() -> NamedReturns:
        async with AsyncReverClient(client_config(load_settings())) as client:
            real = client.walk_return_processes

            async def walked(query: SearchQuery) -> AsyncIterator[Entry]:
                if walks is not None:
                    walks.append(query)
                async for entry in real(query):
                    yield entry if with_reviews else entry.model_copy(update={"reviews": None})

            client.walk_return_processes = walked  # type: ignore[method-assign, assignment]
            wanted = {(key, comparable(key, text)): text for key, text in names.items()}
            return await fetch_named(client, world.sandbox.stores, wanted)

    return asyncio.run(found())


def process(world: World, scenario: str) -> ReturnProcess:
    return world.sandbox.sandbox.processes[world.sandbox.process_ids(scenario)[0]].process


@pytest.mark.parametrize("scenario", ["in_warehouse", "completed", "canceled"])
@pytest.mark.parametrize("few", [True, False])
def test_a_return_is_found_by_its_order_or_id_whatever_its_status(
    world: World, monkeypatch: pytest.MonkeyPatch, scenario: str, few: bool
) -> None:
    if few:  # as if the store had thousands of returns
        monkeypatch.setattr(fetch_named_returns, "MOST_PER_PAGE", 1)
    it = process(world, scenario)
    for names in ({"order": it.order_name.lower().lstrip("#")}, {"process_id": it.rever_process_id}):
        walks: list[SearchQuery] = []
        found = fetched(world, names, walks)
        assert list(found.returns) == [it.rever_process_id]
        assert found.stores == {it.rever_process_id: it.ecommerce_id}
        assert found.unreadable == []
        whole = [query for query in walks if not query.customer_printed_order_id]
        assert len(whole) == (0 if few else len(world.sandbox.stores))


def test_parcels_and_numbers_are_found_by_walking_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_named_returns, "MOST_PER_PAGE", 10)
    it = process(world, "in_warehouse")
    assert it.logistics
    for names in ({"tracking": it.logistics[0].tracking_number.lower()}, {"rma": it.platform_process_id.upper()}):
        assert list(fetched(world, names).returns) == [it.rever_process_id]


def test_what_names_nothing_finds_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_named_returns, "MOST_PER_PAGE", 1)
    for names in ({"order": "no-such-order-1"}, {"process_id": "retp_none"}):
        assert fetched(world, names).returns == {}


@pytest.mark.parametrize(("faults", "told"), [("none", True), ("getReturnProcess:1:conflict_409", False)])
def test_reviews_that_a_list_leaves_out_are_read_by_id(world: World, faults: str, told: bool) -> None:
    it, other = process(world, "approved_one"), process(world, "in_warehouse")
    world.sandbox.set_faults(faults)
    found = fetched(world, {"rma": it.rever_process_id, "order": other.order_name}, with_reviews=False)
    assert found.returns.keys() == {it.rever_process_id, other.rever_process_id}
    assert [each.reviews is not None for each in found.returns.values()] == [told, True]
