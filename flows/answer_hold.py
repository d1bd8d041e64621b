"""answer-hold: a person's answer to a held return, or to many that are held for one cause."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import ClassVar, Self

from prefect import State, flow
from pydantic import Field, field_validator, model_validator

from flows.in_prefect import in_prefect, run_name
from flows.parameters import Day, StoresParameters
from flows.sub_flows import at, fetch_named, named_through, settle_own
from tasks.answer_hold import (
    AnsweredHold,
    HoldAnswer,
    answer_holds,
    check_day,
    hold_by_id,
    holds_by_cause,
    holds_by_list,
    list_mark,
    what_was_done,
)
from tasks.decide_returns import note_returns
from tasks.desk import Desk
from tasks.effects.perform import Result
from tasks.ledger import Answer, HoldRow, load_records
from tasks.policy.facts import counted
from tasks.policy.record import LineUnits, Record
from tasks.policy.store import Amount, Whole
from tasks.reporting.report import Mode, ReturnsReport, Row
from tasks.reporting.tally import count_decisions, count_outcome, count_settled
from tasks.steps import about

_HOLD = re.compile(r"[^:\s]+:[1-9][0-9]*")
_UNITS = re.compile(r"(\S+):([1-9][0-9]*(?:\+[1-9][0-9]*)*)")


class Parameters(StoresParameters):
    """Answer a held return, or many that are held for one cause."""

    begins: ClassVar[bool] = False

    hold_id: str = Field(
        "",
        title="Hold",
        description="One hold, by its id, as the table of open holds lists it.",
    )
    version: Whole = Field(
        None,
        title="Version of the hold",
        description="As listed beside the hold, and required with it: an outdated answer is refused.",
    )
    holds: list[str] = Field(
        default_factory=list,
        title="Many holds",
        description="Instead of one: each as HOLD:VERSION. If one has changed, none is answered.",
    )
    cause: str = Field(
        "",
        title="All holds of a cause",
        description="Instead of one: a rule or kind, such as unknown_outcome. Mode plan lists them and prints a mark.",
    )
    listed: str = Field(
        "",
        title="Mark of the list",
        description="With a cause and mode act: the mark that plan printed. Another list than that is refused.",
    )
    answer: Answer | None = Field(
        None,
        title="Answer",
        description="To go on: approve, send_again, look_again or take_as_it_is, whichever the hold names; retry is "
        "the old word for any of them. done_by_hand: it was done outside of this desk. drop: it is not to be done. "
        "Mode plan says what each does with the money.",
    )
    by: str = Field("", title="Your name", description="Who answers. Recorded, not checked.")
    reason: str = Field("", title="Reason", description="Why; required for drop. No names or addresses of shoppers.")
    reference: str = Field(
        "",
        title="Reference",
        description="For done_by_hand, required: where the payment or order can be found.",
    )
    amount: Amount = Field(
        None,
        title="Amount paid by hand",
        description="For done_by_hand: the amount that was paid. Empty: the hold's own.",
    )
    on: Day = Field(None, title="Day", description="For done_by_hand: the day on which it was done. Empty: today.")
    units: list[str] = Field(
        default_factory=list,
        title="Units",
        description="For done_by_hand and drop: only these units, each as LINE:1+2. Empty: all of the hold.",
    )

    @field_validator("holds")
    @classmethod
    def _listed_with_versions(cls, holds: list[str]) -> list[str]:
        wrong = [hold for hold in holds if not _HOLD.fullmatch(hold)]
        if wrong:
            msg = f"write each hold as HOLD:VERSION, not {wrong[0]!r}"
            raise ValueError(msg)
        return holds

    @field_validator("units")
    @classmethod
    def _units_of_lines(cls, units: list[str]) -> list[str]:
        wrong = [text for text in units if not _UNITS.fullmatch(text)]
        if wrong:
            msg = f"write units as LINE:1+2, not {wrong[0]!r}"
            raise ValueError(msg)
        return units

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        problem = self._which() or (self._said() if self.mode is Mode.ACT else "")
        if problem:
            raise ValueError(problem)
        return self

    def _which(self) -> str:
        """What is wrong with how the holds are named."""
        ways = [bool(self.hold_id), bool(self.holds), bool(self.cause)]
        if sum(ways) != 1:
            return "name one hold by hold_id and version, or many by holds, or by cause: one of the three"
        if self.hold_id and self.version is None:
            return "say the version of the hold, as it was listed"
        if not self.hold_id and (self.units or self.amount is not None):
            return "an amount or units can be stated for one hold only"
        return ""

    def _said(self) -> str:
        """What is missing of an answer that is to be carried out."""
        if self.answer is None or not self.by.strip():
            words = "|".join(word for word in Answer if word is not Answer.RETRY)
            return f"say the answer and who gives it: answer={words} by=NAME"
        if self.cause and not self.listed:
            return "say which list you mean: listed=MARK, which mode=plan prints"
        if self.answer is Answer.DROP and not self.reason.strip():
            return "drop needs a reason"
        if self.answer is Answer.DONE_BY_HAND and not self.reference.strip():
            return "done_by_hand needs a reference: where the payment or order can be found"
        if self.answer.goes_on and (self.units or self.amount is not None):
            return f"{self.answer} is about all that the hold is about: state no units and no amount"
        return ""

    def said(self, today: date) -> HoldAnswer:
        """What the form says."""
        assert self.answer is not None  # noqa: S101 - checked for mode=act
        by_hand = self.answer is Answer.DONE_BY_HAND
        return HoldAnswer(
            answer=self.answer,
            by=self.by.strip(),
            reason=self.reason.strip(),
            reference=self.reference.strip(),
            amount=self.amount,
            on=(self.on or today) if by_hand else None,
            items=tuple(_line_units(text) for text in self.units),
        )


def _line_units(text: str) -> LineUnits:
    line, _, numbers = text.rpartition(":")
    return LineUnits(line, tuple(int(number) for number in numbers.split("+")))


NAME = "answer-hold"
AT_ONCE = 25
"""Answers in one task run."""


async def work(desk: Desk, parameters: Parameters, report: ReturnsReport) -> None:
    """List the holds that are meant; with `act` give the answer to each, and take the returns on from there."""
    check_day(parameters.on, desk.clock())
    report.stores = desk.chosen(parameters.stores)
    chosen = await _chosen(desk, parameters, report.stores)
    report.stores = tuple(dict.fromkeys(hold.store for hold in chosen))
    if desk.mode is Mode.PLAN:
        _list(report, parameters, chosen)
        return
    said = parameters.said(desk.clock().date())
    before = await desk.ledger.aread(load_records, [hold.process_id for hold in chosen])
    done: list[AnsweredHold] = []
    for start in range(0, len(chosen), AT_ONCE):
        await _answer(desk, report, chosen, start, said, done)
    await _go_on(desk, report, said.answer, done)
    await _tell(desk, report, said.answer, done, before)


async def _chosen(desk: Desk, parameters: Parameters, stores: Sequence[str]) -> list[HoldRow]:
    if parameters.hold_id:
        return [await hold_by_id(desk, parameters.hold_id, parameters.version)]
    if parameters.holds:
        return await holds_by_list(desk, parameters.holds)
    return await holds_by_cause(desk, parameters.cause, stores, parameters.listed if desk.mode is Mode.ACT else "")


def _list(report: ReturnsReport, parameters: Parameters, chosen: Sequence[HoldRow]) -> None:
    """What would be answered: one by one, and, for many, their number, money and mark."""
    for hold in chosen:
        report.seen += 1
        report.decisions["hold"] += 1
        amount = None if hold.amount is None else Decimal(hold.amount)
        about = f"{hold.hold_id}:{hold.version}"
        report.rows[about] = Row(
            hold.process_id, hold.order_name, hold.store, "hold", hold.why, amount, hold.currency, about
        )
    if parameters.hold_id:
        hold = chosen[0]
        report.notes.append(f"{hold.process_id} is held since {hold.since:%F %H:%M} UTC ({hold.rule}): {hold.why}")
        report.notes += [f"seen: {name}: {value}" for name, value in hold.evidence.items()]
        report.notes += [f"{name} {words}" for name, words in hold.answers.items()]
        return
    for hold in chosen:
        report.notes.append(f"{hold.hold_id}:{hold.version} {hold.process_id}: {hold.why}")
        report.notes += [f"  {name} {words}" for name, words in hold.answers.items()]
    report.notes.append(f"{counted(len(chosen), 'hold')}, {_total(chosen)}")
    if parameters.cause:
        stores = f" stores={','.join(parameters.stores)}" if parameters.stores else ""
        mark = list_mark(chosen)
        report.notes.append(
            f"to answer just these: cause={parameters.cause}{stores} listed={mark} answer=... by=... mode=act"
        )


def _total(chosen: Sequence[HoldRow]) -> str:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for hold in chosen:
        if hold.amount is not None:
            sums[hold.currency] += Decimal(hold.amount)
    return ", ".join(f"{amount} {currency}" for currency, amount in sorted(sums.items())) or "no money named"


async def _answer(
    desk: Desk, report: ReturnsReport, chosen: Sequence[HoldRow], start: int, said: HoldAnswer, done: list[AnsweredHold]
) -> None:
    """Answer those of the chosen holds that come next, and count what came of each, whatever ends the step."""
    some, answered = chosen[start : start + AT_ONCE], list[AnsweredHold]()
    try:
        with about(f"{start + 1} to {start + len(some)} of {len(chosen)}"):
            report.failures += await answer_holds(desk, some, said, answered, alone=len(chosen) == 1)
    finally:
        done += answered
        for item in answered:
            if item.settled:
                count_settled(report, [item.settled])
                report.notes.append(_already(item, said.answer))
            else:
                report.notes.append(_answered(item, said.answer))
            if item.outcome:
                count_outcome(report, item.outcome)
                desk.under_way.pop(item.outcome.claim.intent.id, None)


async def _go_on(desk: Desk, report: ReturnsReport, said: Answer, done: Sequence[AnsweredHold]) -> None:
    """After an answer that goes on act on the returns, after another just note them."""
    open_now = {item.hold.process_id for item in done if item.outcome and item.outcome.result is Result.UNKNOWN}
    ids = [item.hold.process_id for item in done if item.hold.process_id not in open_now]
    found = await fetch_named(desk, report, ids)
    if said.goes_on:
        await named_through(desk, report, found, f"{len(found)} answered")
        await settle_own(desk, report, report.stores)
        return
    for store in dict.fromkeys(item.store for item in found):
        with at(desk, store), about(f"{len(found)} answered {store}"):
            decided, failed = await note_returns(desk, [item for item in found if item.store == store])
            report.failures += failed
            count_decisions(report, decided)


async def _tell(
    desk: Desk, report: ReturnsReport, said: Answer, done: Sequence[AnsweredHold], before: Mapping[str, Record]
) -> None:
    """Complete each answer's note with what was really done: read back from the ledger, and not what was promised."""
    ids = [item.hold.process_id for item in done]
    after = await desk.ledger.aread(load_records, ids)
    for item in done:
        note = _already(item, said) if item.settled else _answered(item, said)
        process_id = item.hold.process_id
        row = report.rows.get(process_id)
        waits = row.why if row and row.decision == "wait" else ""
        settled = item.hold.intent_id if item.settled else ""
        now_so = "; ".join(what_was_done(before[process_id], after[process_id], waits, settled=settled))
        if note in report.notes and now_so:
            report.notes[report.notes.index(note)] = f"{note}: {now_so}"


def _answered(item: AnsweredHold, said: Answer) -> str:
    return f"{item.hold.process_id}: answered {said}"


def _already(item: AnsweredHold, said: Answer) -> str:
    shown = f"{item.hold.process_id}: REVER shows by now what was sent, so it is done; nothing was sent again"
    if said is Answer.DONE_BY_HAND:
        shown += "; a payment by hand that is another than this one has been made on top of it"
    return shown


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def answer_hold(parameters: Parameters) -> State[ReturnsReport]:
    """Answer a held return, or many: try again, say that it was done by hand, or drop it.

    With mode `plan` it lists what is meant, and tells what each answer would do.
    """
    return await in_prefect(NAME, work, parameters)
