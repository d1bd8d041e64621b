"""The links to Prefect's UI: of which server, to which form; and none where nothing is there to link to."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from prefect import flow, get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterId, ArtifactFilterKey
from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_UI_V2_ENABLED, PREFECT_UI_URL, temporary_settings

from tasks.in_prefect.ui_links import (
    ANSWER_ONE,
    NO_LINKS,
    holds_artifacts,
    holds_key,
    this_ui,
    ui_links,
    ui_links_now,
    write_holds,
)
from tests.samples import NEW_HOLD as HOLD

HERE = {PREFECT_API_URL: "http://127.0.0.1:9/api"}


@pytest.mark.parametrize(
    ("settings", "page"),
    [
        ({}, "http://127.0.0.1:9/v2/artifacts/key/open-holds-acme#page"),
        ({PREFECT_UI_URL: "https://desk.example/"}, "https://desk.example/v2/artifacts/key/open-holds-acme#page"),
        ({PREFECT_UI_URL: "https://desk.example/v2"}, "https://desk.example/v2/artifacts/key/open-holds-acme#page"),
        ({PREFECT_SERVER_UI_V2_ENABLED: False}, "http://127.0.0.1:9/artifacts/key/open-holds-acme#page"),
    ],
)
def test_the_address_is_that_of_prefects_settings(settings: dict[Any, Any], page: str) -> None:
    with temporary_settings(HERE | settings):
        assert this_ui().page("acme") == page


def test_where_no_server_is_named_or_it_does_not_respond_there_are_no_links() -> None:
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        assert this_ui() == ui_links_now(["acme"], 1) == NO_LINKS
    with temporary_settings(HERE):
        assert ui_links_now(["acme"], 0.5) == NO_LINKS
    assert NO_LINKS.answers(HOLD) == {}
    assert NO_LINKS.cause("guard", "acme", "2-abc") == NO_LINKS.page("acme") == ""


@pytest.fixture
async def client(prefect_server: None) -> AsyncIterator[PrefectClient]:
    async with get_client() as client:
        yield client


@pytest.mark.prefect
async def test_the_forms_are_those_of_the_deployments_and_a_page_keeps_its_address(client: PrefectClient) -> None:
    before = await ui_links(client, [])
    assert before.answers(HOLD) == {}
    assert before.ui

    @flow(name=ANSWER_ONE)
    def answers() -> None:
        """Nothing."""

    made = await client.create_deployment(await client.create_flow(answers), ANSWER_ONE)
    try:
        first = await write_holds(client, "links", "### one")
        assert await write_holds(client, "links", "### two") == first
        links = await ui_links(client, ["links", "none"], "acme-key")
        assert links.page("links") == f"{links.ui}/artifacts/artifact/{first}#page"
        assert links.page("none").endswith("/artifacts/key/open-holds-none#page")
        mine = ArtifactFilter(id=ArtifactFilterId(any_=[UUID(str(first))]))
        assert [artifact.data for artifact in await client.read_artifacts(artifact_filter=mine)] == ["### two"]
        assert await holds_artifacts(client, ["links", "none"]) == {"links": first}
        (form,) = links.answers(HOLD).values()
        assert urlsplit(form).path.endswith(f"/deployments/deployment/{made}/run")
        filled = json.loads(parse_qs(urlsplit(form).query)["parameters"][0])["parameters"]
        wanted = {"hold_id": "h1", "version": 1, "answer": "retry", "mode": "act", "credentials": "acme-key"}
        assert filled == wanted
    finally:
        await client.delete_deployment(made)


@pytest.mark.prefect
async def test_runs_that_write_a_store_s_first_page_at_the_same_time_leave_one(prefect_server: None) -> None:
    async with get_client() as client:
        await asyncio.gather(*(write_holds(client, "race", f"### {n}") for n in range(8)))
        those = ArtifactFilter(key=ArtifactFilterKey(any_=[holds_key("race")]))
        (left,) = await client.read_artifacts(artifact_filter=those)
        assert await holds_artifacts(client, ["race"]) == {"race": left.id}
        assert await write_holds(client, "race", "### last") == left.id
