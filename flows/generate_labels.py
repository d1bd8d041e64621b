"""generate-labels: labels and pickups for the returns that wait for one."""

from prefect import State, flow

from flows.in_prefect import in_prefect, run_name
from flows.parameters import SearchParameters
from flows.sub_flows import act, settle, settle_own, store_by_store
from tasks.check_inspections import check_inspections
from tasks.decide_returns import decide_labels
from tasks.desk import Desk
from tasks.fetch_returns import PendingReturns, fetch_returns, since_at
from tasks.reporting.report import Mode, Report
from tasks.reporting.tally import count_decisions
from tasks.returns import PendingReturn
from tasks.steps import Stage

NAME = "generate-labels"


class Parameters(SearchParameters):
    """Generate labels: order the label or pickup of every started return that has none."""


async def work(desk: Desk, parameters: Parameters, stage: Stage) -> Report:
    """Settle what is open, then order a label for each started return that waits for one."""
    stores = desk.chosen(parameters.stores)
    report = desk.report
    report.stores = stores
    await settle(desk, stage, report, stores, parameters.process_ids or None)
    if parameters.process_ids:
        ids = parameters.process_ids[: parameters.max_returns]
        found, failures = await stage("fetch-pending-returns", lambda: fetch_returns(desk, ids), f"{len(ids)} by id")
        report.failures += failures

        async def named(store: str) -> None:
            await desk.rules(store)
            await _label(desk, stage, report, [item for item in found if item.store == store], f"{store} by id")

        await store_by_store(desk, report, [store for store in stores if any(it.store == store for it in found)], named)
    else:
        await store_by_store(desk, report, stores, lambda store: _searched(desk, parameters, stage, report, store))
    await settle_own(desk, stage, report, stores)
    return report


async def _searched(desk: Desk, parameters: Parameters, stage: Stage, report: Report, store: str) -> None:
    await desk.rules(store)
    since = await since_at(desk, store, parameters.started_since)
    left = None if parameters.max_returns is None else max(0, parameters.max_returns - report.seen)
    pending = PendingReturns(desk, store, started_since=since, at_most=left, label_only=True)
    try:
        while batch := await stage("fetch-pending-returns", pending.next_batch, store):
            await _label(desk, stage, report, batch, f"{store} ({len(batch)} returns)")
    finally:
        report.failures += pending.failures


async def _label(desk: Desk, stage: Stage, report: Report, batch: list[PendingReturn], label: str) -> None:
    inspected, unread = await stage("check-inspections", lambda: check_inspections(desk, batch), label)
    report.failures += unread
    pending = [item.pending for item in inspected]
    decided, failed = await stage("decide-returns", lambda: decide_labels(desk, pending), label)
    report.failures += failed
    count_decisions(report, decided)
    if desk.mode is Mode.ACT:
        await act(desk, stage, report, decided, label)


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def generate_labels(parameters: Parameters = Parameters()) -> State[Report]:  # noqa: B008 - Prefect's form
    """Order the label or pickup of every started return that has none.

    Labels are ordered only with mode `act`. Where no carrier fits, or a person must make it, the return is held.
    """
    return await in_prefect(NAME, work, parameters)
