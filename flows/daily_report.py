"""daily-report: what was paid, what waits and how long it took, per store and day, as a page and as files."""

from pathlib import Path
from typing import Annotated, ClassVar

from prefect import State, flow
from pydantic import BeforeValidator, Field

from flows.in_prefect import in_prefect, run_name
from flows.parameters import FlowParameters, StoreTime, Whole, whole
from flows.reconcile_payouts import named_file, payout_files
from tasks.desk import Desk, WrongNameError
from tasks.files.private_copy import private_copies
from tasks.files.table import InputFileError
from tasks.gather_report import Asked, gather_report
from tasks.reconcile_payouts import PayoutsAsked
from tasks.reporting.csv_file import check_target
from tasks.reporting.daily_report import DailyReport, DailyRun
from tasks.reporting.frames import write_frames
from tasks.reporting.report_files import check_folder, write_csv_files, write_html, write_workbook
from tasks.send_report import channel_of, send_report

NAME = "daily-report"


class Parameters(FlowParameters):
    """What was paid, what waits and how long it took, for each store. Nothing is written at REVER or in the ledger."""

    begins: ClassVar[bool] = True

    stores: list[str] = Field(
        default_factory=list,
        title="Stores",
        description="E-commerce ids of the stores. Empty: all of this desk's stores.",
    )
    since: StoreTime = Field(
        None,
        title="From",
        description="A date (the start of that day at each store), or a time with its offset. Empty: yesterday.",
    )
    until: StoreTime = Field(
        None,
        title="To",
        description="A date (to the end of that day at each store), or a time with its offset. Empty: up to now, or "
        "yesterday alone where no beginning is named.",
    )
    promise_days: Whole = Field(
        None,
        title="Promise, days",
        description="Days from the arrival to the payment that the store promises. Empty: none is compared.",
    )
    orders: str = Field(
        "",
        title="Orders",
        description="A file on the worker of what was sold: day, orders, units, sales, currency, store. Empty: return "
        "rates are not worked out.",
    )
    rates: str = Field(
        "",
        title="Rates",
        description="A file on the worker of rates of exchange: currency, into, rate. Empty: nothing is converted.",
    )
    payouts: list[str] = Field(
        default_factory=list,
        title="Payout files",
        description="Files of Stripe, Adyen, PayPal (STL) or Redsys in the folder `REVER_PAYOUT_FILES`, to be compared "
        "with the window's refunds. `*` stands for any letters of a name. Empty: none is compared.",
    )
    statement: str = Field(
        "", title="REVER's statement", description="The monthly statement of supplied expenses, in the same folder."
    )
    mapping: str = Field(
        "", title="Mapping of the statement", description="What its columns mean, a YAML file (docs/payouts.md)."
    )
    payout_orders: str = Field(
        "",
        title="Orders of the payouts",
        description="Where a payout file has a code of its own for the order: a table of `reference` and `order` "
        "in the same folder.",
    )
    payout_days: Annotated[int, Field(ge=1, le=60), BeforeValidator(whole)] = Field(
        7, title="Usual days", description="In how many days a refund usually is in a payout; until then it is late."
    )
    payout_zone: str = Field(
        "", title="Zone of the payouts", description="The zone of times whose file does not say theirs."
    )
    csv: str = Field(
        "",
        title="CSV folder",
        description="A new or empty folder on the worker, for a file of each table. Empty: none.",
    )
    frames: str = Field(
        "",
        title="Frames folder",
        description="A new or empty folder on the worker, for the rows as Parquet files (docs/frames.md). Empty: none.",
    )
    xlsx: str = Field("", title="Excel file", description="A file on the worker for the workbook. Empty: none.")
    html: str = Field("", title="HTML file", description="A file on the worker for the page. Empty: none.")
    send: bool = Field(
        False,
        title="Send",
        description="Send the totals where REVER_REPORT_URL says, with the HTML file attached where one is written.",
    )
    with_shoppers: bool = Field(
        False,
        title="With shoppers",
        description="Name the shoppers in the CSV, Excel and Parquet files, which say so. Never in Prefect.",
    )

    def new_report(self, flow: str) -> DailyRun:
        """The report with which a run of the flow begins."""
        return DailyRun(flow)


async def work(desk: Desk, parameters: Parameters, report: DailyRun) -> None:
    """Read the ledger and REVER, work the tables out, and write the files that are asked for."""
    for target in filter(None, (parameters.xlsx, parameters.html)):
        check_target(Path(target))
    for folder in filter(None, (parameters.csv, parameters.frames)):
        check_folder(Path(folder))
    channel = channel_of(desk.settings.report_url) if parameters.send else None
    report.stores = stores = desk.chosen(parameters.stores)
    try:
        with private_copies(desk.clock()) as copies:
            asked = Asked(
                since=parameters.since,
                until=parameters.until,
                promise_days=parameters.promise_days,
                orders=Path(parameters.orders) if parameters.orders else None,
                rates=Path(parameters.rates) if parameters.rates else None,
                payouts=_payouts(desk, parameters, copies),
                personal=parameters.with_shoppers,
            )
            data = await gather_report(desk, stores, asked)
    except InputFileError as error:
        raise WrongNameError(str(error)) from None
    report.notes += [note for file in (data.payouts.files if data.payouts else ()) for note in file.notes]
    report.found = found = DailyReport.of(data)
    report.seen = len(data.returns)
    if parameters.csv:
        many = write_csv_files(Path(parameters.csv), found)
        report.notes.append(f"{many} CSV files are in {parameters.csv}")
    if parameters.frames:
        rows = write_frames(Path(parameters.frames), data)
        told = ", ".join(f"{name} {many:,}" for name, many in rows.items())
        report.notes.append(f"the rows are in {parameters.frames}: {told}")
    if parameters.xlsx:
        write_workbook(Path(parameters.xlsx), found)
        report.notes.append(f"the workbook is {parameters.xlsx}")
    if parameters.html:
        write_html(Path(parameters.html), found, desk.settings.back_office)
        report.notes.append(f"the page is {parameters.html}")
    if channel is not None:
        await send_report(channel, found, Path(parameters.html) if parameters.html else None)
        report.notes.append("the totals were sent")
    if parameters.with_shoppers:
        report.notes.append("the CSV, Excel and Parquet files name shoppers; only their owner may read them")


def _payouts(desk: Desk, parameters: Parameters, copies: Path) -> PayoutsAsked | None:
    """The payout files that are to be compared; None where there is none. Raises `InputFileError`, `WrongNameError`."""
    asked = PayoutsAsked(
        files=payout_files(desk, parameters.payouts, copies),
        days=parameters.payout_days,
        statement=named_file(desk, parameters.statement, copies),
        mapping=named_file(desk, parameters.mapping, copies),
        orders=named_file(desk, parameters.payout_orders, copies),
        zone=parameters.payout_zone,
    )
    return asked if asked.files or asked.statement or asked.mapping else None


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def daily_report(parameters: Parameters = Parameters()) -> State[DailyRun]:  # noqa: B008 - Prefect's form
    """Tell what was paid, what waits and how long it took. Writes nothing at REVER or in the ledger.

    The report is in the artifact `daily-report-tables`.
    """
    return await in_prefect(NAME, work, parameters)
