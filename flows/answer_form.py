"""The form of answer-hold: which holds, and what is said to them."""

import re
from datetime import date
from typing import ClassVar, Self

from pydantic import Field, field_validator, model_validator

from flows.parameters import Day, StoresParameters
from tasks.answer_hold import HoldAnswer
from tasks.ledger import Answer
from tasks.policy.record import LineUnits
from tasks.policy.store import Amount, Whole
from tasks.reporting.report import Mode

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
