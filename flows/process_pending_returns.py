"""process-pending-returns: search, decide, act, for all returns that can move."""

from prefect import State, flow

from flows.in_prefect import in_prefect, run_name
from flows.parameters import SearchParameters
from flows.stages import batches_through, settle, settle_own, take_through
from tasks.budget import Budget
from tasks.carry_out import Carried
from tasks.desk import Desk
from tasks.fetch_pending_returns import PendingReturns, fetch_returns, since_at
from tasks.report import Report
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
    for store in stores:
        await desk.rules(store)  # a store that REVER does not know stops the run before anything is done
    await settle(desk, stage, report, stores, parameters.process_ids or None)
    if parameters.process_ids:
        unknown = await _named(desk, parameters, stage, report)
    else:
        unknown = await _searched(desk, parameters, stage, report)
    await settle_own(desk, stage, report, stores, unknown)
    return report


async def _searched(desk: Desk, parameters: Parameters, stage: Stage, report: Report) -> list[Carried]:
    unknown: list[Carried] = []
    left = parameters.max_returns
    for store in report.stores:
        since = await since_at(desk, store, parameters.started_since)
        pending = PendingReturns(desk, store, started_since=since, at_most=left)
        before = report.seen
        unknown += await batches_through(desk, stage, report, pending)
        left = None if left is None else max(0, left - (report.seen - before))
    return unknown


async def _named(desk: Desk, parameters: Parameters, stage: Stage, report: Report) -> list[Carried]:
    ids = parameters.process_ids[: parameters.max_returns]
    found, failures = await stage("fetch-pending-returns", lambda: fetch_returns(desk, ids), f"{len(ids)} by id")
    report.failures += failures
    chosen = [pending for pending in found if pending.store in report.stores]
    return await take_through(desk, stage, report, chosen, f"{len(chosen)} by id")


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def process_pending_returns(parameters: Parameters = Parameters()) -> State[Report]:  # noqa: B008 - Prefect's form
    """Refund, exchange or label every pending return that can move now.

    Money moves only with mode `act`. A return that a machine should not decide about is held for a person.
    """
    return await in_prefect(NAME, work, parameters)
