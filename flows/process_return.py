"""process-return: the same for one return, given its id; a task for each step, so that a person sees the chain."""

from typing import ClassVar

from prefect import State, flow
from pydantic import Field

from flows.in_prefect import in_prefect, run_name
from flows.parameters import ReturnsParameters
from flows.sub_flows import named_through, settle, settle_own
from tasks.desk import Desk, DeskError
from tasks.fetch_returns import fetch_returns
from tasks.reporting.report import ReturnsReport
from tasks.steps import about

NAME = "process-return"


class Parameters(ReturnsParameters):
    """Process one return."""

    begins: ClassVar[bool] = True

    process_id: str = Field(
        title="Return", description="REVER's id of the return, retp_ and 27 letters and digits.", min_length=1
    )


async def work(desk: Desk, parameters: Parameters, report: ReturnsReport) -> None:
    """Settle what is open for this return, read it, and take it as far as it can go now.

    Raises `DeskError` where it cannot be read: this run is about nothing else.
    """
    process_id = parameters.process_id
    await settle(desk, report, desk.stores, [process_id])
    with about(process_id):
        found, failures = await fetch_returns(desk, [process_id])
    if failures:
        raise DeskError(f"{process_id}: {failures[0].why}")
    report.stores = tuple(dict.fromkeys(pending.store for pending in found))
    await named_through(desk, report, found, process_id)
    await settle_own(desk, report, report.stores)


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def process_return(parameters: Parameters) -> State[ReturnsReport]:
    """Take one return as far as it can go now: refund, exchange, label, or hold.

    Money moves only with mode `act`.
    """
    return await in_prefect(NAME, work, parameters)
