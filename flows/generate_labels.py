"""generate-labels: labels and pickups for the returns that wait for one, and the labels' files."""

from prefect import State, flow
from pydantic import Field

from flows.in_prefect import in_prefect, run_name
from flows.parameters import Amount, SearchParameters
from flows.sub_flows import (
    at,
    fetch_some,
    named_ids,
    named_through,
    searched_through,
    settle,
    settle_own,
    settling,
)
from tasks.desk import Desk
from tasks.fetch_label_files import fetch_label_files
from tasks.policy.label_costs import costs_in_words
from tasks.reporting.report import ReturnsReport
from tasks.reporting.report_parts import LabelFilesTally
from tasks.steps import about

NAME = "generate-labels"


class Parameters(SearchParameters):
    """Generate labels: order the label or pickup of every started return that has none."""

    max_amount: Amount = Field(
        None,
        title="At most this much money",
        description="Has no effect here: it is a cap on refunds, and this flow refunds nothing.",
    )


async def work(desk: Desk, parameters: Parameters, report: ReturnsReport) -> None:
    """Settle what is open, order a label for each started return that waits for one, the stores side by side, and then
    fetch the labels' files.
    """
    report.stores = desk.chosen(parameters.stores)
    named = await named_ids(desk, report, parameters.process_ids, parameters.stores)
    if named:
        await settle(desk, report, report.stores, named)
        found = await fetch_some(desk, report, named[: parameters.max_returns])
        await named_through(desk, report, found, "by id", labels_only=True)
    else:
        before = await settling(desk, report, report.stores)
        await searched_through(desk, report, parameters, before, labels_only=True)
    await settle_own(desk, report, report.stores)
    for store, labels in sorted(report.labels.items()):
        with at(desk, store):
            words = costs_in_words(labels, (await desk.rules(store)).policy.labels.carriers)
            report.notes.append(f"{store}: {words}")
    await _fetch_files(desk, report)


async def _fetch_files(desk: Desk, report: ReturnsReport) -> None:
    """Fetch the files of the labels that this run has found to be missing. No money waits for it: it comes last."""
    if desk.settings.labels is None:
        return
    report.label_files = tally = LabelFilesTally()
    with about(f"{len(desk.label_files)} labels"):
        try:
            await fetch_label_files(desk, desk.label_files, tally)
        except TimeoutError:
            tally.why_left = "the step that fetches them took too long"


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def generate_labels(parameters: Parameters = Parameters()) -> State[ReturnsReport]:  # noqa: B008 - Prefect's form
    """Order the label or pickup of every started return that has none.

    Labels are ordered only with mode `act`. Where no carrier fits, or a person must make it, the return is held. Where
    `REVER_LABELS` names a folder, the files of labels that are not kept there yet are fetched.
    """
    return await in_prefect(NAME, work, parameters)
