"""answer-hold: a person's answer to a held return."""

from datetime import date
from decimal import Decimal

from prefect import State, flow
from pydantic import Field

from flows.in_prefect import in_prefect, run_name
from flows.parameters import FlowParameters
from flows.stages import settle_own, take_through
from tasks.answer_hold import AnsweredHold, HoldAnswer, answer, find_hold
from tasks.carry_out import Carried
from tasks.desk import Desk
from tasks.effects import Result
from tasks.fetch_pending_returns import fetch_returns
from tasks.ledger import Answer
from tasks.report import Mode, Report
from tasks.steps import Stage
from tasks.tally import count_outcome, count_settled

NAME = "answer-hold"


class Parameters(FlowParameters):
    """Answer a held return."""

    hold_id: str = Field(description="The hold's id, as `rever-returns holds` lists it.", min_length=1)
    version: int = Field(ge=1, description="The hold's version, as listed: an outdated answer is refused.")
    answer: Answer = Field(
        description="retry: go on, waiving just what held, once. done_by_hand: it was done outside of this desk. "
        "drop: it is not to be done."
    )
    by: str = Field(min_length=1, description="Who answers. Recorded, not checked.")
    reason: str = Field("", description="Why; required for drop. No names or addresses of shoppers.")
    reference: str = Field("", description="For done_by_hand: where the payment or order can be found.")
    amount: Decimal | None = Field(None, ge=0, description="For done_by_hand: the amount that was paid.")
    on: date | None = Field(None, description="For done_by_hand: the day on which it was done.")


async def work(desk: Desk, parameters: Parameters, stage: Stage) -> Report:
    """Give the answer; after a `retry`, take the return on from there."""
    report = Report(NAME, desk.mode, desk.stores)
    hold = await find_hold(desk, parameters.hold_id)
    report.stores = (hold.store,)
    if desk.mode is Mode.PLAN:
        report.notes.append(f"{hold.process_id} is held: {hold.why}")
        report.notes += [f"{name} would: {words}" for name, words in hold.answers.items()]
        return report
    done = await stage("answer-hold", lambda: answer(desk, said(parameters)), parameters.hold_id)
    await _go_on(desk, parameters, stage, report, done)
    return report


def said(parameters: Parameters) -> HoldAnswer:
    """The form as the answer it means."""
    return HoldAnswer(
        hold_id=parameters.hold_id,
        version=parameters.version,
        answer=parameters.answer,
        by=parameters.by,
        reason=parameters.reason,
        reference=parameters.reference,
        amount=parameters.amount,
        on=parameters.on,
    )


async def _go_on(desk: Desk, parameters: Parameters, stage: Stage, report: Report, done: AnsweredHold) -> None:
    process_id = done.hold.process_id
    unknown: list[Carried] = []
    if done.settled:
        count_settled(report, [done.settled])
        report.notes.append(f"{process_id}: REVER already shows it; nothing was sent again")
    if done.outcome:
        count_outcome(report, done.outcome)
    if parameters.answer is Answer.RETRY and not (done.outcome and done.outcome.result is Result.UNKNOWN):
        found, report.failures = await stage(
            "fetch-pending-returns", lambda: fetch_returns(desk, [process_id]), process_id
        )
        unknown = await take_through(desk, stage, report, found, process_id)
    await settle_own(desk, stage, report, (done.hold.store,), unknown)


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def answer_hold(parameters: Parameters) -> State[Report]:
    """Answer a held return: try again, say that it was done by hand, or drop it.

    With mode `plan` it tells what each answer would do.
    """
    return await in_prefect(NAME, work, parameters)
