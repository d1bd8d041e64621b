"""process-pending-returns as Prefect runs it: what a person sees in its UI, and what must never be seen there."""

import json
import logging
import re
from typing import Any
from uuid import UUID

import pytest
from prefect import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import FlowRun, State, TaskRun
from prefect.client.schemas.sorting import LogSort

from flows.process_pending_returns import Parameters, process_pending_returns
from tasks.report import Mode
from tasks.steps import STEPS
from tests.flows.accounts import account
from tests.flows.conftest import Bench, Start

pytestmark = pytest.mark.prefect


async def seen(run_id: UUID) -> tuple[FlowRun, list[TaskRun], list[dict[str, Any]], list[str]]:
    """All that Prefect keeps of a run: itself, its task runs, its artifacts, its log lines."""
    async with get_client() as client:
        run = await client.read_flow_run(run_id)
        one = FlowRunFilter(id=FlowRunFilterId(any_=[run_id]))
        tasks = await client.read_task_runs(flow_run_filter=one)
        artifacts = await client.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]))
        )
        lines = await client.read_logs(
            LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run_id])), sort=LogSort.TIMESTAMP_ASC
        )
    return run, tasks, [artifact.model_dump(mode="json") for artifact in artifacts], [line.message for line in lines]


async def test_a_run_is_named_told_in_artifacts_and_shows_no_shopper_and_no_key(
    start_bench: Start, prefect_server: None, caplog: pytest.LogCaptureFixture
) -> None:
    bench = start_bench(returns=40)
    with caplog.at_level(logging.INFO):
        state: State[Any] = await process_pending_returns(Parameters(mode=Mode.ACT), return_state=True)
    assert state.state_details.flow_run_id
    run, tasks, artifacts, lines = await seen(state.state_details.flow_run_id)
    assert state.is_completed()
    report: Any = await state.aresult()
    assert run.name == f"process-pending-returns acme+nordic act {report.seen} returns"
    assert {artifact["type"] for artifact in artifacts} == {"markdown", "table"}
    table = json.loads(next(artifact["data"] for artifact in artifacts if artifact["type"] == "table"))
    assert {row["return"] for row in table} == set(report.rows)
    assert {task.name.split()[0] for task in tasks} <= set(STEPS)
    assert any(task.name.startswith("issue-refunds acme 1 (") for task in tasks)
    everything = [run.model_dump_json(), *(task.model_dump_json() for task in tasks), json.dumps(artifacts)]
    kept = " ".join((*everything, *lines, caplog.text, _ledger_files(bench)))
    assert [row.order for row in report.rows.values() if row.order not in kept] == []
    assert [word for word in _secrets(bench) if re.search(rf"\b{re.escape(word)}\b", kept)] == []
    assert len(lines) > len(STEPS) / 2
    assert report.paid == bench.paid() == account(bench).paid != {}


def _ledger_files(bench: Bench) -> str:
    return " ".join(
        file.read_bytes().decode("utf-8", "replace") for file in bench.ledger_file.parent.glob("ledger.sqlite*")
    )


def _secrets(bench: Bench) -> set[str]:
    """The key, and what the shop knows of its shoppers: whole names, e-mails, phone numbers, where they live."""
    found = {bench.sandbox.api_key, "example.com"}
    for stored in bench.sandbox.sandbox.processes.values():
        shopper, address = stored.process.shopper, stored.process.pickup_address
        if shopper:
            found |= {shopper.email, f"{shopper.first_name} {shopper.last_name}", shopper.last_name}
            found |= {shopper.phone_number.removeprefix("+")}
        if address:
            found.add(address.address_line_1)
    return {word for word in found if len(word) > 3}
