"""process-return: the same for one return, by its id or for those of an order; a task a step, to be seen as a chain."""

from typing import ClassVar

from prefect import State, flow
from pydantic import Field

from flows.in_prefect import in_prefect, run_name
from flows.parameters import ReturnKey, ReturnsParameters
from flows.sub_flows import named_ids, named_through, settle, settle_own
from tasks.desk import Desk, DeskError
from tasks.fetch_returns import fetch_returns
from tasks.find_returns import NothingFoundError
from tasks.reporting.report import ReturnsReport
from tasks.steps import about

NAME = "process-return"


class Parameters(ReturnsParameters):
    """Process one return."""

    begins: ClassVar[bool] = True

    process_id: ReturnKey = Field(
        title="Return",
        description="REVER's id of the return (retp_...), an order number (#1001: all its returns), a hold's id or a "
        "tracking number.",
    )


async def work(desk: Desk, parameters: Parameters, report: ReturnsReport) -> None:
    """Settle what is open for this return, read it, and take it as far as it can go now.

    Raises `DeskError` where it cannot be read, for this run is about nothing else, and `NothingFoundError` where REVER
    does not know it. An order's returns are each worked on by themselves.
    """
    named = await named_ids(desk, report, [parameters.process_id], desk.stores)
    await settle(desk, report, desk.stores, named)
    label = named[0] if len(named) == 1 else f"{len(named)} returns"
    with about(label):
        found, failures = await fetch_returns(desk, named)
    if not found:
        said = "; ".join(f"{failed.process_id}: {failed.why}" for failed in failures)
        raise NothingFoundError(said) if all(failed.unknown for failed in failures) else DeskError(said)
    report.failures += failures
    report.stores = tuple(dict.fromkeys(pending.store for pending in found))
    await named_through(desk, report, found, label)
    await settle_own(desk, report, report.stores)


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def process_return(parameters: Parameters) -> State[ReturnsReport]:
    """Take one return as far as it can go now: refund, exchange, label, or hold.

    Money moves only with mode `act`.
    """
    return await in_prefect(NAME, work, parameters)
