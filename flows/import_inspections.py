"""import-inspections: warehouses' files become reviews, each unit once, and each row has its answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import ClassVar

from prefect import State, flow
from prefect.runtime import deployment
from pydantic import Field

from flows.in_prefect import in_prefect, run_name
from flows.parameters import ReturnsParameters
from flows.sub_flows import count_asked, go_on, settle, settle_own, side_by_side
from tasks.add_reviews import ReviewedReturn, add_reviews, hold_contradictions
from tasks.desk import Desk, WrongNameError
from tasks.fetch_named_returns import NamedReturns, fetch_named_returns, wanted_names
from tasks.fetch_returns import BATCH, PendingReturn, check_inspections
from tasks.files.inspections import WarehouseFile, read_warehouse_file
from tasks.files.private_copy import Arrived, private_copies
from tasks.files.table import InputFileError
from tasks.files.verdicts import Came, FileVerdict, Known, Verdict, judge, together
from tasks.in_prefect.credentials import storage_options
from tasks.ledger import known_reviews
from tasks.policy.decision import AskedEffect
from tasks.policy.kinds.review import Reviews
from tasks.receive_files import NamedFile, finish, forget_done, hand_back, of_inspections, receive
from tasks.reporting.report import Failure, ReturnsReport, amounts
from tasks.reporting.tally import count_decisions
from tasks.steps import about

NAME = "import-inspections"

MOST_REASONS = 20
"""Reasons of a file that its report lists."""


class Parameters(ReturnsParameters):
    """Import inspections: review at REVER what warehouses' files say of the units that came back.

    Without a file: all new files of the folder that the worker watches (`REVER_INSPECTIONS`).
    """

    begins: ClassVar[bool] = True

    file: str = Field(
        "",
        title="File",
        description="A file in the folder that the worker watches (`landmark/day.csv`), or a URL (s3, gs, sftp): CSV "
        "in any of its forms, XLSX, XLS or ODS. Empty: all new files of that folder.",
    )
    mapping: str = Field(
        "",
        title="Mapping",
        description="What the file's columns and words mean, a YAML file; `rever-returns inspections guess` writes the "
        "first one. Empty: the `mapping.yaml` beside the file.",
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
    stores: list[str] = Field(
        default_factory=list,
        title="Stores",
        description="E-commerce ids of the stores whose returns the files are about. Empty: the store of the mapping, "
        "else all of this desk's stores.",
    )


async def work(desk: Desk, parameters: Parameters, report: ReturnsReport) -> None:
    """Settle what is open, and take one file after the other: review the units that REVER shows no review of.

    Raises `WrongNameError` where the file that was named, its mapping or the folder cannot be used; nothing is begun
    then. Of the watched folder's files one that cannot be read stops no other.
    """
    found: list[FileVerdict] = []
    inbox, take = of_inspections(desk), partial(_read, desk, parameters)
    options = await storage_options(parameters.storage) if parameters.file else {}
    confined = deployment.id is not None
    named = NamedFile(parameters.file, parameters.mapping, parameters.refused, confined, options)
    with private_copies(desk.clock()) as copies:
        try:
            files = await receive(desk, inbox, named, copies, report.notes, take)
        except InputFileError as error:
            raise WrongNameError(str(error)) from None
        report.stores = desk.chosen([*dict.fromkeys(store for it in files for store in it.stores)] or parameters.stores)
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
    """A file to be imported, and the stores whose returns it is about."""

    arrived: Arrived
    read: WarehouseFile
    stores: tuple[str, ...]


def _read(desk: Desk, parameters: Parameters, file: Arrived) -> _File | None:
    """The file, read; None for one of the watched folder that is another deployment's."""
    read = read_warehouse_file(file.copy, file.mapping, (file.name, file.meaning))
    stores = _stores(parameters, read)
    if not parameters.file and parameters.stores and not set(stores) <= set(parameters.stores):
        return None
    return _File(file, read, desk.chosen(stores))


def _stores(parameters: Parameters, read: WarehouseFile) -> list[str]:
    """The store of the mapping goes before those of the form where the folder is watched, and after them by hand."""
    own = [read.mapping.store] if read.mapping.store else []
    return (parameters.stores or own) if parameters.file else (own or parameters.stores)


async def _import(
    desk: Desk, parameters: Parameters, report: ReturnsReport, file: _File, into: list[FileVerdict]
) -> None:
    """Review what one file says, and say what became of its rows, also where the run is cut off."""
    report.notes += file.read.how
    named = await fetch_named_returns(desk, file.stores, wanted_names(file.read.rows))
    report.failures += [Failure(process_id, "REVER shows it, and it cannot be read") for process_id in named.unreadable]
    reviews = await desk.ledger.aread(known_reviews, sorted(named.returns))
    known = Known(reviews, file.read.digest, file.read.mapping.cumulative)
    found = judge(file.read.rows, named.returns.values(), desk.clock(), known, named.unread_orders)
    came: dict[str, Came] = {}
    pays: dict[str, Decimal] = {}
    unasked: set[str] = set()
    try:
        await _review(desk, report, named, file.stores, found.reviews(), came, pays)
        await settle_own(desk, report, file.stores)
        unasked = await _ask(desk, report, named, file.stores, found)
    finally:
        done = found.after(came, unasked, acted=report.acts)
        into.append(done)
        report.notes += _said(done, pays)
        if report.acts and not file.arrived.watched:
            to = Path(parameters.refused) if parameters.refused else None
            hand_back(of_inspections(desk), file.arrived, file.read, done.returned(), report.notes, to)
    if report.acts and file.arrived.watched:
        await finish(desk, of_inspections(desk), file.arrived, file.read, done, report.notes)


async def _review(
    desk: Desk,
    report: ReturnsReport,
    named: NamedReturns,
    stores: Sequence[str],
    wanted: Mapping[str, Reviews],
    came: dict[str, Came],
    pays: dict[str, Decimal],
) -> None:
    """Review the units of each return, the stores side by side.

    What came of each is entered in `came`, also where the run is cut off.
    """
    report.progress.find(len(wanted))

    async def review(store: str) -> None:
        await desk.rules(store)
        mine = of_store[store]
        for first in range(0, len(mine), BATCH):
            go_on(desk, store)
            ids = mine[first : first + BATCH]
            with about(f"{store} {first // BATCH + 1} ({len(ids)} returns)"):
                batch = [PendingReturn(store, named.returns[it], searched=True) for it in ids]
                checked, unread = await check_inspections(desk, batch)
                report.fail(store, unread)
                report.progress.finish(len(unread))
                came.update({failed.process_id: Came(Verdict.REFUSED, failed.why, passes=True) for failed in unread})
                reviewed: list[ReviewedReturn] = []
                try:
                    await add_reviews(desk, checked, wanted, reviewed)
                finally:
                    came.update({item.process_id: item.came for item in reviewed})
                    _count(desk, report, reviewed, pays)

    of_store = {store: [it for it in wanted if named.stores[it] == store] for store in stores}
    await side_by_side(desk, stores, review)
    for store, mine in of_store.items():
        if why := report.stores_failed.get(store):
            came.update({it: Came(Verdict.REFUSED, why, passes=True) for it in mine if it not in came})


async def _ask(
    desk: Desk, report: ReturnsReport, named: NamedReturns, stores: Sequence[str], found: FileVerdict
) -> set[str]:
    """Ask a person about what the file says against REVER, and close the questions of earlier files that it settles.

    The returns of which nobody could be asked, since their store failed.
    """
    unasked = set(found.contradictions())
    ids = sorted({*unasked, *found.agreed()})

    async def ask(store: str) -> None:
        batch = [PendingReturn(store, named.returns[it]) for it in ids if named.stores.get(it) == store]
        with about(f"contradictions, {store}"):
            count_decisions(report, await hold_contradictions(desk, batch, found) if batch else [])
        unasked.difference_update(pending.process_id for pending in batch)

    await side_by_side(desk, stores, ask)
    return unasked


def _count(desk: Desk, report: ReturnsReport, reviewed: Sequence[ReviewedReturn], pays: dict[str, Decimal]) -> None:
    """Enter decisions and outcomes; and in `pays` what REVER pays of its own because of them, per currency."""
    report.failures += [item.failure for item in reviewed if item.failure]
    count_asked(desk, report, [item.asked for item in reviewed if item.asked])
    for item in reviewed:
        decision = item.asked.decided.decision if item.asked and item.came.verdict is Verdict.REVIEW else None
        if isinstance(decision, AskedEffect) and (stake := decision.stake) is not None:
            pays[stake.currency] = pays.get(stake.currency, Decimal(0)) + stake.amount


def _said(found: FileVerdict, pays: dict[str, Decimal]) -> list[str]:
    """What became of a file's rows, the money that goes out because of it, and why rows come back."""
    reasons = found.reasons()
    more = [f"and {len(reasons) - MOST_REASONS:,} more reasons"] if len(reasons) > MOST_REASONS else []
    money = [f"REVER pays by itself for what is approved: {amounts(pays)}"] if pays else []
    return [found.words, *money, *reasons[:MOST_REASONS], *more]


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def import_inspections(parameters: Parameters) -> State[ReturnsReport]:
    """Review the units that warehouses' files say were inspected; what cannot be read in one way comes back.

    Reviews are sent only with mode `act`. Where REVER pays by itself, they are what it pays on.
    """
    return await in_prefect(NAME, work, parameters)
