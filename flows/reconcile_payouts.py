"""reconcile-payouts: the ledger, REVER's refunds, payout files and REVER's statement, refund by refund, to the cent."""

from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated

from prefect import State, flow
from prefect.runtime import deployment
from pydantic import BeforeValidator, Field

from flows.in_prefect import in_prefect, run_name
from flows.parameters import FlowParameters, StoreTime, whole
from tasks.desk import Desk, WrongNameError
from tasks.files.drop_folder import inside
from tasks.files.private_copy import copied, private_copies
from tasks.files.table import InputFileError
from tasks.policy.facts import counted
from tasks.reconcile_payouts import PayoutsAsked, compare_payouts
from tasks.reporting.csv_file import check_target, write_csv
from tasks.reporting.payouts_report import CSV_COLUMNS, PayoutsReport

# The payout files that a person or a form names: what is read of them, and from where.


def payout_files(desk: Desk, typed: Sequence[str], copies: Path) -> list[Path]:
    """The payout files that are meant. In Prefect a name with `*` is all files of the folder that it fits.

    Raises `InputFileError`, and `WrongNameError` for one that is named twice.
    """
    if double := next((it for it in typed if typed.count(it) > 1), None):
        raise WrongNameError(f"{double} is named twice; name each file once")
    root = None if deployment.id is None else desk.settings.payout_files
    names = list[str]()
    for each in typed:
        fits = sorted(it.name for it in root.iterdir() if it.is_file() and fnmatch(it.name, each)) if root else []
        names += fits if root and "*" in each else [each]
    return [payout_file(desk, name, copies) for name in dict.fromkeys(names)]


def payout_file(desk: Desk, typed: str, copies: Path) -> Path:
    """The file that is meant: what was typed into a form is read by a worker, so only from its folder, as a copy.

    Raises `InputFileError`.
    """
    if deployment.id is None:
        return Path(typed)
    root = desk.settings.payout_files
    if root is None:
        words = "no folder is set from which payout files are taken; set REVER_PAYOUT_FILES where the workers run"
        raise InputFileError(f"{words}, and put them there.")
    return copied(inside(root, typed), copies)[0]  # nobody puts a link in its place once it was looked at


def named_file(desk: Desk, typed: str, copies: Path) -> Path | None:
    """The file that is meant; None where none is named. Raises `InputFileError`."""
    return payout_file(desk, typed, copies) if typed else None


NAME = "reconcile-payouts"
MOST_ROWS = 500
"""Rows of a table artifact; the file has all."""


class Parameters(FlowParameters):
    """Compare payout files, REVER's statement, the ledger and REVER's refunds. Nothing is written but files."""

    files: list[str] = Field(
        default_factory=list,
        title="Payout files",
        description="Files of Stripe, Adyen, PayPal (STL) or Redsys, each recognised by its header, in the folder that "
        "the workers read such files from (`REVER_PAYOUT_FILES`). `*` stands for any letters of a name.",
    )
    statement: str = Field(
        "", title="REVER's statement", description="The monthly statement of supplied expenses, in the same folder."
    )
    mapping: str = Field(
        "",
        title="Mapping of the statement",
        description="What its columns mean, a YAML file in the same folder (docs/payouts.md).",
    )
    orders: str = Field(
        "",
        title="Orders",
        description="Where a file has the provider's own code of an order or payment: a table of `reference` and "
        "`order` in the same folder. Empty: the file has the orders' numbers.",
    )
    stores: list[str] = Field(
        default_factory=list,
        title="Stores",
        description="E-commerce ids of the stores. Empty: all of this desk's stores.",
    )
    since: StoreTime = Field(
        None,
        title="From",
        description="A date (the start of that day at each store), or a time with its offset. Empty: where the files "
        "begin.",
    )
    until: StoreTime = Field(
        None,
        title="To",
        description="A date (to the end of that day at each store), or a time with its offset. Empty: where the files "
        "end.",
    )
    days: Annotated[int, Field(ge=1, le=60), BeforeValidator(whole)] = Field(
        7,
        title="Usual days",
        description="In how many days a refund usually is in a payout: one that the files are too short for is late, "
        "not missing.",
    )
    zone: str = Field(
        "",
        title="Zone",
        description="The zone of times whose file does not say theirs, such as Europe/Madrid (Stripe's local exports).",
    )
    csv: str = Field("", title="CSV file", description="A file on the worker for all refunds and rows. Empty: none.")

    def new_report(self, flow: str) -> PayoutsReport:
        """The report with which a run of the flow begins."""
        return PayoutsReport(flow)


async def work(desk: Desk, parameters: Parameters, report: PayoutsReport) -> None:
    """Read the files, match them with ledger and REVER, and tell what differs.

    Raises `WrongNameError` for a file, store or window that cannot be used.
    """
    if parameters.csv:
        check_target(Path(parameters.csv))
    report.stores = stores = desk.chosen(parameters.stores)
    try:
        with private_copies(desk.clock()) as copies:
            asked = PayoutsAsked(
                files=payout_files(desk, parameters.files, copies),
                days=parameters.days,
                statement=named_file(desk, parameters.statement, copies),
                mapping=named_file(desk, parameters.mapping, copies),
                orders=named_file(desk, parameters.orders, copies),
                zone=parameters.zone,
                since=parameters.since,
                until=parameters.until,
            )
            report.found = found = await compare_payouts(desk, stores, asked)
    except InputFileError as error:
        raise WrongNameError(str(error)) from None
    report.notes += [note for file in found.files for note in file.notes]
    report.notes += [f"{process_id}: {why}" for process_id, why in sorted(found.unread.items())]
    report.fill_tables(MOST_ROWS)
    if parameters.csv:
        rows = report.csv_rows()
        write_csv(Path(parameters.csv), CSV_COLUMNS, rows)
        report.notes.append(f"all refunds and rows are in {parameters.csv}, {counted(len(rows), 'row')}")


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def reconcile_payouts(parameters: Parameters = Parameters()) -> State[PayoutsReport]:  # noqa: B008 - a form
    """Compare payout files and REVER's statement with the ledger and REVER. Corrects, holds and sends nothing."""
    return await in_prefect(NAME, work, parameters)
