"""process-pending-returns: search, decide, act, for all returns that can move."""

from prefect import State, flow

from flows.in_prefect import in_prefect, run_name
from flows.parameters import SearchParameters
from flows.sub_flows import at, batches_through, end_approvals, fetch_some, named_ids, named_through, settle, settle_own
from tasks.desk import Budget, Desk
from tasks.fetch_returns import PendingReturns, since_at
from tasks.reporting.report import ReturnsReport

NAME = "process-pending-returns"


class Parameters(SearchParameters):
    """Process pending returns: refund, exchange or label every return that can move."""


async def work(desk: Desk, parameters: Parameters, report: ReturnsReport) -> None:
    """Settle what is open, end approvals that nobody gave in time, then take the returns as far as they can go now.

    These are the stores' running returns, or those named.
    """
    report.stores = desk.chosen(parameters.stores)
    desk.budget = Budget(parameters.max_amount)
    named = await named_ids(desk, report, parameters.process_ids, parameters.stores)
    await settle(desk, report, report.stores, named or None)
    await end_approvals(desk, report, report.stores, named)
    if named:
        found = await fetch_some(desk, report, named[: parameters.max_returns])
        await named_through(desk, report, found, f"{len(found)} by id")
    else:
        for store in report.stores:
            with at(desk, store):
                since = await since_at(desk, store, parameters.started_since)
                await desk.rules(store)
                left = parameters.left(report.seen)
                await batches_through(desk, report, PendingReturns(desk, store, started_since=since, at_most=left))
    await settle_own(desk, report, report.stores)


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def process_pending_returns(parameters: Parameters = Parameters()) -> State[ReturnsReport]:  # noqa: B008 - Prefect's form
    """Refund, exchange or label every pending return that can move now.

    Money moves only with mode `act`. A return that a machine should not decide about is held for a person.
    """
    return await in_prefect(NAME, work, parameters)
