"""What every flow does around its work when Prefect runs it: each step as a task, and the result to be seen."""

from typing import Any

from prefect import State, get_client
from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.parameters import FlowParameters
from flows.timed import P, RunFailedError, Work, timed
from tasks.in_prefect import as_task
from tasks.report import Report


def run_name() -> str:
    """The name a run starts with: flow, stores and mode. The count follows when it is known."""
    form = flow_run.parameters.get("parameters")
    values = form.model_dump() if isinstance(form, FlowParameters) else dict(form or {})
    stores = "+".join(values.get("stores") or ()) or "all stores"
    return f"{flow_run.flow_name} {stores} {values.get('mode', 'plan')}"


async def in_prefect(name: str, work: Work[P], parameters: P) -> State[Report]:
    """Run a flow's work with Prefect's tasks around its steps, and leave name and artifacts behind.

    The state says in a sentence what was done, and carries the report: who awaits the flow gets the report.
    Raises `RunFailedError` where too much failed of our own fault, and whatever error says that the set-up is wrong.
    """
    report = await timed(name, work, parameters, as_task, flow_run_id=flow_run.id or "")
    await _show(report)
    if report.failed:
        raise RunFailedError(report)
    return Completed(data=report, message=report.sentence())


async def _show(report: Report) -> None:
    key = report.flow
    await acreate_markdown_artifact(report.markdown(), key=f"{key}-report", description=f"{key}: what was done")
    rows: list[dict[str, Any]] = [dict(row) for row in report.table()]
    await acreate_table_artifact(rows, key=f"{key}-returns", description=f"{key}: return by return")
    for name, cells in report.tables.items():
        await acreate_table_artifact([dict(row) for row in cells], key=f"{key}-{name}", description=f"{key}: {name}")
    if flow_run.id:
        name = f"{key} {'+'.join(report.stores)} {report.mode} {report.seen} returns"
        async with get_client() as client:
            await client.update_flow_run(flow_run.id, name=name)
