"""process-pending-returns: search, decide, act, for all returns that can move."""

from prefect import State, flow

from flows.in_prefect import in_prefect, run_name
from flows.parameters import SearchParameters
from flows.sub_flows import batches_through, named_through, settle, settle_own, store_by_store
from tasks.desk import Budget, Desk
from tasks.fetch_returns import PendingReturns, fetch_returns, since_at
from tasks.reporting.report import Report
from tasks.steps import Stage

NAME = "process-pending-returns"


class Parameters(SearchParameters):
    """Process pending returns: refund, exchange or label every return that can move."""


async def work(desk: Desk, parameters: Parameters, stage: Stage) -> Report:
    """Settle what is open, then take the stores' running returns, or those named, as far as they can go now."""
    stores = desk.chosen(parameters.stores)
    desk.budget = Budget(parameters.max_amount)
    report = desk.report
    report.stores = stores
    await settle(desk, stage, report, stores, parameters.process_ids or None)
    if parameters.process_ids:
        await _named(desk, parameters, stage, report)
    else:
        await _searched(desk, parameters, stage, report)
    await settle_own(desk, stage, report, stores)
    return report


async def _searched(desk: Desk, parameters: Parameters, stage: Stage, report: Report) -> None:
    async def at(store: str) -> None:
        since = await since_at(desk, store, parameters.started_since)
        await desk.rules(store)
        left = None if parameters.max_returns is None else max(0, parameters.max_returns - report.seen)
        await batches_through(desk, stage, report, PendingReturns(desk, store, started_since=since, at_most=left))

    await store_by_store(desk, report, report.stores, at)


async def _named(desk: Desk, parameters: Parameters, stage: Stage, report: Report) -> None:
    ids = parameters.process_ids[: parameters.max_returns]
    found, failures = await stage("fetch-pending-returns", lambda: fetch_returns(desk, ids), f"{len(ids)} by id")
    report.failures += failures
    chosen = [pending for pending in found if pending.store in report.stores]
    await named_through(desk, stage, report, chosen, f"{len(chosen)} by id")


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def process_pending_returns(parameters: Parameters = Parameters()) -> State[Report]:  # noqa: B008 - Prefect's form
    """Refund, exchange or label every pending return that can move now.

    Money moves only with mode `act`. A return that a machine should not decide about is held for a person.
    """
    return await in_prefect(NAME, work, parameters)
