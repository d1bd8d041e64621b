"""register-label: a label that was made by hand is registered at REVER, once, with its file and tracking number."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from prefect import State, flow
from prefect.runtime import deployment
from pydantic import AfterValidator, Field, model_validator

from flows.in_prefect import in_prefect, run_name
from flows.parameters import KEYS, ReturnKey, ReturnsParameters
from flows.sub_flows import count_asked, fetch_some, settle_own, the_one_named
from rever_api.models import ReturnMethod
from tasks.decide_returns import note_returns
from tasks.desk import Desk, WrongNameError
from tasks.effects.carry_out import AskedReturn
from tasks.effects.perform import Result
from tasks.fetch_returns import PendingReturn
from tasks.files.drop_folder import inside
from tasks.files.made_label import LabelFile, read_label
from tasks.files.table import InputFileError
from tasks.ledger import load_records
from tasks.policy.decision import AskedEffect
from tasks.register_label import LabelByHand, in_words, register_labels
from tasks.reporting.report import ReturnsReport
from tasks.steps import about

NAME = "register-label"


def _word(text: str) -> str:
    if not text.isprintable() or "@" in text:
        msg = "write it in one line, as it stands on the label"
        raise ValueError(msg)
    return text.strip()


def _page(url: str) -> str:
    if not url:
        return url
    try:
        parts = urlsplit(url)
        good = (
            parts.scheme == "https" and parts.hostname and not parts.username and url.isprintable() and " " not in url
        )
    except ValueError:
        good = False
    if not good:
        msg = "write the address of the carrier's page with https:// before it, such as https://www.dhl.com/track?id=1"
        raise ValueError(msg)
    return url


Word = Annotated[str, AfterValidator(_word)]
Method = Literal["", ReturnMethod.HOME_PICK_UP, ReturnMethod.DROP_OFF_POINT, ReturnMethod.DELIVERY_PICKUP]


class Parameters(ReturnsParameters):
    """Register a label that was made by hand."""

    begins: ClassVar[bool] = True

    process_id: ReturnKey = Field(title="Return", description=KEYS)
    file: str = Field(
        "",
        title="File",
        description="The label as pdf, png or jpg, of at most 5 MB: in a form its name in the folder that the workers "
        "read labels from (`REVER_LABEL_FILES`), elsewhere its path. Empty: the label has no file.",
    )
    carrier: Word = Field(
        min_length=1,
        max_length=100,
        title="Carrier",
        description="As the store's settings at REVER name it, such as DHL.",
    )
    tracking_id: Word = Field(
        "", max_length=100, title="Tracking number", description="The parcel's number. Empty: the label has none."
    )
    tracking_url: Annotated[str, AfterValidator(_page)] = Field(
        "",
        max_length=1000,
        title="Tracking page",
        description="The carrier's page of this parcel, beginning with https://. Empty: none.",
    )
    provider: Word = Field(
        "OPS",
        min_length=1,
        max_length=100,
        title="Provider",
        description="Through whom the label was made: OPS stands for by hand.",
    )
    return_method: Method = Field(
        "",
        title="Return method",
        description="How the goods come back by this label. Empty: as the return says.",
    )
    stores: list[str] = Field(
        default_factory=list,
        title="Stores",
        description="E-commerce ids of the stores at which the return is looked for. Empty: all of this desk's stores.",
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.file and not self.tracking_id:
            msg = "name the label's file, its tracking number, or both"
            raise ValueError(msg)
        return self


async def work(desk: Desk, parameters: Parameters, report: ReturnsReport) -> None:
    """Check the label, settle what is open for the return, read it, and register the label if it waits for one.

    Raises `WrongNameError` for a file, carrier or tracking number that cannot be right and where several returns are
    meant, `NothingFoundError` where none is, and `DeskError` where it cannot be read.
    """
    try:
        file = _file(desk, parameters.file)
    except InputFileError as error:
        raise WrongNameError(f"nothing was sent: {error}") from None
    pending = await the_one_named(desk, report, parameters.process_id, parameters.stores)
    made = LabelByHand(
        parameters.provider,
        parameters.carrier,
        parameters.return_method,
        parameters.tracking_id,
        parameters.tracking_url,
        file,
    )
    with about(pending.process_id):
        label, asked = await register_labels(desk, pending, made)
    count_asked(desk, report, [asked])
    _tell(report, asked, in_words(label, file))
    await settle_own(desk, report, report.stores)
    if asked.outcome is not None and asked.outcome.result in {Result.DONE, Result.COUNTED}:
        await _go_on(desk, report, pending)


def _file(desk: Desk, typed: str) -> LabelFile | None:
    """The label's file, read whole. What was typed into a form is read only from the folder that is there for it.

    Raises `InputFileError`.
    """
    if not typed:
        return None
    if deployment.id is None:
        return read_label(Path(typed))
    root = desk.settings.label_files
    if root is None:
        words = "no folder is set from which labels are taken; set REVER_LABEL_FILES where the workers run"
        raise InputFileError(f"{words}, and put them there.")
    return read_label(inside(root, typed))


def _tell(report: ReturnsReport, asked: AskedReturn, label: str) -> None:
    """Say what is sent, or what came of it."""
    if not isinstance(asked.decided.decision, AskedEffect):
        report.notes.append(f"not registered: {asked.decided.decision.why}")
    elif asked.outcome is None:
        report.notes.append(f"would be sent to REVER (createReverseDelivery): {label}")
    elif asked.outcome.result is Result.UNKNOWN:
        sent = f"sent, and whether REVER registered it is not known: {asked.outcome.why}"
        report.notes.append(f"{sent}. The next run looks for it; it is not sent again by itself")
    elif asked.outcome.result in {Result.DONE, Result.COUNTED}:
        report.notes.append(f"registered at REVER: {label}")
    else:
        report.notes.append(f"not registered: {asked.outcome.why or asked.outcome.result}")


async def _go_on(desk: Desk, report: ReturnsReport, pending: PendingReturn) -> None:
    """Read the return again, now with its parcel: a hold that waited for the label closes, and the desk goes on."""
    before = (await desk.ledger.aread(load_records, [pending.process_id]))[pending.process_id].holds
    with about(pending.process_id):
        read = await fetch_some(desk, report, [pending.process_id])
        await note_returns(desk, read)
    after = (await desk.ledger.aread(load_records, [pending.process_id]))[pending.process_id].holds
    open_still = {hold.id for hold in after}
    report.notes += [f"the hold `{hold.rule}` is closed" for hold in before if hold.id not in open_still]
    report.notes += [f"still held by `{hold.rule}`: {hold.why}" for hold in after]


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def register_label(parameters: Parameters) -> State[ReturnsReport]:
    """Register at REVER a label that was made by hand, once; for a return that waits for one and has no parcel.

    It is sent only with mode `act`.
    """
    return await in_prefect(NAME, work, parameters)
