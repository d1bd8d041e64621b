"""process-return: the same for one return, by its id or for those of an order; a task a step, to be seen as a chain."""

from typing import ClassVar

from prefect import State, flow
from pydantic import Field

from flows.in_prefect import in_prefect, run_name
from flows.parameters import KEYS, ReturnKey, ReturnsParameters
from flows.sub_flows import end_approvals, fetch_some, named_ids, named_through, settle, settle_own
from rever_api import share_of
from tasks.desk import Desk, DeskError
from tasks.reporting.report import ReturnsReport
from tasks.steps import about

NAME = "process-return"


class Parameters(ReturnsParameters):
    """Process one return."""

    begins: ClassVar[bool] = True

    process_id: ReturnKey = Field(title="Return", description=KEYS)
    stores: list[str] = Field(
        default_factory=list,
        title="Stores",
        description="E-commerce ids of the stores at which the return is looked for. Empty: all of this desk's stores; "
        "where several have an order of that number, act asks which is meant.",
    )


async def work(desk: Desk, parameters: Parameters, report: ReturnsReport) -> None:
    """Settle what is open for this return, end its overdue approval, read it, and take it as far as it can go now.

    Raises `DeskError` where it cannot be read, for this run is about nothing else, and `NothingFoundError` where REVER
    does not know it. An order's returns are each worked on by themselves.
    """
    report.stores = desk.chosen(parameters.stores)
    with share_of("", urgent=True):  # a shopper waits for it, and no search must keep it back
        named = await named_ids(desk, report, [parameters.process_id], parameters.stores)
        await settle(desk, report, report.stores, named)
        await end_approvals(desk, report, report.stores, named)
        label = named[0] if len(named) == 1 else f"{len(named)} returns"
        with about(label):
            found = await fetch_some(desk, report, named)
        if not found:
            raise DeskError("; ".join(f"{failed.process_id}: {failed.why}" for failed in report.failures))
        report.stores = tuple(dict.fromkeys(pending.store for pending in found))
        await named_through(desk, report, found, label)
        await settle_own(desk, report, report.stores)


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def process_return(parameters: Parameters) -> State[ReturnsReport]:
    """Take one return as far as it can go now: refund, exchange, label, or hold.

    Money moves only with mode `act`.
    """
    return await in_prefect(NAME, work, parameters)
