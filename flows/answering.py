"""What `answer-hold` and `answer-holds` share: what their forms ask, and the way of an answer to the report."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Self

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from flows.parameters import Day, ReturnsParameters, Schema
from flows.sub_flows import at, fetch_named, named_through, settle_own
from tasks.answer_hold import AnsweredHold, HoldAnswer, answer_holds, what_follows, what_was_done
from tasks.decide_returns import note_returns
from tasks.desk import Desk
from tasks.effects.perform import Result
from tasks.ledger import Answer, HoldRow, load_records
from tasks.policy.decision import DecisionName
from tasks.policy.order_returns import OrderKey
from tasks.policy.record import LineUnits, Record
from tasks.reporting.report import Mode, ReturnsReport, Row
from tasks.reporting.tally import count_decisions, count_outcome, count_settled
from tasks.steps import about


class AnswerParameters(ReturnsParameters):
    """What a person says to a hold, whichever it is."""

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
    on: Day = Field(None, title="Day", description="For done_by_hand: the day on which it was done. Empty: today.")

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        """The schema, with what each answer needs: Prefect's form and API refuse at once what lacks it."""
        return super().__get_pydantic_json_schema__(schema, handler) | {"allOf": cls.needs()}

    @classmethod
    def needs(cls) -> list[Schema]:
        """What must be filled in, where something else is: as JSON Schema has it, and as the validators check it."""
        act = {"mode": [Mode.ACT]}
        return [
            when(act, needed("answer"), needed("by")),
            when(act | {"answer": [Answer.DROP]}, needed("reason")),
            when(act | {"answer": [Answer.DONE_BY_HAND]}, needed("reference")),
        ]

    @model_validator(mode="after")
    def _clear(self) -> Self:
        if problem := self.problem():
            raise ValueError(problem)
        return self

    def problem(self) -> str:
        """What is missing of an answer that is to be carried out; empty where nothing is."""
        if self.mode is Mode.PLAN:
            return ""
        if self.answer is None or not self.by.strip():
            words = "|".join(word for word in Answer if word is not Answer.RETRY)
            return f"say the answer and who gives it: answer={words} by=NAME"
        if self.answer is Answer.DROP and not self.reason.strip():
            return "drop needs a reason"
        if self.answer is Answer.DONE_BY_HAND and not self.reference.strip():
            return "done_by_hand needs a reference: where the payment or order can be found"
        return ""

    def said(self, today: date, amount: Decimal | None = None, items: Sequence[LineUnits] = ()) -> HoldAnswer:
        """What the form says. `amount` and `items` are those of one hold."""
        assert self.answer is not None  # noqa: S101 - checked for mode=act
        by_hand = self.answer is Answer.DONE_BY_HAND
        return HoldAnswer(
            answer=self.answer,
            by=self.by.strip(),
            reason=self.reason.strip(),
            reference=self.reference.strip(),
            amount=amount,
            on=(self.on or today) if by_hand else None,
            items=tuple(items),
        )


def when(found: Mapping[str, Sequence[str]], *then: Schema) -> Schema:
    """JSON Schema: where each of these fields has one of these values, all of this is so too."""
    values = {name: {"enum": list(map(str, values))} for name, values in found.items()}
    return {"if": {"properties": values, "required": list(found)}, "then": {"allOf": list(then)}}


def needed(name: str) -> Schema:
    """JSON Schema: this field is there, and a text in it is not blank."""
    return {"required": [name], "properties": {name: {"minLength": 1, "pattern": r"^(?!\s+$)"}}}


AT_ONCE = 25
"""Answers in one task run."""


async def answer_all(desk: Desk, report: ReturnsReport, chosen: Sequence[HoldRow], said: HoldAnswer) -> None:
    """Give the answer to each of these holds, take the returns on from there, and tell what was done.

    A hold that cannot be answered does not stop the others, and the report names it; one alone raises as
    `tasks.answer_hold.answer` does.
    """
    before = await desk.ledger.aread(load_records, [hold.process_id for hold in chosen])
    done: list[AnsweredHold] = []
    for start in range(0, len(chosen), AT_ONCE):
        await _answer(desk, report, chosen, start, said, done)
    await _go_on(desk, report, said.answer, done)
    await _tell(desk, report, said, done, before)


def list_hold(report: ReturnsReport, hold: HoldRow) -> None:
    """Enter a hold that is only looked at into a plan's report; what is paid then hangs on the answer."""
    report.forecasts = False
    report.seen += 1
    report.decisions[DecisionName.HOLD] += 1
    about = f"{hold.hold_id}:{hold.version}"
    report.rows[about] = Row(
        hold.process_id, hold.order_name, hold.store, DecisionName.HOLD, hold.why, hold.amount, hold.currency, about
    )


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
            report.notes.append(_told(item, said))
            if item.settled:
                count_settled(report, [item.settled])
            if item.outcome:
                count_outcome(report, item.outcome)
                desk.under_way.pop(item.outcome.claim.intent.id, None)


async def _go_on(desk: Desk, report: ReturnsReport, said: Answer, done: Sequence[AnsweredHold]) -> None:
    """After an answer that goes on act on the returns, after another just note them. An order is no return yet."""
    open_now = {item.hold.process_id for item in done if item.outcome and item.outcome.result is Result.UNKNOWN}
    ids = [item.hold.process_id for item in done if item.hold.process_id not in open_now]
    ids = [process_id for process_id in ids if OrderKey.of(process_id) is None]
    found = await fetch_named(desk, report, ids)
    if said.goes_on:
        await named_through(desk, report, found, f"{len(found)} answered")
        await settle_own(desk, report, report.stores)
        return
    for store in dict.fromkeys(item.store for item in found):
        with at(desk, store), about(f"{len(found)} answered {store}"):
            decided, failed = await note_returns(desk, [item for item in found if item.store == store])
            report.fail(store, failed)
            count_decisions(report, decided)


async def _tell(
    desk: Desk, report: ReturnsReport, said: HoldAnswer, done: Sequence[AnsweredHold], before: Mapping[str, Record]
) -> None:
    """Complete each answer's note with what was really done: read back from the ledger, and not what was promised."""
    ids = [item.hold.process_id for item in done]
    after = await desk.ledger.aread(load_records, ids)
    for item in done:
        note = _told(item, said)
        process_id = item.hold.process_id
        row = report.rows.get(process_id)
        settled = item.hold.intent_id if item.settled else ""
        done_now = "; ".join(what_was_done(before[process_id], after[process_id], settled=settled))
        follows = what_follows(after[process_id], row.decision if row else "", row.why if row else "")
        whole = f"{': '.join(filter(None, [note, done_now]))}. What follows: {follows}"
        if note in report.notes:
            report.notes[report.notes.index(note)] = whole
        if len(done) == 1:
            report.headline = whole


def _told(item: AnsweredHold, said: HoldAnswer) -> str:
    """That a hold was answered: which, of which order, by whom and how."""
    hold = item.hold
    of = f"order {hold.order_name}, hold {hold.hold_id}" if hold.order_name else f"hold {hold.hold_id}"
    if not item.settled:
        return f"{hold.process_id} ({of}): answered {said.answer} by {said.by}"
    shown = f"{hold.process_id} ({of}): REVER shows by now what was sent, so it is done; nothing was sent again"
    if said.answer is Answer.DONE_BY_HAND:
        shown += "; a payment by hand that is another than this one has been made on top of it"
    return shown
