"""track-parcels: where the parcels of returns are, and since when."""

from prefect import State, flow

from flows.in_prefect import in_prefect, run_name
from flows.parameters import StoresParameters
from flows.sub_flows import side_by_side
from tasks.desk import Desk
from tasks.reporting.parcels_report import ParcelsReport
from tasks.steps import about
from tasks.track_parcels import Tracked, find_stopped, track_store

NAME = "track-parcels"


class Parameters(StoresParameters):
    """Track parcels: note where the returns' parcels are, since when, and which have stopped."""

    def new_report(self, flow: str) -> ParcelsReport:
        """The report with which a run of the flow begins."""
        return ParcelsReport(flow, mode=self.mode)


async def work(desk: Desk, parameters: Parameters, report: ParcelsReport) -> None:
    """Look at the parcels that can have moved, the stores side by side; tell what moved, went back, and has stopped."""
    report.stores = desk.chosen(parameters.stores)

    async def track(store: str) -> None:
        found = Tracked()
        await desk.rules(store)  # what was seen is dated by this machine's clock: it must be right
        with about(store):
            try:
                await track_store(desk, store, found)
                await find_stopped(desk, store, found)
            finally:
                report.see(store, len(found.looked_at))
                report.fail(store, found.failures)
                report.take(found.moved, found.stopped, desk.clock(), found.replaced)
                report.told += found.told

    await side_by_side(desk, report.stores, track)


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def track_parcels(parameters: Parameters = Parameters()) -> State[ParcelsReport]:  # noqa: B008 - Prefect's form
    """Note where the parcels of returns are, and since when: rules that pay at a scan or an arrival go by it.

    With mode `act` the changes are written in the ledger. Nothing is sent to REVER.
    """
    return await in_prefect(NAME, work, parameters)
