"""generate-labels: labels and pickups for the returns that wait for one."""

from prefect import State, flow

from flows.in_prefect import in_prefect, run_name
from flows.parameters import SearchParameters
from flows.sub_flows import at, batches_through, fetch_some, named_ids, named_through, settle, settle_own
from tasks.desk import Desk
from tasks.fetch_returns import PendingReturns, since_at
from tasks.reporting.report import ReturnsReport

NAME = "generate-labels"


class Parameters(SearchParameters):
    """Generate labels: order the label or pickup of every started return that has none."""


async def work(desk: Desk, parameters: Parameters, report: ReturnsReport) -> None:
    """Settle what is open, then order a label for each started return that waits for one."""
    report.stores = desk.chosen(parameters.stores)
    named = await named_ids(desk, report, parameters.process_ids, parameters.stores)
    await settle(desk, report, report.stores, named or None)
    if named:
        found = await fetch_some(desk, report, named[: parameters.max_returns])
        await named_through(desk, report, found, "by id", labels_only=True)
    else:
        for store in report.stores:
            with at(desk, store):
                await desk.rules(store)
                since = await since_at(desk, store, parameters.started_since)
                left = parameters.left(report.seen)
                pending = PendingReturns(desk, store, started_since=since, at_most=left, labels_only=True)
                await batches_through(desk, report, pending)
    await settle_own(desk, report, report.stores)


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def generate_labels(parameters: Parameters = Parameters()) -> State[ReturnsReport]:  # noqa: B008 - Prefect's form
    """Order the label or pickup of every started return that has none.

    Labels are ordered only with mode `act`. Where no carrier fits, or a person must make it, the return is held.
    """
    return await in_prefect(NAME, work, parameters)
