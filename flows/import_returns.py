"""import-returns: returns that a shop's file asks for are made at REVER, each once, and each row has its answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
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
from tasks.files.mapped_rows import Footer, WrongRow
from tasks.files.new_returns import ReturnsFile, WantedReturn, read_returns_file, wanted_returns
from tasks.files.private_copy import Arrived, private_copies
from tasks.files.return_verdicts import Came, ReturnsFileVerdict, ReturnVerdict, file_verdict, together
from tasks.files.table import InputFileError
from tasks.in_prefect.credentials import storage_options
from tasks.policy.facts import counted
from tasks.receive_files import NamedFile, finish, forget_done, hand_back, of_returns, receive
from tasks.reporting.report import ReturnsReport
from tasks.steps import about

NAME = "import-returns"


class Parameters(ReturnsParameters):
    """Import returns: make at REVER what a shop's file asks for.

    Without a file: all new files of the folder that the workers read such files from (`REVER_RETURN_FILES`).
    """

    begins: ClassVar[bool] = True

    file: str = Field(
        "",
        title="File",
        description="A file in the folder that the workers read such files from (`REVER_RETURN_FILES`), or a URL (s3, "
        "gs, sftp): CSV in any of its forms, XLSX, XLS or ODS. Empty: all new files of that folder.",
    )
    mapping: str = Field(
        "",
        title="Mapping",
        description="What the file's columns and words mean, a YAML file in the same folder; `rever-returns returns "
        "guess` writes the first one. Empty: the `mapping.yaml` beside the file.",
    )
    refused: str = Field(
        "",
        title="Rows that come back",
        description="A new file for the rows that are refused or held, each with its reason, where the command is "
        "typed on the machine itself. Empty: beside the file. A plan writes none.",
    )
    storage: str = Field(
        "",
        title="Storage block",
        description="Name of a `Secret` block in Prefect with what a URL's storage needs, as JSON. Empty: what the "
        "worker's environment says. No password or key belongs into the URL.",
    )
    store: str = Field(
        "",
        title="Store",
        description="E-commerce id of the store whose orders the file is of. Empty: the store of the mapping, else "
        "this desk's only one.",
    )


async def work(desk: Desk, parameters: Parameters, report: ReturnsReport) -> None:
    """Settle what is open, and take one file after the other: make the returns that are not there yet.

    Raises `WrongNameError` for a file, mapping, folder or store that cannot be used; nothing is begun then. Of the
    watched folder's files one that cannot be read stops no other.
    """
    found: list[ReturnsFileVerdict] = []
    inbox, take = of_returns(desk), partial(_read, desk, parameters)
    options = await storage_options(parameters.storage) if parameters.file else {}
    confined = deployment.id is not None
    named = NamedFile(parameters.file, parameters.mapping, parameters.refused, confined, options)
    with private_copies(desk.clock()) as copies:
        try:
            files = await receive(desk, inbox, named, copies, report.notes, take)
        except InputFileError as error:
            raise WrongNameError(str(error)) from None
        report.stores = tuple(dict.fromkeys(file.store for file in files))
        if files:
            await settle(desk, report, report.stores)
        try:
            for file in files:
                await _import(desk, parameters, report, file, found)
        finally:
            report.headline = together(found).words if files else "no new file"
    if not parameters.file and report.acts:
        forget_done(desk, inbox, report.notes)


@dataclass(frozen=True, slots=True)
class _File:
    """A file to be imported, and the store whose orders it is of."""

    arrived: Arrived
    read: ReturnsFile
    store: str


def _read(desk: Desk, parameters: Parameters, file: Arrived) -> _File | None:
    """The file, read; None for one of the watched folder that is another deployment's.

    The store of the mapping goes before that of the form where the folder is watched, and after it by hand.
    """
    read = read_returns_file(file.copy, file.mapping, (file.name, file.meaning))
    stores = (parameters.store, read.mapping.store)
    first, other = stores if parameters.file else stores[::-1]
    store = one_store(first or other, desk.stores)
    return _File(file, read, store) if parameters.store in {"", store} else None


async def _import(
    desk: Desk, parameters: Parameters, report: ReturnsReport, file: _File, into: list[ReturnsFileVerdict]
) -> None:
    """Make the returns that one file asks for, and say what became of its rows, also where the run is cut off."""
    store = file.store
    report.notes += file.read.how
    wanted, wrong = wanted_returns(file.read.rows, file.read.mapping, store)
    orders = by_order(wanted, store)
    report.progress.find(len(orders))
    try:
        with at(desk, store):
            await desk.rules(store)
            for first in range(0, len(orders), BATCH):
                batch = orders[first : first + BATCH]
                with about(f"{store} {first // BATCH + 1} ({len(batch)} orders)"):
                    try:
                        await create_returns(desk, batch)
                    finally:
                        _count(desk, report, batch)
        await settle_own(desk, report, [store])
        await note_settled(desk, orders)
    finally:
        if why := report.stores_failed.get(store):
            for order in orders:
                order.give_up(why)
        found = _told(report, file.read, [end for order in orders for end in order.ends()], wrong)
        into.append(found)
        if report.acts and not file.arrived.watched:
            to = Path(parameters.refused) if parameters.refused else None
            hand_back(of_returns(desk), file.arrived, file.read, found.returned(), report.notes, to)
    if report.acts and file.arrived.watched:
        await finish(desk, of_returns(desk), file.arrived, file.read, found, report.notes)


def _told(
    report: ReturnsReport, file: ReturnsFile, ends: Sequence[tuple[WantedReturn, Came]], wrong: Sequence[WrongRow]
) -> ReturnsFileVerdict:
    """Say what became of the rows, and which goods nobody will inspect."""
    footers = sum(isinstance(row, Footer) for row in file.rows)
    found = file_verdict(ends, wrong, footers=footers, acted=report.acts)
    report.notes.append(found.words)
    if unseen := sum(it.never_arrived for it, end in ends if end.verdict is ReturnVerdict.CREATE):
        goods = f"{counted(unseen, 'return')} of goods that never arrived ({NOT_RECEIVED}): nothing will be inspected"
        report.notes.append(f"{goods}, and the next run pays where the policy says so (`not_received`)")
    return found


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
