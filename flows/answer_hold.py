"""answer-hold: a person's answer to one held return."""

import re
from contextlib import suppress
from typing import Annotated, ClassVar

from prefect import State, flow
from pydantic import BeforeValidator, Field, field_validator

from flows.answering import AnswerParameters, answer_all, list_hold, when
from flows.in_prefect import in_prefect, run_name
from flows.parameters import Amount, Schema, whole
from rever_api.errors import ReverError
from tasks.answer_hold import check_day, hold_by_id
from tasks.desk import Desk, DeskError
from tasks.ledger import Answer, AnswerError
from tasks.policy.clocks import clock_time
from tasks.policy.record import LineUnits
from tasks.reporting.report import Mode, ReturnsReport

_UNITS = re.compile(r"(\S+):([1-9][0-9]*(?:\+[1-9][0-9]*)*)")


class Parameters(AnswerParameters):
    """Answer one hold."""

    first: ClassVar = ("hold_id", "version")

    hold_id: str = Field(
        min_length=1, title="Hold", description="Its id. The links of the holds page fill in the hold and its version."
    )
    version: Annotated[int, BeforeValidator(whole)] = Field(
        ge=1,
        title="Version of the hold",
        description="As it is listed beside the hold: an outdated answer is refused.",
    )
    amount: Amount = Field(
        None,
        title="Amount paid by hand",
        description="For done_by_hand: the amount that was paid. Empty: the hold's own.",
    )
    units: list[str] = Field(
        default_factory=list,
        title="Units",
        description="For done_by_hand and drop: only these units, each as LINE:1+2. Empty: all of the hold.",
    )

    @classmethod
    def needs(cls) -> list[Schema]:
        """What must be filled in or left empty, where something else is filled in."""
        goes_on = [word for word in Answer if word.goes_on]
        nothing = {"properties": {"amount": {"type": "null"}, "units": {"maxItems": 0}}}
        return [*super().needs(), when({"mode": [Mode.ACT], "answer": goes_on}, nothing)]

    @field_validator("units")
    @classmethod
    def _units_of_lines(cls, units: list[str]) -> list[str]:
        wrong = [text for text in units if not _UNITS.fullmatch(text)]
        if wrong:
            msg = f"write units as LINE:1+2, not {wrong[0]!r}"
            raise ValueError(msg)
        return units

    def problem(self) -> str:
        """What is missing, or too much, of an answer that is to be carried out; empty where nothing is."""
        if problem := super().problem():
            return problem
        goes_on = self.mode is Mode.ACT and self.answer is not None and self.answer.goes_on
        if goes_on and (self.units or self.amount is not None):
            return f"{self.answer} is about all that the hold is about: state no units and no amount"
        return ""


NAME = "answer-hold"


async def work(desk: Desk, parameters: Parameters, report: ReturnsReport) -> None:
    """Say what the hold is about and what each answer would do; with `act` give the answer, and take the return on."""
    check_day(parameters.on, desk.clock())
    hold = await hold_by_id(desk, parameters.hold_id, parameters.version)
    report.stores = (hold.store,)
    if desk.mode is Mode.ACT:
        units = [_line_units(text) for text in parameters.units]
        said = parameters.said(desk.clock().date(), parameters.amount, units)
        await answer_all(desk, report, [hold], said)
        return
    if parameters.answer not in {None, Answer.RETRY, *hold.answers}:
        raise AnswerError(f"{parameters.answer} is no answer to this hold; it takes {', '.join(hold.answers)}")
    list_hold(report, hold)
    with suppress(DeskError, ReverError):
        await desk.rules(hold.store)  # it tells the store's zone; where REVER cannot be asked, the time is in UTC
    since = clock_time(hold.since, report.zone(hold.store))
    report.notes.append(f"{hold.process_id} is held since {since} ({hold.rule}): {hold.why}")
    report.notes += [f"seen: {name}: {value}" for name, value in hold.evidence.items()]
    meant = {parameters.answer} & hold.answers.keys() or hold.answers.keys()
    report.notes += [f"{name} {words}" for name, words in hold.answers.items() if name in meant]


def _line_units(text: str) -> LineUnits:
    line, _, numbers = text.rpartition(":")
    return LineUnits(line, tuple(int(number) for number in numbers.split("+")))


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def answer_hold(parameters: Parameters) -> State[ReturnsReport]:
    """Answer one held return: let it go on, say that it was done by hand, or drop it.

    [The pages of open holds](../../artifacts), one a store, say what waits, and their links open this form filled in.
    Mode plan says what each answer would do, and does nothing.
    """
    return await in_prefect(NAME, work, parameters)
