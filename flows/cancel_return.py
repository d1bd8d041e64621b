"""cancel-return: call one return off at REVER, once, for a reason; one for which nothing went out."""

from typing import ClassVar

from prefect import State, flow
from pydantic import Field

from flows.in_prefect import in_prefect, run_name
from flows.parameters import KEYS, Reason, ReturnKey, ReturnsParameters
from flows.sub_flows import count_asked, settle_own, the_one_named
from tasks.desk import Desk
from tasks.effects.carry_out import cancel_asked
from tasks.policy.decision import AskedEffect, Cancellation
from tasks.reporting.report import ReturnsReport
from tasks.steps import about

NAME = "cancel-return"


class Parameters(ReturnsParameters):
    """Call one return off."""

    begins: ClassVar[bool] = True

    process_id: ReturnKey = Field(title="Return", description=KEYS)
    reason: Reason = Field(title="Reason", description="Why, in a few words. REVER shows it; name no shopper.")
    stores: list[str] = Field(
        default_factory=list,
        title="Stores",
        description="E-commerce ids of the stores at which the return is looked for. Empty: all of this desk's stores.",
    )


async def work(desk: Desk, parameters: Parameters, report: ReturnsReport) -> None:
    """Settle what is open for the return, read it, and call it off if nothing stands against it.

    Raises `WrongNameError` where several returns are meant, `NothingFoundError` where none is, and `DeskError` where it
    cannot be read.
    """
    pending = await the_one_named(desk, report, parameters.process_id, parameters.stores)
    with about(pending.process_id):
        (asked,) = await cancel_asked(desk, [pending], Cancellation(parameters.reason))
    count_asked(desk, report, [asked])
    if not isinstance(asked.decided.decision, AskedEffect):
        report.notes.append(f"not called off: {asked.decided.decision.why}")
    await settle_own(desk, report, report.stores)


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def cancel_return(parameters: Parameters) -> State[ReturnsReport]:
    """Call one return off at REVER, once. One that has ended cannot be, one that was paid must not be.

    It is called off only with mode `act`.
    """
    return await in_prefect(NAME, work, parameters)
