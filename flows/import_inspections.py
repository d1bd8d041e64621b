"""import-inspections: a warehouse's file becomes reviews, each unit once, and each row has its answer."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

from prefect import State, flow
from pydantic import Field

from flows.in_prefect import in_prefect, run_name
from flows.parameters import ReturnsParameters
from flows.sub_flows import at, remember_unknown, settle, settle_own
from tasks.add_reviews import ReviewedReturn, add_reviews
from tasks.check_inspections import check_inspections
from tasks.desk import Desk, WrongNameError
from tasks.fetch_named_returns import NamedReturns, fetch_named_returns, wanted_names
from tasks.fetch_returns import BATCH
from tasks.files.inspections import WarehouseFile, read_warehouse_file
from tasks.files.table import InputFileError
from tasks.files.verdicts import Came, FileVerdict, Verdict, judge
from tasks.policy.decision import AskedEffect
from tasks.policy.kinds.review import Reviews
from tasks.reporting.report import Failure, ReturnsReport, amounts
from tasks.reporting.tally import count_decisions, count_outcome
from tasks.returns import PendingReturn
from tasks.steps import about

NAME = "import-inspections"


class Parameters(ReturnsParameters):
    """Import inspections: review at REVER what a warehouse's file says of the units that came back."""

    begins: ClassVar[bool] = True

    file: str = Field(
        title="File",
        description="The warehouse's file, where the worker can read it: CSV in any of its forms, XLSX, XLS or ODS.",
    )
    mapping: str = Field(
        title="Mapping",
        description="What the file's columns and words mean, a YAML file; `rever-returns inspections guess` writes the "
        "first one.",
    )
    refused: str = Field(
        "",
        title="Rows that come back",
        description="A new file for the rows that are refused or held, each with its reason. Empty: beside the file. A "
        "plan writes none.",
    )
    stores: list[str] = Field(
        default_factory=list,
        title="Stores",
        description="E-commerce ids of the stores whose returns the file is about. Empty: the store of the mapping, "
        "else all of this desk's stores.",
    )


async def work(desk: Desk, parameters: Parameters, report: ReturnsReport) -> None:
    """Settle what is open, read the file, and review the units that REVER shows no review of, return by return.

    Raises `WrongNameError` for a file or mapping that cannot be used; nothing is begun then.
    """
    refused = Path(parameters.refused) if parameters.refused else None
    if refused is not None and (refused.exists() or not refused.parent.is_dir()):
        raise WrongNameError(f"{refused}: name a new file, in a folder that is there, for the rows that come back.")
    try:
        file = read_warehouse_file(Path(parameters.file), Path(parameters.mapping))
    except InputFileError as error:
        raise WrongNameError(str(error)) from None
    only = [file.mapping.store] if file.mapping.store and not parameters.stores else parameters.stores
    report.stores = desk.chosen(only)
    report.notes += file.how
    await settle(desk, report, report.stores)
    named = await fetch_named_returns(desk, report.stores, wanted_names(file.rows))
    report.failures += [Failure(process_id, "REVER shows it, and it cannot be read") for process_id in named.unreadable]
    found = judge(file.rows, named.returns.values(), desk.clock())
    came: dict[str, Came] = {}
    pays: dict[str, Decimal] = {}
    try:
        await _review(desk, report, named, found.reviews(), came, pays)
        await settle_own(desk, report, report.stores)
    finally:
        _tell(report, file, found.after(came, acted=report.acts), pays, refused)


async def _review(
    desk: Desk,
    report: ReturnsReport,
    named: NamedReturns,
    wanted: Mapping[str, Reviews],
    came: dict[str, Came],
    pays: dict[str, Decimal],
) -> None:
    """Review the units of each return; what came of each is entered in `came`, also where the run is cut off."""
    report.progress.find(len(wanted))
    for store in report.stores:
        mine = [process_id for process_id in wanted if named.stores[process_id] == store]
        with at(desk, store):
            await desk.rules(store)
            for first in range(0, len(mine), BATCH):
                ids = mine[first : first + BATCH]
                with about(f"{store} {first // BATCH + 1} ({len(ids)} returns)"):
                    batch = [PendingReturn(store, named.returns[it], searched=True) for it in ids]
                    inspected, unread = await check_inspections(desk, batch)
                    report.failures += unread
                    report.progress.finish(len(unread))
                    came |= {failed.process_id: Came(Verdict.REFUSED, failed.why) for failed in unread}
                    reviewed: list[ReviewedReturn] = []
                    try:
                        await add_reviews(desk, [item.pending for item in inspected], wanted, reviewed)
                    finally:
                        came |= {item.process_id: item.came for item in reviewed}
                        _count(desk, report, reviewed, pays)
        if why := report.stores_failed.get(store):
            came |= {it: Came(Verdict.REFUSED, why) for it in mine if it not in came}


def _count(desk: Desk, report: ReturnsReport, reviewed: Sequence[ReviewedReturn], pays: dict[str, Decimal]) -> None:
    """Enter decisions and outcomes; and in `pays` what REVER pays of its own because of them, per currency."""
    report.failures += [item.failure for item in reviewed if item.failure]
    asked = [item.asked for item in reviewed if item.asked]
    outcomes = [it.outcome for it in asked if it.outcome]
    count_decisions(report, [it.decided for it in asked])
    for outcome in outcomes:
        count_outcome(report, outcome)
    remember_unknown(desk, outcomes)
    for item in reviewed:
        decision = item.asked.decided.decision if item.asked and item.came.verdict is Verdict.REVIEW else None
        if isinstance(decision, AskedEffect) and (stake := decision.stake) is not None:
            pays[stake.currency] = pays.get(stake.currency, Decimal(0)) + stake.amount


def _tell(
    report: ReturnsReport, file: WarehouseFile, found: FileVerdict, pays: dict[str, Decimal], refused: Path | None
) -> None:
    """Say what became of the rows; a run that acts hands back those that are to be mended, a plan leaves no file."""
    report.headline = found.words
    report.notes.append(found.words)
    if pays:
        report.notes.append(f"REVER pays by itself for what is approved: {amounts(pays)}")
    if not report.acts:
        return
    try:
        path = file.hand_back(found.returned(), refused)
    except InputFileError as error:
        report.notes.append(f"the rows that come back could not be written: {error}")
        return
    if path is not None:
        report.notes.append(f"{path}: the rows that come back, each with its reason; mend them and send it again")


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def import_inspections(parameters: Parameters) -> State[ReturnsReport]:
    """Review the units that a warehouse's file says were inspected; what cannot be read in one way comes back.

    Reviews are sent only with mode `act`. Where REVER pays by itself, they are what it pays on.
    """
    return await in_prefect(NAME, work, parameters)
