"""reconcile: settle what is unknown, then compare our ledger with REVER, return by return, to the cent."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from prefect import State, flow
from pydantic import BeforeValidator, Field

from flows.in_prefect import in_prefect, run_name
from flows.parameters import StoresParameters, whole
from flows.sub_flows import settling, side_by_side
from tasks.desk import Desk
from tasks.policy.facts import counted
from tasks.reconcile import (
    COMPARISON_COLUMNS,
    Compared,
    after_restore,
    compare_store,
    comparison_rows,
    since_backup,
)
from tasks.reporting.csv_file import check_target, write_csv
from tasks.reporting.report import ReturnsReport
from tasks.reporting.tally import count_compared
from tasks.steps import about

NAME = "reconcile"
MOST_ROWS = 500
"""Rows of the table artifact; the file has all."""


class Parameters(StoresParameters):
    """Reconcile: settle unknown outcomes and compare our ledger with REVER."""

    hours: Annotated[int, Field(ge=1, le=24 * 366), BeforeValidator(whole)] = Field(
        24 * 14,
        title="Hours back",
        description="Compare the returns that changed at REVER, or on which something was done, in the last hours.",
    )
    csv: str = Field(
        "", title="CSV file", description="A file on the worker to write the comparison to, as CSV. Empty: none."
    )


async def work(desk: Desk, parameters: Parameters, report: ReturnsReport) -> None:
    """Settle every open outcome, then compare each return that changed lately, or is not at its end, with the ledger.

    What differs becomes a hold, never a correction; nothing is sent. After a restore this goes back to the backup, and
    once it has seen all of it, a person may let effects go again.
    """
    if parameters.csv:
        check_target(Path(parameters.csv))
    began = desk.clock()
    report.stores = stores = desk.chosen(parameters.stores)
    window = await since_backup(desk, stores, timedelta(hours=parameters.hours))
    compared = {store: Compared() for store in stores}

    async def compare(store: str) -> None:
        await desk.rules(store)  # by a clock that is wrong, the window is another one
        with about(f"{store} {window.total_seconds() / 3600:.0f} h"):
            await compare_store(desk, store, window, compared[store])

    try:
        await side_by_side(desk, stores, await settling(desk, report, stores), compare)
    finally:
        count_compared(report, compared)
    failures = sum(len(found.failures) for found in compared.values())
    if sound := [store for store in stores if store not in report.stores_failed]:
        report.notes += await after_restore(desk, sound, began, failures=failures)
    rows = comparison_rows(list(compared.values()))
    report.tables["comparison"] = rows[:MOST_ROWS]
    if parameters.csv:
        write_csv(Path(parameters.csv), COMPARISON_COLUMNS, rows)
        report.notes.append(f"the comparison is in {parameters.csv}, {counted(len(rows), 'row')}")


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def reconcile(parameters: Parameters = Parameters()) -> State[ReturnsReport]:  # noqa: B008 - Prefect's form
    """Settle unknown outcomes and compare our ledger with REVER to the cent. Sends nothing; what differs is held."""
    return await in_prefect(NAME, work, parameters)
