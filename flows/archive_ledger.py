"""archive-ledger: move the history of returns that were over long ago to files, and say how large the ledger is."""

from typing import Annotated

from prefect import State, flow
from pydantic import BeforeValidator, Field

from flows.in_prefect import in_prefect, run_name
from flows.parameters import FlowParameters, whole
from tasks.archive_ledger import archive_folder, archive_old_returns, check_window
from tasks.desk import Desk
from tasks.reporting.archive_report import ArchiveReport
from tasks.reporting.report import Mode

NAME = "archive-ledger"


class Parameters(FlowParameters):
    """Move the history of returns that were over long ago to files. What was paid stays known, unit by unit."""

    older_than: Annotated[int, Field(ge=1, le=36_500), BeforeValidator(whole)] = Field(
        400,
        title="Older than, in days",
        description="Returns that were over and that nobody and nothing has touched for so long. A number that is too "
        "small is refused, with what looks back further.",
    )
    mode: Mode = Field(
        Mode.PLAN,
        title="Mode",
        description="plan: say what would move and how large the ledger is before and after. act: move it.",
    )

    def new_report(self, flow: str) -> ArchiveReport:
        """The report with which a run of the flow begins."""
        return ArchiveReport(flow, mode=self.mode)


async def work(desk: Desk, parameters: Parameters, report: ArchiveReport) -> None:
    """Archive what may be archived; in `plan` say what that is.

    Raises `WindowTooShort` where something may still look at returns of that age.
    """
    check_window(parameters.older_than, desk.policies)
    folder = archive_folder(desk.settings)
    report.take(await archive_old_returns(desk, folder, parameters.older_than, act=report.acts))


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def archive_ledger(
    parameters: Parameters = Parameters(),  # noqa: B008 - Prefect's form
) -> State[ArchiveReport]:
    """Move the audit, evidence and changes of parcels of returns that were over long ago to Parquet files.

    They are compared with the ledger before its rows go. Nothing is sent to REVER, and nothing that makes an effect
    happen once ever moves.
    """
    return await in_prefect(NAME, work, parameters)
