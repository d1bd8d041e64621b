"""backtest-policy: a candidate policy over past returns, beside the policy in force and beside what was really done."""

from datetime import date, datetime
from pathlib import Path
from typing import ClassVar

from prefect import State, flow
from pydantic import Field

from flows.in_prefect import in_prefect, run_name
from flows.parameters import FlowParameters, StoreTime
from tasks.backtest_policy import Span
from tasks.backtest_policy import backtest_policy as replayed
from tasks.desk import Desk
from tasks.policy.facts import counted
from tasks.policy.policy_file import read_policy
from tasks.reporting.backtest_report import COLUMNS, BacktestReport, backtest_html, difference_rows
from tasks.reporting.csv_file import check_target, write_csv, write_whole
from tasks.steps import about

NAME = "backtest-policy"


class Parameters(FlowParameters):
    """Try a candidate policy over past returns. Nothing is written at REVER or in the ledger."""

    begins: ClassVar[bool] = True
    first: ClassVar = ("candidate",)

    candidate: str = Field(
        min_length=1, title="Candidate", description="The policy file to try: a path on the worker, as REVER_POLICY."
    )
    stores: list[str] = Field(
        default_factory=list,
        title="Stores",
        description="E-commerce ids of the stores. Empty: all of this desk's stores.",
    )
    started_since: StoreTime = Field(
        None,
        title="Started since",
        description="Only returns that the shopper started at or after this: a date (the start of that day at the "
        "store), or a time with its offset. Empty: however old.",
    )
    started_before: StoreTime = Field(
        None, title="Started before", description="Only returns that were started before this. Empty: until now."
    )
    export: str = Field(
        "",
        title="Export",
        description="A file on the worker with returns as REVER's API shows them, one JSON object in a line, in the "
        "place of REVER's search. Empty: REVER is asked.",
    )
    csv: str = Field("", title="CSV file", description="A file on the worker for all differences. Empty: none.")
    html: str = Field("", title="HTML file", description="A file on the worker for the whole result. Empty: none.")

    def new_report(self, flow: str) -> BacktestReport:
        """The report with which a run of the flow begins."""
        return BacktestReport(flow)


async def work(desk: Desk, parameters: Parameters, report: BacktestReport) -> None:
    """Read the candidate, then the returns of the window, replay them under both policies, and tell what differs.

    Raises `PolicyFileError` where the candidate could not be put in force as it is.
    """
    for target in filter(None, (parameters.csv, parameters.html)):
        check_target(Path(target))
    report.stores = stores = desk.chosen(parameters.stores)
    file = Path(parameters.candidate)
    candidate = read_policy(file, ours=desk.stores)
    report.candidate, report.span = file.name, _in_words(parameters)
    export = Path(parameters.export) if parameters.export else None
    with about(", ".join(stores)):
        found = await replayed(
            desk, candidate, file, stores, Span(parameters.started_since, parameters.started_before, export)
        )
    report.found, report.seen = found, found.returns
    if parameters.csv:
        write_csv(Path(parameters.csv), COLUMNS, difference_rows(found))
        report.notes.append(f"the differences are in {parameters.csv}, {counted(len(found.differences), 'row')}")
    if parameters.html:
        write_whole(Path(parameters.html), backtest_html(found, report))
        report.notes.append(f"the result is in {parameters.html}")


def _in_words(parameters: Parameters) -> str:
    """Which returns are replayed."""
    since, before = parameters.started_since, parameters.started_before
    said = [f"from {_at(since)}"] if since else []
    said += [f"before {_at(before)}"] if before else []
    where = f" of {Path(parameters.export).name}" if parameters.export else ""
    return f"returns{where} that began {' and '.join(said)}" if said else f"all returns{where}"


def _at(at: date | datetime) -> str:
    return at.isoformat(timespec="minutes") if isinstance(at, datetime) else at.isoformat()


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def backtest_policy(parameters: Parameters) -> State[BacktestReport]:
    """Try a candidate policy over past returns: what it would have paid earlier, later, more, less, or held.

    Writes nothing at REVER or in the ledger. The result is in the artifact `backtest-policy-result`.
    """
    return await in_prefect(NAME, work, parameters)
