"""explain-return: the story of a return as a report and as a page in Prefect, by whatever key; it writes nothing."""

import asyncio
import json
from typing import Any

import pytest
from prefect import State, get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

from flows.explain_return import Parameters, explain_return
from flows.run import run_flow
from rever_api.errors import ReverError
from rever_api.models import ReturnProcess
from tasks.ledger import Ledger, stop_switch
from tasks.reporting.story_report import StoryReport
from tests.world import World


def explained(world: World, typed: str) -> StoryReport:
    report = run_flow("explain-return", {"process_id": typed}, prefect=False, clock=world.clock)
    assert isinstance(report, StoryReport)
    return report


def approved(world: World, number: int = 0) -> ReturnProcess:
    return world.sandbox.sandbox.processes[world.sandbox.process_ids("approved_one")[number]].process


def test_before_any_run_it_tells_what_rever_shows_and_writes_nothing(world: World) -> None:
    it = approved(world)
    report = explained(world, it.order_name)
    (story,) = report.stories
    assert story.title == f"Return of order {it.order_name}, store acme"
    assert story.waits_for == "a run that looks at it"
    assert (story.timeline[0].who, story.timeline[0].what) == ("REVER", "the shopper started the return")
    assert not Ledger.exists(world.ledger_url)
    assert world.paid() == {}


def test_what_was_paid_is_told_with_amount_rule_and_evidence_in_the_stores_time(world: World) -> None:
    it = approved(world)
    world.act()
    report = explained(world, it.order_name.lstrip("#"))
    (story,) = report.stories
    money = f"{it.return_line_items[0].total_price} EUR"
    assert any(line.startswith(f"refund of {money} by original payment method") for line in story.sent)
    assert any("REVER confirmed the refund" in each.what for each in story.timeline)
    text = "\n".join(report.lines())
    assert " CET  process-pending-returns: sent to REVER: the refund of " in text
    assert "ORIGINAL_PAYMENT_METHOD" not in text
    assert report.sentence() == f"{story.title}, waits for the next run"
    (note,) = [note for note in report.notes if note.startswith("found by")]
    assert note.startswith(f"found by order number {it.order_name.lstrip('#')}: {it.rever_process_id} (order ")


def test_a_stop_that_was_lifted_is_told_no_more_though_no_run_has_looked_since(world: World) -> None:
    it = approved(world)
    world.act(process_ids=approved(world, 1).rever_process_id)
    world.write(stop_switch, on=True, by="olga", why="audit", now=world.now())
    world.act()
    (stopped,) = explained(world, it.rever_process_id).stories
    assert "all effects are stopped by olga: audit" in stopped.waits_for
    world.let_effects_go()
    (story,) = explained(world, it.rever_process_id).stories
    assert story.waits_for == "the next run that acts"
    assert story.stops == ()


def test_an_order_of_several_returns_is_told_return_by_return(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    it, other = approved(world), approved(world, 1)
    with world.sandbox.sandbox.locked():
        stored = world.sandbox.sandbox.processes[other.rever_process_id]
        stored.process = other.model_copy(update={"order_name": it.order_name})
    report = explained(world, it.order_name)
    assert {story.process_id for story in report.stories} == {it.rever_process_id, other.rever_process_id}
    assert (report.seen, report.page.count("#### What happened")) == (2, 2)
    assert report.page.startswith("2 returns found, one after the other.")
    monkeypatch.setattr("flows.explain_return.MOST_STORIES", 1)
    notes = explained(world, it.order_name).notes
    assert any(note.startswith("not shown here, ask for them one by one: retp_") for note in notes)


def test_the_json_has_the_story_and_no_shopper(world: World) -> None:
    it = approved(world)
    world.act()
    text = json.dumps(explained(world, it.rever_process_id).as_json())
    (story,) = json.loads(text)["stories"]
    assert story["process_id"] == it.rever_process_id
    assert story["happened"][0]["who"] == "REVER"
    assert it.shopper
    assert not [word for word in (it.shopper.email, it.shopper.last_name) if word in text]


def test_in_an_outage_the_ledger_tells_alone_and_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    it = approved(world)
    world.act()
    monkeypatch.setenv("REVER_ACCOUNT", world.account)
    monkeypatch.setenv("REVER_BASE_URL", "http://127.0.0.1:9")
    report = explained(world, it.order_name)
    assert any(note.startswith("REVER could not be asked") for note in report.notes)
    assert any(line.startswith("refund of ") for line in report.stories[0].sent)
    with pytest.raises(ReverError):
        explained(world, "#AC1")


@pytest.mark.prefect
async def test_in_prefect_the_story_is_an_artifact_without_a_shopper(world: World, prefect_server: None) -> None:
    it = approved(world)
    await asyncio.to_thread(world.act)
    state: State[Any] = await explain_return(Parameters(process_id=it.order_name), return_state=True)
    assert state.is_completed(), state.message
    async with get_client() as client:
        run = await client.read_flow_run(state.state_details.flow_run_id)  # type: ignore[arg-type]
        mine = ArtifactFilterFlowRunId(any_=[run.id])
        artifacts = await client.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id=mine))
    assert run.name == f"explain-return acme {it.order_name}"
    pages = {artifact.key: str(artifact.data) for artifact in artifacts}
    assert set(pages) == {"explain-return-report", "explain-return-story"}
    assert "#### What happened" in pages["explain-return-story"]
    assert it.shopper
    for word in (it.shopper.email, it.shopper.last_name):
        assert word
        assert word not in "".join(pages.values())


@pytest.mark.prefect
async def test_in_prefect_nothing_found_is_a_failed_run_that_says_so(world: World, prefect_server: None) -> None:
    state: State[Any] = await explain_return(Parameters(process_id="#AC1"), return_state=True)
    assert state.is_failed()
    assert "no return was found by #AC1" in (state.message or "")
