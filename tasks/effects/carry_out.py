"""Carry out what was claimed for a return, effect after effect, until nothing of this kind is left for this run.

The steps that do so for a batch, kind by kind, and `carry_out_asked` for an effect that a person or a file asks for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rever_api.errors import ReverError, Unreadable, WrongSetup
from tasks.crash_points import CrashPoint, reached
from tasks.decide_returns import DecidedReturn, decide_again, decide_asked
from tasks.desk import Desk, DeskError
from tasks.effects.calls import EFFECTS, Effect
from tasks.effects.perform import Outcome, Result, perform
from tasks.fetch_returns import PendingReturn, unread_return
from tasks.ledger import Claim, withdraw
from tasks.policy.comparison import differences
from tasks.policy.decision import Cancellation, Compensate, MakeLabel, left_to_another_run
from tasks.policy.facts import believed
from tasks.policy.kinds import CANCEL, EXCHANGE, KINDS, LABEL, REFUND, Kind, Side
from tasks.policy.record import Replaced
from tasks.reporting.report import Failure
from tasks.steps import FATAL, each, failure, step

MOST_EFFECTS = 24
"""Effects on one return in one run: more than methods, kinds, parcels and carriers there are. A loop past it is a fault
of the rules.
"""

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
    """Whether a further effect of the kind was due: another refund, or the label of another parcel."""
    decision = item.decision
    if isinstance(decision, MakeLabel):
        return decision.parcel < len(decision.parcels)
    return isinstance(decision, Compensate) and len(decision.refunds) + (decision.exchange is not None) > 1


async def carry_out_batch(
    desk: Desk,
    step_name: str,
    batch: Sequence[DecidedReturn],
    kind: Kind[Any, Any],
    into: list[ReturnResult] | None = None,
) -> list[ReturnResult]:
    """Carry out the claims of this kind in a batch, at most the table's number of returns at a time."""
    effect = EFFECTS[kind.name]
    mine = [item for item in batch if item.decided.claim is not None and item.decided.claim.intent.kind is kind.name]
    return list(await each(step_name, mine, lambda item: carry_out(desk, item, effect, into)))


@step("issue-refunds")
async def issue_refunds(
    desk: Desk, batch: Sequence[DecidedReturn], into: list[ReturnResult] | None = None
) -> list[ReturnResult]:
    """Refund a batch of returns, method by method."""
    return await carry_out_batch(desk, "issue-refunds", batch, REFUND, into)


@step("issue-exchanges")
async def issue_exchanges(
    desk: Desk, batch: Sequence[DecidedReturn], into: list[ReturnResult] | None = None
) -> list[ReturnResult]:
    """Order the replacement goods of a batch of returns."""
    return await carry_out_batch(desk, "issue-exchanges", batch, EXCHANGE, into)


@step("cancel-returns")
async def cancel_returns(
    desk: Desk, batch: Sequence[DecidedReturn], into: list[ReturnResult] | None = None
) -> list[ReturnResult]:
    """Call off a batch of returns that the stores' own rules end."""
    return await carry_out_batch(desk, "cancel-returns", batch, CANCEL, into)


@step("generate-labels")
async def generate_labels(
    desk: Desk, batch: Sequence[DecidedReturn], into: list[ReturnResult] | None = None
) -> list[ReturnResult]:
    """Have REVER make the labels and pickups of a batch of returns.

    Where a store's warehouses cannot be read, or lack one that its own rules name, its labels are left to the next run;
    nothing else waits for them.
    """
    ready = list(batch)
    for store in dict.fromkeys(item.pending.store for item in batch if item.decided.claim is not None):
        try:
            await desk.warehouses(store)
        except (DeskError, ReverError) as error:
            why = str(error) if isinstance(error, DeskError) else f"its warehouses could not be read: {error}"
            desk.report.fail_store(store, why)
            ready = [item for item in ready if item.pending.store != store]
            left = [item.decided.claim for item in batch if item.pending.store == store]
            for claim in left:
                if claim is not None and claim.intent.kind is LABEL.name:
                    await desk.ledger.awrite(withdraw, claim, why=why, now=desk.clock(), actor=desk.actor)
    return await carry_out_batch(desk, "generate-labels", ready, LABEL, into)


@dataclass(frozen=True, slots=True)
class AskedReturn:
    """What came of an effect that was asked for. `outcome` is None where nothing was claimed: `decided` says why, or
    holds it.
    """

    decided: DecidedReturn
    outcome: Outcome | None = None


async def carry_out_asked(desk: Desk, effect: Effect, pending: PendingReturn, wanted: Any) -> AskedReturn:
    """Claim and send what was asked for a return, once: a review to give, a return to cancel, a label to register.

    `wanted` is the content of the effect's kind.

    What was asked for before, and is done, under way or of unknown outcome, is not done again. Raises as `perform`.
    """
    decided = await decide_asked(desk, pending, effect.kind, wanted)
    claim = decided.decided.claim
    if claim is None:
        return AskedReturn(decided)
    reached(CrashPoint.AFTER_CLAIM, claim.process_id)
    outcome = await perform(desk, claim, effect, pending.process)
    desk.under_way.pop(claim.intent.id, None)
    return AskedReturn(decided, outcome)


@step("generate-labels")
async def reissue_asked(desk: Desk, pending: PendingReturn, asked: Replaced) -> AskedReturn:
    """Have a label of this return replaced, as somebody asked for.

    Raises `DeskError` or a `ReverError` where the store's warehouses cannot be read: nothing is begun then.
    """
    await desk.warehouses(pending.store)
    wanted = MakeLabel("", "", 0, "", "", "", replaces=asked)
    return await carry_out_asked(desk, EFFECTS[LABEL.name], pending, wanted)


@step("cancel-returns")
async def cancel_asked(desk: Desk, batch: Sequence[PendingReturn], wanted: Cancellation) -> list[AskedReturn]:
    """Call these returns off, as somebody asked for; what came of each, in their order."""
    return [await carry_out_asked(desk, EFFECTS[CANCEL.name], pending, wanted) for pending in batch]
