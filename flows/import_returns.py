"""import-returns: returns that a shop's file asks for are made at REVER, each once, and each row has its answer."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from prefect import State, flow
from prefect.runtime import deployment
from pydantic import Field

from flows.in_prefect import in_prefect, run_name
from flows.parameters import ReturnsParameters
from flows.sub_flows import at, count_asked, settle, settle_own
from rever_api.models import NOT_RECEIVED
from tasks.create_returns import AskedOrder, by_order, create_returns, note_settled
from tasks.desk import Desk, WrongNameError, one_store
from tasks.fetch_returns import BATCH
from tasks.files.drop_folder import inside
from tasks.files.mapped_rows import Footer, WrongRow
from tasks.files.new_returns import ReturnsFile, WantedReturn, read_returns_file, wanted_returns
from tasks.files.private_copy import arrived, private_copies
from tasks.files.refused_file import expect_new, refused_path
from tasks.files.return_verdicts import Came, ReturnsFileVerdict, ReturnVerdict, file_verdict
from tasks.files.table import InputFileError
from tasks.policy.facts import counted
from tasks.reporting.report import ReturnsReport
from tasks.steps import about

NAME = "import-returns"


class Parameters(ReturnsParameters):
    """Import returns: make at REVER what a shop's file asks for."""

    begins: ClassVar[bool] = True

    file: str = Field(
        title="File",
        description="A file in the folder that the workers read such files from (`REVER_RETURN_FILES`): CSV in any of "
        "its forms, XLSX, XLS or ODS.",
    )
    mapping: str = Field(
        title="Mapping",
        description="What the file's columns and words mean, a YAML file in the same folder; `rever-returns returns "
        "guess` writes the first one.",
    )
    refused: str = Field(
        "",
        title="Rows that come back",
        description="A new file for the rows that are refused or held, each with its reason, where the command is "
        "typed on the machine itself. Empty: beside the file. A plan writes none.",
    )
    store: str = Field(
        "",
        title="Store",
        description="E-commerce id of the store whose orders the file is of. Empty: the store of the mapping, else "
        "this desk's only one.",
    )


async def work(desk: Desk, parameters: Parameters, report: ReturnsReport) -> None:
    """Settle what is open, read the file, and make the returns that are not there yet, order by order.

    Raises `WrongNameError` for a file, mapping or store that cannot be used; nothing is begun then.
    """
    try:
        file, refused = _read(desk, parameters)
    except InputFileError as error:
        raise WrongNameError(str(error)) from None
    store = one_store(parameters.store or file.mapping.store, desk.stores)
    report.stores = (store,)
    report.notes += file.how
    wanted, wrong = wanted_returns(file.rows, file.mapping, store)
    orders = by_order(wanted, store)
    report.progress.find(len(orders))
    try:
        await settle(desk, report, report.stores)
        with at(desk, store):
            await desk.rules(store)
            for first in range(0, len(orders), BATCH):
                batch = orders[first : first + BATCH]
                with about(f"{store} {first // BATCH + 1} ({len(batch)} orders)"):
                    try:
                        await create_returns(desk, batch)
                    finally:
                        _count(desk, report, batch)
        await settle_own(desk, report, report.stores)
        await note_settled(desk, orders)
    finally:
        if why := report.stores_failed.get(store):
            for order in orders:
                order.give_up(why)
        _tell(report, file, [end for order in orders for end in order.ends()], wrong, refused)


def _read(desk: Desk, parameters: Parameters) -> tuple[ReturnsFile, Path | None]:
    """The file, read, and where its rows come back; None stands for beside it. Raises `InputFileError`.

    What was typed into a form is read by a worker with its own rights, so it reads only what is there to be read so.
    """
    file, mapping, refused = Path(parameters.file), Path(parameters.mapping), Path(parameters.refused)
    if deployment.id is not None:
        root = desk.settings.return_files
        if root is None:
            words = "no folder is set from which files are taken; set REVER_RETURN_FILES where the workers run"
            raise InputFileError(f"{words}, and put them there.")
        if parameters.refused:
            raise InputFileError("rows that come back are put beside the file; leave `refused` empty.")
        file, mapping = inside(root, parameters.file), inside(root, parameters.mapping)
        with private_copies(desk.clock()) as copies:  # nobody puts a link in their place once they were looked at
            found = arrived(file, mapping, copies, watched=False)
            read = read_returns_file(found.copy, found.mapping, (found.name, found.meaning))
        return read, refused_path(file, read.table.form)
    if parameters.refused:
        expect_new(refused)
    return read_returns_file(file, mapping), refused if parameters.refused else None


def _tell(
    report: ReturnsReport,
    file: ReturnsFile,
    ends: Sequence[tuple[WantedReturn, Came]],
    wrong: Sequence[WrongRow],
    refused: Path | None,
) -> None:
    """Say what became of the rows, and which goods nobody will inspect; a run that acts hands back what is to mend."""
    footers = sum(isinstance(row, Footer) for row in file.rows)
    found = file_verdict(ends, wrong, footers=footers, acted=report.acts)
    report.headline = found.words
    report.notes.append(found.words)
    if unseen := sum(it.never_arrived for it, end in ends if end.verdict is ReturnVerdict.CREATE):
        goods = f"{counted(unseen, 'return')} of goods that never arrived ({NOT_RECEIVED}): nothing will be inspected"
        report.notes.append(f"{goods}, and the next run pays where the policy says so (`not_received`)")
    _hand_back(report, file, found, refused)


def _hand_back(report: ReturnsReport, file: ReturnsFile, found: ReturnsFileVerdict, refused: Path | None) -> None:
    """Write the rows that come back, and say where they are; a plan leaves no file."""
    if not report.acts:
        return
    try:
        path = file.hand_back(found.returned(), refused)
    except InputFileError as error:
        report.notes.append(f"the rows that come back could not be written: {error}")
        return
    if path is not None:
        report.notes.append(f"{path}: the rows that come back, each with its reason; mend them and send it again")


def _count(desk: Desk, report: ReturnsReport, batch: Sequence[AskedOrder]) -> None:
    """Enter decisions, outcomes and failures."""
    count_asked(desk, report, [it for order in batch for it in order.asked])
    report.failures += [order.failure for order in batch if order.failure]


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def import_returns(parameters: Parameters) -> State[ReturnsReport]:
    """Make the returns that a shop's file asks for; what cannot be read in one way, or is there already, is not made.

    Returns are made only with mode `act`.
    """
    return await in_prefect(NAME, work, parameters)
