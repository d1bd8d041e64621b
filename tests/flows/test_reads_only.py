"""A flow that writes nothing and has no rows of returns: its form has no mode, its report no money."""

import asyncio
from importlib import import_module
from typing import Any, ClassVar, get_type_hints

import pytest
from prefect import State, flow, get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

from flows.catalog import FLOWS
from flows.in_prefect import in_prefect, run_name
from flows.parameters import FlowParameters
from flows.run import CUT_SHORT, timed
from tasks.desk import Desk
from tasks.ledger import Ledger
from tasks.reporting.report import Failure, RunReport
from tests.world import World

KEYS = ["flow", "stores", "seen", "failed", "stores_failed", "by_store", "failures", "notes", "paused", "duration_s"]


class Parameters(FlowParameters):
    """Count the stores."""

    begins: ClassVar[bool] = True


async def work(desk: Desk, _: Parameters, report: RunReport) -> None:
    """Note how many stores there are, and put them into a table."""
    report.seen = len(desk.stores)
    report.notes.append(f"{report.counted} counted")
    report.tables["stores"] = [{"store": store} for store in desk.stores]


@flow(name="count-stores", flow_run_name=run_name)
async def count_stores(parameters: Parameters = Parameters()) -> State[RunReport]:  # noqa: B008 - Prefect's form
    """Count the stores."""
    return await in_prefect("count-stores", work, parameters)


@pytest.mark.parametrize("name", FLOWS)
def test_a_forms_report_is_what_the_work_of_its_flow_asks_for(name: str) -> None:
    module = import_module(FLOWS[name])
    form = module.Parameters.model_construct(mode="plan")
    assert type(form.new_report(name)) is get_type_hints(module.work)["report"]


def test_its_report_says_what_ran_and_nothing_of_money_and_it_makes_no_ledger(world: World) -> None:
    report = asyncio.run(timed("count-stores", work, Parameters()))
    assert type(report) is RunReport
    assert list(report.as_json()) == KEYS
    assert not report.acts
    assert report.lines()[0].startswith("count-stores over acme, nordic: 2 things in ")
    assert "  note: 2 things counted" in report.lines()
    assert report.sentence() == "2 things"
    assert not Ledger.exists(world.ledger_url)


def test_it_fails_by_its_own_faults_and_says_how_far_it_came(world: World) -> None:
    async def faulty(desk: Desk, parameters: Parameters, report: RunReport) -> None:
        await work(desk, parameters, report)
        report.failures.append(Failure("nordic", "a fault", ours=True))
        report.fail_store("acme", "REVER did not answer")

    report = asyncio.run(timed("count-stores", faulty, Parameters()))
    fault = "1 of 2 things failed by a fault of this software; the first: nordic: a fault"
    assert report.failed_why == f"store 'acme': REVER did not answer; {fault}"
    assert report.sentence() == "2 things; given up at acme; 1 not worked on"


def test_one_that_is_cut_off_had_nothing_under_way(world: World) -> None:
    kept: list[RunReport] = []

    async def cancelled(desk: Desk, parameters: Parameters, report: RunReport) -> None:
        kept.append(report)
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(timed("count-stores", cancelled, Parameters()))
    assert kept[0].broke_off == CUT_SHORT


@pytest.mark.prefect
async def test_in_prefect_it_is_named_without_a_mode_and_leaves_its_page_and_tables(
    world: World, prefect_server: None
) -> None:
    state: State[Any] = await count_stores(return_state=True)
    assert state.is_completed(), state.message
    assert state.message == "2 things"
    async with get_client() as client:
        run = await client.read_flow_run(state.state_details.flow_run_id)  # type: ignore[arg-type]
        mine = ArtifactFilterFlowRunId(any_=[run.id])
        artifacts = await client.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id=mine))
    assert run.name == "count-stores acme+nordic 2 things"
    assert set(run.tags) == {"store:acme", "store:nordic"}
    assert {artifact.key for artifact in artifacts} == {"count-stores-report", "count-stores-stores"}
    assert all("Paid" not in str(artifact.data) and "mode" not in str(artifact.data) for artifact in artifacts)
