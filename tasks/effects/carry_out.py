"""Carry out what was claimed for a return, effect after effect, until nothing of this kind is left for this run."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rever_api.errors import ReverError, Unreadable, WrongSetup
from tasks.crash_points import CrashPoint, reached
from tasks.decide_returns import DecidedReturn, decide_again
from tasks.desk import Desk
from tasks.effects.kind import Effect
from tasks.effects.perform import Outcome, Result, perform
from tasks.failures import FATAL, failure
from tasks.ledger import Claim
from tasks.policy.decision import Compensate, left_to_another_run
from tasks.policy.facts import believed
from tasks.policy.kinds import KINDS, Side
from tasks.policy.two_reads import differences
from tasks.reporting.report import Failure
from tasks.returns import PendingReturn, unread_return
from tasks.steps import each

MOST_EFFECTS = 12
"""Effects on one return in one run: more than methods and kinds there are. A loop past it is a fault of the rules."""

GO_ON = frozenset({Result.DONE, Result.COUNTED, Result.REFUSED, Result.WITHDRAWN})
"""After these the return is decided about again; after any other, what comes next is the next run's."""


@dataclass(slots=True)
class ReturnResult:
    """What was done for one return.

    `left` is its last decision where a claim of another kind is still to be done; `failure` what ended the work
    on it. `took_on` says that nothing is left to another run, as far as is known: what was due is done, refused, held
    or of unknown outcome.
    """

    pending: PendingReturn
    outcomes: list[Outcome] = field(default_factory=list)
    decisions: list[DecidedReturn] = field(default_factory=list)
    left: DecidedReturn | None = None
    failure: Failure | None = None
    took_on: bool = False


async def carry_out(
    desk: Desk, item: DecidedReturn, effect: Effect, into: list[ReturnResult] | None = None
) -> ReturnResult:
    """Do the claimed effect of one return, decide again, and go on while effects of the same kind are claimed.

    What is done stands in `into` from the beginning, so that it is counted whatever ends the run.
    """
    carried = ReturnResult(item.pending)
    if into is not None:
        into.append(carried)
    try:
        await _until_nothing_is_left(desk, item, effect, carried)
    except FATAL:
        raise
    except Exception as error:  # noqa: BLE001 - one return's fault must not stop the others
        carried.failure = failure(item.process_id, error)
    if carried.left is None:
        desk.report.progress.finish()
    return carried


async def _until_nothing_is_left(desk: Desk, item: DecidedReturn, effect: Effect, carried: ReturnResult) -> None:
    while len(carried.outcomes) < MOST_EFFECTS:
        claim = item.decided.claim
        if claim is None:
            carried.took_on = not left_to_another_run(item.decision)
            return
        if claim.intent.kind is not effect.kind.name:
            carried.left = item
            return
        reached(CrashPoint.AFTER_CLAIM, claim.process_id)
        outcome = await perform(desk, claim, effect, item.pending.process)
        carried.outcomes.append(outcome)
        if outcome.result is Result.DONE and KINDS[claim.intent.kind].pays:
            desk.report.progress.pay(claim.intent.currency, claim.intent.amount)
        desk.under_way.pop(claim.intent.id, None)
        unread = outcome.unread
        more = await (_next(desk, item, claim, outcome) if unread is None else decide_again(desk, unread))
        if more is None:
            done = outcome.result in {Result.DONE, Result.COUNTED}
            carried.took_on = outcome.result is Result.UNKNOWN or (done and not _more_was_due(item))
            return
        carried.decisions.append(more)
        item = more


async def _next(desk: Desk, item: DecidedReturn, claim: Claim, outcome: Outcome) -> DecidedReturn | None:
    """The decision that follows an outcome; None where this run has nothing more to do for the return."""
    if outcome.result not in GO_ON:
        return None
    process = outcome.process
    if outcome.result in {Result.DONE, Result.COUNTED}:
        if not _more_was_due(item):
            return None
        reached(CrashPoint.BETWEEN_REFUNDS, claim.process_id)
        try:
            process = believed(await desk.client.get_return_process(claim.process_id), desk.clock())
        except WrongSetup:
            raise
        except Unreadable as error:
            return await decide_again(desk, unread_return(claim.store, error.process))
        except ReverError:
            return None
    if process is None:
        return None
    differ = differences(item.pending.process, process)
    money = KINDS[claim.intent.kind].side is Side.MONEY
    pending = PendingReturn(claim.store, process, differ=differ, claimed=money)
    return await decide_again(desk, pending, label=not money)


def _more_was_due(item: DecidedReturn) -> bool:
    decision = item.decision
    return isinstance(decision, Compensate) and len(decision.refunds) + (decision.exchange is not None) > 1


async def carry_out_batch(
    desk: Desk,
    step: str,
    batch: Sequence[DecidedReturn],
    effect: Effect,
    into: list[ReturnResult] | None = None,
) -> list[ReturnResult]:
    """Carry out the claims of this kind in a batch, at most the table's number of returns at a time."""
    kind = effect.kind.name
    mine = [item for item in batch if item.decided.claim is not None and item.decided.claim.intent.kind is kind]
    return list(await each(step, mine, lambda item: carry_out(desk, item, effect, into)))
