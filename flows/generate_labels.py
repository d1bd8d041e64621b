"""generate-labels: labels and pickups for the returns that wait for one."""

from collections.abc import Sequence

from prefect import State, flow

from flows.in_prefect import in_prefect, run_name
from flows.parameters import SearchParameters
from flows.sub_flows import act, at, fetch_named, settle, settle_own
from tasks.check_inspections import check_inspections
from tasks.decide_returns import decide_labels
from tasks.desk import Desk
from tasks.fetch_returns import PendingReturns, since_at
from tasks.reporting.report import Mode, ReturnsReport
from tasks.reporting.tally import count_decisions
from tasks.returns import PendingReturn
from tasks.steps import about

NAME = "generate-labels"


class Parameters(SearchParameters):
    """Generate labels: order the label or pickup of every started return that has none."""


async def work(desk: Desk, parameters: Parameters, report: ReturnsReport) -> None:
    """Settle what is open, then order a label for each started return that waits for one."""
    report.stores = desk.chosen(parameters.stores)
    await settle(desk, report, report.stores, parameters.process_ids or None)
    if parameters.process_ids:
        found = await fetch_named(desk, report, parameters.process_ids[: parameters.max_returns])
        for store in report.stores:
            if mine := [pending for pending in found if pending.store == store]:
                with at(desk, store):
                    await desk.rules(store)
                    await _label(desk, report, mine, f"{store} by id")
    else:
        for store in report.stores:
            with at(desk, store):
                await _searched(desk, parameters, report, store)
    await settle_own(desk, report, report.stores)


async def _searched(desk: Desk, parameters: Parameters, report: ReturnsReport, store: str) -> None:
    await desk.rules(store)
    since = await since_at(desk, store, parameters.started_since)
    left = parameters.left(report.seen)
    pending = PendingReturns(desk, store, started_since=since, at_most=left, label_only=True)
    try:
        async for batch in pending.batches():
            await _label(desk, report, batch, f"{store} ({len(batch)} returns)")
    finally:
        report.failures += pending.failures


async def _label(desk: Desk, report: ReturnsReport, batch: Sequence[PendingReturn], label: str) -> None:
    with about(label):
        inspected, unread = await check_inspections(desk, batch)
        report.failures += unread
        decided, failed = await decide_labels(desk, [item.pending for item in inspected])
        report.failures += failed
        count_decisions(report, decided)
        if desk.mode is Mode.ACT:
            await act(desk, report, decided)


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def generate_labels(parameters: Parameters = Parameters()) -> State[ReturnsReport]:  # noqa: B008 - Prefect's form
    """Order the label or pickup of every started return that has none.

    Labels are ordered only with mode `act`. Where no carrier fits, or a person must make it, the return is held.
    """
    return await in_prefect(NAME, work, parameters)
