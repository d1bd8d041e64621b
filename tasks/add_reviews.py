"""Send the reviews that a file asks for: one addReview for each return, through the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasks.desk import Desk
from tasks.effects.calls import EFFECTS
from tasks.effects.carry_out import AskedReturn, carry_out_asked
from tasks.effects.perform import Outcome, Result
from tasks.files.verdicts import Came, Verdict
from tasks.policy.decision import AskedEffect, Decision, Hold, Wait
from tasks.policy.kinds.review import Reviews
from tasks.policy.record import IntentKind
from tasks.reporting.report import Failure
from tasks.returns import PendingReturn
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
