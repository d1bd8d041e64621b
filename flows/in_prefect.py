"""What every flow does around its work when Prefect runs it: each step as a task, and the result to be seen."""

import httpx
from prefect import State, get_client, get_run_logger
from prefect.exceptions import PrefectException
from prefect.runtime import deployment, flow_run
from prefect.states import Completed, Failed

from flows.artifacts import artifacts_of
from flows.parameters import FlowParameters
from flows.timed import P, RunFailedError, Work, timed
from tasks.credentials import stated_by
from tasks.desk import Desk
from tasks.failures import presentable
from tasks.global_limits import standing_limits
from tasks.in_prefect import WithinLimits, as_task
from tasks.ledger import HoldRow, LedgerError, open_holds, opened_by
from tasks.notices import hold_events, send
from tasks.report import Mode, Report
from tasks.settings import load_settings
from tasks.steps import Stage, limits_note

MANY = 3
"""Stores that a run's name lists; more are counted."""


def run_name() -> str:
    """The name a run starts with: flow, what it is about, and mode. Stores and count follow when they are known."""
    form = flow_run.parameters.get("parameters")
    values = form.model_dump() if isinstance(form, FlowParameters) else dict(form or {})
    about = values.get("process_id") or _stores(values.get("stores") or ()) or "all stores"
    return f"{flow_run.flow_name} {about} {values.get('mode', 'plan')}"


async def in_prefect(name: str, work: Work[P], parameters: P) -> State[Report]:
    """Run a flow's work with Prefect's tasks around its steps, and leave name, tags, artifacts and events behind.

    The state says in a sentence what was done, and carries the report: who awaits the flow gets the report. Where the
    set-up is wrong, or too much failed of our own fault, the state is Failed, says so, and carries the error.
    """
    ending = Ending()
    try:
        report = await _worked(name, work, parameters, ending)
    except Exception as error:  # noqa: BLE001 - Prefect would keep its text, which may quote a shopper
        shown = presentable(error)
        get_run_logger().error("%s", shown)
        await ending.tell()
        return Failed(message=f"{name} stopped: {shown}", data=shown)
    await ending.tell()
    await _show(report, ending.holds, parameters)
    if report.failed:
        failed = RunFailedError(report)
        return Failed(message=f"{failed} ({report.sentence()})", data=failed)
    return Completed(message=report.sentence(), data=report)


async def _worked(name: str, work: Work[P], parameters: P, ending: "Ending") -> Report:
    stated = await stated_by(parameters.credentials)
    settings = load_settings(overrides=stated, source=f"credentials block {parameters.credentials!r}" if stated else "")
    stage: Stage = as_task
    limits: dict[str, int] = {}
    if deployment.id:
        limits = await standing_limits()
        stage = WithinLimits(limits)
    report = await timed(name, work, parameters, stage, flow_run.id or "", settings=settings, at_end=ending.look)
    report.limits = limits_note(limits)
    return report


class Ending:
    """What the ledger says at the end of a run: the holds it opened, and those that are open at its stores."""

    def __init__(self) -> None:
        self.opened: list[HoldRow] = []
        self.holds: list[HoldRow] = []
        self._back_office = ""

    async def look(self, desk: Desk, report: Report | None) -> None:
        """Read it. After a work that broke off, a ledger that cannot be read is no other error."""
        self._back_office = desk.settings.back_office
        try:
            if desk.mode is Mode.ACT and flow_run.id:
                self.opened = await desk.ledger.aread(opened_by, flow_run.id)
            if report is not None:
                report.back_office = self._back_office
                self.holds = await desk.ledger.aread(open_holds, report.stores)
        except LedgerError:
            if report is not None:
                raise

    async def tell(self) -> None:
        """Emit an event for each hold that was opened."""
        await send(hold_events(self.opened, flow_run_id=flow_run.id or "", back_office=self._back_office))


async def _show(report: Report, holds: list[HoldRow], parameters: FlowParameters) -> None:
    """Name, tags and artifacts of the run. What was done is done: where they cannot be kept, the log says so."""
    about = str(getattr(parameters, "process_id", "")) or report.counted
    name = f"{report.flow} {_stores(report.stores)} {report.mode} {about}"
    held = ["held"] if any(row.outcome.endswith("held") for row in report.rows.values()) else []
    tags = [*flow_run.tags, f"mode:{report.mode}", *(f"store:{store}" for store in report.stores), *held]
    try:
        async with get_client() as client:
            for artifact in artifacts_of(report, holds):
                await artifact.acreate(client=client)
            await client.update_flow_run(flow_run.id, name=name, tags=sorted(set(tags)))
    except (httpx.HTTPError, PrefectException) as error:
        get_run_logger().warning("Prefect did not keep all of the report: %s", type(error).__name__)


def _stores(stores: list[str] | tuple[str, ...]) -> str:
    return "+".join(stores) if len(stores) <= MANY else f"{len(stores)} stores"
