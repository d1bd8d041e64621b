"""Send the reviews that a file asks for, one addReview for each return, and ask about what contradicts REVER."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from tasks.decide_returns import DecidedReturn, ask_person
from tasks.desk import Desk
from tasks.effects.calls import EFFECTS
from tasks.effects.carry_out import AskedReturn, carry_out_asked
from tasks.effects.perform import Outcome, Result
from tasks.fetch_returns import PendingReturn
from tasks.files.verdicts import Came, Contradiction, FileVerdict, Verdict
from tasks.ledger import answered_contradictions, close_agreed
from tasks.policy.case import Case
from tasks.policy.decision import AskedEffect, Decision, Hold, Wait
from tasks.policy.facts import incomplete
from tasks.policy.kinds.review import Reviews
from tasks.policy.record import INSPECTION_CONTRADICTS, HoldKind, IntentKind
from tasks.reporting.report import Failure, Mode
from tasks.steps import FATAL, each, failure, step


@dataclass(slots=True)
class ReviewedReturn:
    """One return whose units are reviewed, and what came of it. Both are None while the call is under way."""

    process_id: str
    asked: AskedReturn | None = None
    failure: Failure | None = None

    @property
    def came(self) -> Came:
        """What becomes of the rows about it: in a plan by what is decided, else by the call's outcome."""
        if self.failure is not None:
            return Came(Verdict.REFUSED, self.failure.why)
        if self.asked is None:
            why = "the run was cut off; what was under way is settled by the next run"
            return Came(Verdict.HELD, why, passes=True)
        if self.asked.outcome is None:
            return _decided(self.asked.decided.decision)
        return _carried_out(self.asked.outcome)


def _decided(decision: Decision) -> Came:
    if isinstance(decision, Hold):
        return Came(Verdict.HELD, f"a person is asked: {decision.why}")
    if isinstance(decision, AskedEffect):
        return Came(Verdict.REVIEW, decision.why)
    return Came(Verdict.REFUSED, decision.why, passes=isinstance(decision, Wait))


def _carried_out(outcome: Outcome) -> Came:
    if outcome.result in {Result.DONE, Result.COUNTED}:
        return Came(Verdict.REVIEW, "")
    if outcome.result is Result.UNKNOWN:
        why = "it was sent, and whether REVER took it is not known; the next run looks"
        return Came(Verdict.HELD, why, passes=True)
    return Came(Verdict.REFUSED, outcome.why or str(outcome.result), passes=outcome.result is not Result.REFUSED)


@step("add-reviews")
async def add_reviews(
    desk: Desk, batch: Sequence[PendingReturn], wanted: Mapping[str, Reviews], into: list[ReviewedReturn]
) -> None:
    """Review the units of a batch of returns, each return by itself; a plan only decides.

    What is done stands in `into` from the beginning, so that it is counted whatever ends the run.
    """

    async def review(pending: PendingReturn) -> None:
        item = ReviewedReturn(pending.process_id)
        into.append(item)
        try:
            item.asked = await carry_out_asked(desk, EFFECTS[IntentKind.REVIEW], pending, wanted[pending.process_id])
        except FATAL:
            raise
        except Exception as error:  # noqa: BLE001 - one return's fault must not stop the others
            item.failure = failure(pending.process_id, error)
        desk.report.progress.finish()

    await each("add-reviews", batch, review)


# Ask a person where a warehouse's file says of units what REVER does not show; once, until the two agree.


@step("decide-returns")
async def hold_contradictions(desk: Desk, batch: Sequence[PendingReturn], found: FileVerdict) -> list[DecidedReturn]:
    """Hold those of these returns of which the file says what REVER does not show, and a person was not asked yet.

    Where it says what REVER shows by now, the question of an earlier file is closed.
    """
    asked = found.contradictions()
    if desk.mode is Mode.ACT:
        ids = {pending.process_id for pending in batch}
        agreed = {process_id: lines for process_id, lines in found.agreed().items() if process_id in ids}
        agreed = {process_id: lines for process_id, lines in agreed.items() if process_id not in asked}
        if agreed:
            await desk.ledger.awrite(close_agreed, agreed, now=desk.clock(), actor=desk.actor)
    mine = [pending for pending in batch if pending.process_id in asked]
    answered = await desk.ledger.aread(answered_contradictions, [it.process_id for it in mine]) if mine else {}
    decided = []
    for pending in mine:
        contradiction = asked[pending.process_id]
        if not _is_answered(contradiction.says, answered.get(pending.process_id, ())):
            decided.append(await ask_person(desk, pending, partial(_hold, contradiction=contradiction)))
    return decided


def _is_answered(says: Mapping[str, Mapping[str, int]], answered: Sequence[Mapping[str, Mapping[str, int]]]) -> bool:
    """Whether a person has answered about each of these units."""
    return all(
        any(all(before.get(line, {}).get(status, 0) >= many for status, many in each.items()) for before in answered)
        for line, each in says.items()
    )


def _hold(case: Case, contradiction: Contradiction) -> Hold:
    """The question, with both sides, and with the money that is due meanwhile where that can be worked out."""
    why = f"a warehouse's file and REVER contradict each other: {contradiction.why}"
    evidence = {f"file, line {line}": _counts(each) for line, each in contradiction.says.items()}
    shown: dict[str, dict[str, int]] = {line: {} for line in contradiction.says}
    for review in case.process.reviews or ():
        if (of_line := shown.get(review.line_item_id)) is not None:
            of_line[str(review.status)] = of_line.get(str(review.status), 0) + 1
    evidence |= {f"REVER, line {line}": _counts(each) for line, each in shown.items()}
    kind = HoldKind.CONTRADICTION
    plain = Hold(INSPECTION_CONTRADICTS, why, kind, evidence, says=contradiction.says)
    if case.inspection.contradictions or incomplete(case.process, case.rules):
        return plain  # nothing can be worked out
    # What a person let pass before was about other units, or another file.
    asked = replace(case, record=replace(case.record, waivers=()))
    found = asked.hold(INSPECTION_CONTRADICTS, kind, why, evidence)
    return plain if found is None else replace(found, says=contradiction.says)


def _counts(each: Mapping[str, int]) -> str:
    return ", ".join(f"{many} {status}" for status, many in sorted(each.items())) or "nothing inspected"
