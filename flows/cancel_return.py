"""cancel-return: call one return off at REVER, once, for a reason; one for which nothing went out."""

from typing import Annotated, ClassVar

from prefect import State, flow
from pydantic import AfterValidator, Field

from flows.in_prefect import in_prefect, run_name
from flows.parameters import KEYS, ReturnKey, ReturnsParameters
from flows.sub_flows import count_asked, fetch_some, named_ids, settle, settle_own
from tasks.desk import Desk, DeskError, WrongNameError
from tasks.effects.carry_out import cancel_asked
from tasks.policy.decision import AskedEffect, Cancellation
from tasks.reporting.report import ReturnsReport
from tasks.steps import about

NAME = "cancel-return"


def _reason(text: str) -> str:
    if not text.isprintable() or not text.strip() or "@" in text:
        msg = "write a reason in one line, without an e-mail address: REVER shows it"
        raise ValueError(msg)
    return text.strip()


class Parameters(ReturnsParameters):
    """Call one return off."""

    begins: ClassVar[bool] = True

    process_id: ReturnKey = Field(title="Return", description=KEYS)
    reason: Annotated[str, AfterValidator(_reason)] = Field(
        min_length=1,
        max_length=200,
        title="Reason",
        description="Why, in a few words. REVER shows it; name no shopper.",
    )
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
    report.stores = desk.chosen(parameters.stores)
    named = await named_ids(desk, report, [parameters.process_id], parameters.stores)
    if len(named) > 1:
        several = f"{parameters.process_id} has {len(named)} returns; name one by its id"
        raise WrongNameError(f"{several}: {', '.join(named)}")
    await settle(desk, report, report.stores, named)
    with about(named[0]):
        found = await fetch_some(desk, report, named)
        if not found:
            raise DeskError("; ".join(f"{failed.process_id}: {failed.why}" for failed in report.failures))
        report.stores = (found[0].store,)
        report.progress.find(1)
        (asked,) = await cancel_asked(desk, found, Cancellation(parameters.reason))
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
