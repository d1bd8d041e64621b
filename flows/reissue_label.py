"""reissue-label: order a new label for a return in the place of one that expired or was lost, once."""

from typing import ClassVar

from prefect import State, flow
from pydantic import Field

from flows.in_prefect import in_prefect, run_name
from flows.parameters import KEYS, Reason, ReturnKey, ReturnsParameters
from flows.sub_flows import count_asked, settle_own, the_one_named
from rever_api.models import ReturnProcess
from tasks.desk import Desk, WrongNameError
from tasks.effects.carry_out import AskedReturn, reissue_asked
from tasks.ledger import load_records
from tasks.policy.decision import MakeLabel
from tasks.policy.money import shown
from tasks.policy.record import IntentState, Record
from tasks.policy.rules.reissue import UnclearParcelError, parcel_meant, wanted_reissue
from tasks.policy.store import LabelPolicy
from tasks.reporting.report import ReturnsReport
from tasks.steps import about

NAME = "reissue-label"

SOMEBODY = "a person"
"""Who asks for it where nobody says so."""


class Parameters(ReturnsParameters):
    """Order a new label in the place of one that expired or was lost."""

    begins: ClassVar[bool] = True

    process_id: ReturnKey = Field(title="Return", description=KEYS)
    parcel: str = Field(
        "",
        max_length=100,
        title="Parcel",
        description="Whose label is replaced: the parcel's number in the return, from 1, or its tracking number. "
        "Empty: the only label there is. Once one of the return was replaced, the next must be named.",
    )
    reason: Reason = Field(
        title="Reason", description="Why, in a few words, such as: the shopper lost it. It is kept; name no shopper."
    )
    by: str = Field("", max_length=100, title="Your name", description="Who asks for it. Recorded, not checked.")
    stores: list[str] = Field(
        default_factory=list,
        title="Stores",
        description="E-commerce ids of the stores at which the return is looked for. Empty: all of this desk's stores.",
    )


async def work(desk: Desk, parameters: Parameters, report: ReturnsReport) -> None:
    """Settle what is open for the return, read it, and have the label replaced if nothing stands against it.

    Raises `WrongNameError` where several returns or no parcel are meant, `NothingFoundError` where no return is, and
    `DeskError` where it cannot be read.
    """
    pending = await the_one_named(desk, report, parameters.process_id, parameters.stores)
    known = await desk.ledger.aread(load_records, [pending.process_id])
    try:
        parcel = parcel_meant(pending.process, known[pending.process_id], parameters.parcel.strip())
    except UnclearParcelError as unclear:
        raise WrongNameError(f"{pending.process_id}: {unclear}") from None
    by = parameters.by.strip() or SOMEBODY
    with about(pending.process_id):
        wanted = wanted_reissue(pending.process, parcel, by=by, why=parameters.reason)
        asked = await reissue_asked(desk, pending, wanted)
    count_asked(desk, report, [asked])
    await settle_own(desk, report, report.stores)
    after = await desk.ledger.aread(load_records, [pending.process_id])
    policy = desk.policies.for_store(pending.store).labels
    report.notes.append(_told(asked, pending.process, parcel, after[pending.process_id], policy))


def _told(asked: AskedReturn, process: ReturnProcess, parcel: int, after: Record, policy: LabelPolicy) -> str:
    """Which label is replaced, what is made instead and what it costs; or why none is."""
    due, outcome = asked.decided.decision, asked.outcome
    if not isinstance(due, MakeLabel):
        return f"not replaced: {due.why}"
    entries = process.logistics or ()
    carrier = entries[parcel - 1].carrier if parcel <= len(entries) else ""
    old = f"the label of parcel {parcel}{f' ({carrier})' if carrier else ''}"
    new = f"label {due.generation} of the return, {due.return_method} by {due.provider}/{due.carrier}"
    still = "REVER cannot take the old one back: should it be used after all, its parcel is followed"
    if outcome is None:
        return f"would be replaced: {old}, by {new}. {_cost(due, policy)}. {still}"
    state = next((it.state for it in after.intents if it.id == outcome.claim.intent.id), None)
    if state is not IntentState.DONE:
        sure = "not replaced, as far as is known" if state is IntentState.UNKNOWN else "not replaced"
        return f"{sure}: {outcome.why or outcome.result}"
    return f"replaced: {old}, by {new}. Give the shopper the new one (`rever-returns labels get`). {still}"


def _cost(due: MakeLabel, policy: LabelPolicy) -> str:
    """What the new label costs, by the policy file: REVER does not tell."""
    limits = policy.carriers.get(f"{due.provider}/{due.carrier}")
    if limits is None or limits.cost is None:
        return "What it costs neither REVER nor the policy file tells"
    return f"It costs {shown(limits.cost, limits.currency or '')} by the policy file"


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def reissue_label(parameters: Parameters) -> State[ReturnsReport]:
    """Order a new label in the place of one that expired or was lost, once for each label.

    It is ordered only with mode `act`, and only as long as the old one was not used.
    """
    return await in_prefect(NAME, work, parameters)
