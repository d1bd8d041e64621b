"""reconcile: settle what is unknown, then compare our ledger with REVER, return by return, to the cent."""

from datetime import timedelta

from prefect import State, flow
from pydantic import Field

from flows.in_prefect import in_prefect, run_name
from flows.parameters import StoresParameters
from flows.stages import settle
from tasks.compare_with_rever import compare_returns, to_compare
from tasks.desk import Desk
from tasks.report import Report
from tasks.steps import Stage
from tasks.tally import count_compared

NAME = "reconcile"


class Parameters(StoresParameters):
    """Reconcile: settle unknown outcomes and compare our ledger with REVER."""

    hours: int = Field(
        24 * 14,
        ge=1,
        le=24 * 366,
        description="Compare the returns that changed at REVER, or on which something was done, in the last hours.",
    )


async def work(desk: Desk, parameters: Parameters, stage: Stage) -> Report:
    """Settle every open outcome, then read each return that is not at its end, or was acted on lately, and compare.

    What differs becomes a hold, never a correction; nothing is sent.
    """
    stores = desk.chosen(parameters.stores)
    report = Report(NAME, desk.mode, stores)
    await settle(desk, stage, report, stores)
    ids, report.failures = await to_compare(desk, stores, timedelta(hours=parameters.hours))
    compared = await stage("compare-with-rever", lambda: compare_returns(desk, ids), f"{len(ids)} returns")
    count_compared(report, compared)
    return report


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def reconcile(parameters: Parameters = Parameters()) -> State[Report]:  # noqa: B008 - Prefect's form
    """Settle unknown outcomes and compare our ledger with REVER to the cent. Sends nothing; what differs is held."""
    return await in_prefect(NAME, work, parameters)
