"""answer-holds: one answer to many returns that are held for one cause."""

import re
from typing import ClassVar

from prefect import State, flow
from pydantic import Field, field_validator

from flows.answering import AnswerParameters, answer_all, list_hold, needed, when
from flows.in_prefect import in_prefect, run_name
from flows.parameters import Schema, StoresParameters
from tasks.answer_hold import check_day, holds_by_cause, holds_by_list, list_mark
from tasks.desk import Desk
from tasks.policy.facts import counted
from tasks.reporting.holds_page import sums_of
from tasks.reporting.report import Mode, ReturnsReport, amounts

_HOLD = re.compile(r"[^:\s]+:[1-9][0-9]*")


class Parameters(AnswerParameters, StoresParameters):
    """Answer many holds at once."""

    begins: ClassVar[bool] = False
    first: ClassVar = ("cause", "stores", "listed", "holds")

    cause: str = Field(
        "",
        title="All holds of a cause",
        description="A rule or kind, such as unknown_outcome. Mode plan lists them and prints a mark.",
    )
    listed: str = Field(
        "",
        title="Mark of the list",
        description="With a cause and mode act: the mark that plan printed. Another list than that is refused.",
    )
    holds: list[str] = Field(
        default_factory=list,
        title="Many holds",
        description="Instead of a cause: each as HOLD:VERSION. If one has changed, none is answered.",
    )

    @classmethod
    def needs(cls) -> list[Schema]:
        """What must be filled in or left empty, where something else is filled in."""
        some = {"properties": {"holds": {"minItems": 1}}, "required": ["holds"]}
        a_cause = {"properties": {"cause": {"minLength": 1}}, "required": ["cause"]}
        one_way = {"if": some, "then": {"properties": {"cause": {"maxLength": 0}}}, "else": needed("cause")}
        marked = when({"mode": [Mode.ACT]}, {"if": a_cause, "then": needed("listed")})
        return [one_way, marked, *super().needs()]

    @field_validator("holds")
    @classmethod
    def _listed_with_versions(cls, holds: list[str]) -> list[str]:
        wrong = [hold for hold in holds if not _HOLD.fullmatch(hold)]
        if wrong:
            msg = f"write each hold as HOLD:VERSION, not {wrong[0]!r}"
            raise ValueError(msg)
        return holds

    def problem(self) -> str:
        """What is wrong with how the holds are named, or missing of the answer; empty where nothing is."""
        if bool(self.holds) == bool(self.cause):
            return "name the holds by cause, or each by holds: one of the two"
        if problem := super().problem():
            return problem
        if self.mode is Mode.ACT and self.cause and not self.listed:
            return "say which list you mean: listed=MARK, which mode=plan prints"
        return ""


NAME = "answer-holds"


async def work(desk: Desk, parameters: Parameters, report: ReturnsReport) -> None:
    """List the holds that are meant; with `act` give the answer to each, and take the returns on from there."""
    check_day(parameters.on, desk.clock())
    report.stores = desk.chosen(parameters.stores)
    if parameters.holds:
        chosen = await holds_by_list(desk, parameters.holds)
    else:
        mark = parameters.listed if desk.mode is Mode.ACT else ""
        chosen = await holds_by_cause(desk, parameters.cause, report.stores, mark)
    report.stores = tuple(dict.fromkeys(hold.store for hold in chosen))
    if desk.mode is Mode.ACT:
        await answer_all(desk, report, chosen, parameters.said(desk.clock().date()))
        return
    for hold in chosen:
        list_hold(report, hold)
        report.notes.append(f"{hold.hold_id}:{hold.version} {hold.process_id}: {hold.why}")
        report.notes += [f"  {name} {words}" for name, words in hold.answers.items()]
    money = amounts(sums) if (sums := sums_of(chosen)) else "no money named"
    report.notes.append(f"{counted(len(chosen), 'hold')}, {money}")
    if parameters.cause:
        stores = f" stores={','.join(parameters.stores)}" if parameters.stores else ""
        mark = list_mark(chosen)
        report.notes.append(
            f"to answer just these: cause={parameters.cause}{stores} listed={mark} answer=... by=... mode=act"
        )


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def answer_holds(parameters: Parameters) -> State[ReturnsReport]:
    """Give one answer to many holds: all of one cause, or those of a list.

    [The pages of open holds](../../artifacts), one a store, have a link for each cause, which opens this form filled
    in. With mode plan it lists the holds and what each answer would do, and prints the mark by which they are answered.
    """
    return await in_prefect(NAME, work, parameters)
