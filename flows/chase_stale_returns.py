"""chase-stale-returns: which returns have stood still for too long, since when, and who has to act."""

from prefect import State, flow

from flows.in_prefect import in_prefect, run_name
from flows.parameters import StoresParameters
from flows.sub_flows import side_by_side
from tasks.chase_returns import find_stale, remind
from tasks.desk import Desk
from tasks.reporting.stale_report import StaleReport
from tasks.steps import about

NAME = "chase-stale-returns"


class Parameters(StoresParameters):
    """Chase stale returns: list what has stood still for too long; with act, tell of each once at each stage."""

    def new_report(self, flow: str) -> StaleReport:
        """The report with which a run of the flow begins."""
        return StaleReport(flow, mode=self.mode)


async def work(desk: Desk, parameters: Parameters, report: StaleReport) -> None:
    """Find what stands still, the stores side by side; in `act` note of which of them people are told now."""
    report.stores = desk.chosen(parameters.stores)

    async def chase(store: str) -> None:
        await desk.rules(store)  # days are counted by this machine's clock: it must be right
        with about(store):
            found = await find_stale(desk, store)
            report.see(store, len(found.read))
            report.fail(store, found.failures)
            report.take(found.stale)
            if report.acts:
                report.told += await remind(desk, found)

    await side_by_side(desk, report.stores, chase)


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def chase_stale_returns(
    parameters: Parameters = Parameters(),  # noqa: B008 - Prefect's form
) -> State[StaleReport]:
    """List the returns that have stood still for too long, oldest first: since when, who has to act, what comes next.

    With mode `act` people are told of each once at each stage. Nothing is sent to REVER, held or called off.
    """
    return await in_prefect(NAME, work, parameters)
