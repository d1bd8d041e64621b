"""Look again, then send: the one way in which an effect is done at REVER.

The return is read again, and in one transaction decided anew and marked `sent`; then the one call is made, and its
outcome written down.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import Connection
from tenacity import AsyncRetrying, RetryCallState, retry_if_result, stop_after_attempt, wait_exponential_jitter

from rever_api.errors import (
    NotFound,
    NotSent,
    OutcomeUnknown,
    Reason,
    Refused,
    RefusedForNow,
    ReverError,
    Unreadable,
    WrongSetup,
)
from rever_api.limits import AsyncSlot as Slot
from rever_api.models import ReturnProcess, UnreadableProcess
from tasks.crash_points import CrashPoint, reached
from tasks.desk import Desk
from tasks.effects.calls import Effect, NothingToSendError
from tasks.fetch_returns import PendingReturn, read_now, read_return, unread_return
from tasks.ledger import (
    NOTHING_SAID,
    Claim,
    Done,
    Recorded,
    Said,
    Sending,
    SendVerdict,
    Sent,
    load_records,
    mark_sent,
    note_paid_elsewhere,
    open_intents,
    put_back,
    record_done,
    record_refused,
    record_unknown,
    release,
    settle_done,
    withdraw,
)
from tasks.policy.comparison import differences
from tasks.policy.decision import Adopt
from tasks.policy.kinds import KINDS, Side
from tasks.policy.kinds.kind import Seen
from tasks.policy.record import PaidSeen, Record
from tasks.policy.store import StoreRules

T = TypeVar("T")

TRIES = 5
"""Attempts in one run of an effect that certainly never left; then it is the next run's."""

LONGEST_WAIT_S = 30.0
"""A longer `Retry-After` than this is left to the next run."""


class Result(StrEnum):
    """What came of one claimed effect in this run."""

    DONE = "done"
    COUNTED = "counted by another run"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    NOT_SENT = "not sent"
    LOST = "lost"
    PUT_BACK = "put back"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One claimed effect and what came of it. `process` is the return as it was read just before, if it was.

    `paid` is how much of a done refund REVER says is paid. `unread` stands for a return that cannot be read again.
    """

    claim: Claim
    result: Result
    why: str = ""
    process: ReturnProcess | None = None
    paid: PaidSeen | None = None
    unread: PendingReturn | None = None


async def perform(desk: Desk, claim: Claim, effect: Effect, before: ReturnProcess | None = None) -> Outcome:
    """Carry out one claim: read the return again, decide again, mark it `sent`, send it once, record what came.

    `before` is the read by which it was claimed in this run: where the two contradict each other nothing is sent.

    The rate slot is taken before `sent` is written, so that nothing waits between the mark and the call. An attempt
    that certainly did nothing (never sent, or 429 in REVER's own words) is tried again; any other end is final for this
    run. Where an attempt was answered with "no", REVER is looked at before the next (`_look`), or, where a proxy may
    have said it, only a later run sends it again (`told_no`). Raises `WrongSetup`, and
    `WrongClockError` where REVER's clock and ours differ by now, after withdrawing the claim.
    """
    refused: list[RefusedForNow] = []
    attempts = AsyncRetrying(
        stop=stop_after_attempt(TRIES),
        wait=wait_exponential_jitter(multiplier=0.2, max=5),
        retry=retry_if_result(lambda outcome: outcome.result is Result.PUT_BACK),
        retry_error_callback=_last,
    )
    outcome: Outcome = await attempts(_attempt, desk, claim, effect, before, refused)
    if outcome.result is not Result.PUT_BACK:
        return outcome
    await desk.ledger.awrite(release, claim, now=desk.clock())
    return Outcome(claim, Result.NOT_SENT, f"{outcome.why}; the next run tries again", outcome.process)


def _last(state: RetryCallState) -> Outcome:
    assert state.outcome is not None  # noqa: S101 - tenacity calls this only after an attempt
    outcome: Outcome = state.outcome.result()
    return outcome


async def _attempt(
    desk: Desk, claim: Claim, effect: Effect, before: ReturnProcess | None, refused: list[RefusedForNow]
) -> Outcome:
    if (halted := desk.halted_at(claim.store)) is not None:
        why = f"nothing more is sent in this run: {halted}"
        await _withdraw(desk, claim, why)
        return Outcome(claim, Result.NOT_SENT, why)
    async with desk.client.slot(calls=2, urgent=True) as slot:
        try:
            read = read_now if effect.kind.of_order else read_return
            process = await read(desk, claim.process_id, slot=slot)
        except ReverError as error:
            await _withdraw(desk, claim, f"the return could not be read again: {error}")
            if isinstance(error, WrongSetup):
                desk.halt(claim.store, error)
                raise
            why = f"the return could not be read again: {error}"
            return Outcome(claim, Result.NOT_SENT, why, unread=_unread(claim, error))
        if refused and (done := await _look(desk, claim, process)) is not None:
            return done
        if (wrong := desk.wrong_clock()) is not None:
            await _withdraw(desk, claim, str(wrong))
            desk.halted = wrong
            raise wrong
        money = KINDS[claim.intent.kind].side is Side.MONEY
        if before is not None and money and (found := differences(before, process)):
            why = f"read again before the call, it contradicts the read before: {'; '.join(found[:3])}"
            await _withdraw(desk, claim, why)
            return Outcome(claim, Result.WITHDRAWN, why, process)
        return await _mark_and_send(desk, claim, process, effect, slot, refused)


async def _look(desk: Desk, claim: Claim, process: ReturnProcess) -> Outcome | None:
    """Settle an attempt that was answered with 429 by this read, as an unknown outcome is: it may have been done.

    None where REVER does not show it; what else it shows is judged by the rules.
    """
    found = await desk.ledger.aread(open_intents, process_ids=[claim.process_id])
    mine = next((each for each in found if each.intent.id == claim.intent.id), None)
    if mine is None:
        return None
    now = desk.clock()
    kind, settle_at = KINDS[mine.intent.kind], now + desk.settings.settle_delay
    verdict = kind.judge(mine.intent, mine.snapshot, process, now=now, settle_at=settle_at)
    if not isinstance(verdict, Seen):
        return None
    recorded = await desk.ledger.awrite(
        settle_done, claim.intent.id, evidence=verdict.evidence, now=now, actor=desk.actor, paid=verdict.paid
    )
    result = Result.DONE if recorded is Recorded.TAKEN else Result.COUNTED
    return Outcome(claim, result, "seen at REVER", process, paid=verdict.paid)


def _unread(claim: Claim, error: ReverError) -> PendingReturn | None:
    """The return to be held, where another read would bring the same: for ever claimed and withdrawn, it would hide."""
    if isinstance(error, Unreadable):
        return unread_return(claim.store, error.process)
    if isinstance(error, NotFound):
        return unread_return(claim.store, UnreadableProcess(process_id=claim.process_id, why=""))
    return None


async def _withdraw(desk: Desk, claim: Claim, why: str, *, told_no: bool = False) -> None:
    await desk.ledger.awrite(withdraw, claim, why=why, now=desk.clock(), actor=desk.actor, told_no=told_no)


async def _mark_and_send(
    desk: Desk, claim: Claim, process: ReturnProcess, effect: Effect, slot: Slot, refused: list[RefusedForNow]
) -> Outcome:
    rules = await desk.rules(claim.store)
    now, clock = desk.clock(), asyncio.get_running_loop().time
    window = desk.settings.timeout / 2
    latest = clock() + window
    seen = KINDS[claim.intent.kind].snapshot(claim.intent, claim.content, process)
    deadline = now + timedelta(seconds=window + desk.settings.timeout)
    sent = Sent(claim, seen, deadline, now + desk.settings.settle_delay, now, desk.actor)
    verdict = await _whole(
        desk.ledger.awrite_joined(mark_if_due, LastLook(sent, process, rules)),
        lambda: _withdraw(desk, claim, "the run was cancelled before the call"),
    )
    if isinstance(verdict, str):
        await _withdraw(desk, claim, verdict)
        return Outcome(claim, Result.WITHDRAWN, verdict, process)
    if verdict.sending is not Sending.SENT:
        return await _not_mine(desk, claim, verdict.why, lost=verdict.sending is Sending.LOST)
    reached(CrashPoint.AFTER_SENT, claim.process_id)
    if clock() > latest:
        # The process slept (SIGSTOP, a locked disk) between the mark and here: by now a person may have answered.
        return await _back(desk, claim, "too late to send after it was marked", process)
    return await _send(desk, claim, process, effect, slot, refused)


@dataclass(frozen=True, slots=True)
class LastLook:
    """One claim before its call: the mark it is to be given, and the return as REVER has just shown it."""

    sent: Sent
    process: ReturnProcess
    rules: StoreRules


def mark_if_due(conn: Connection, looks: Sequence[LastLook]) -> list[SendVerdict | str]:
    """Decide anew by what REVER has just shown; where that still asks for an effect, mark it `sent`.

    Returns for each the verdict of `mark_sent`, or why the effect is no longer due: then nothing is sent. All are
    judged before one is marked: where two are of one return, both are open already, and a mark changes nothing for the
    other.
    """
    known = load_records(conn, {look.sent.claim.process_id for look in looks})
    changed = [_no_longer_due(conn, look, known[look.sent.claim.process_id]) for look in looks]
    due = [look.sent for look, why in zip(looks, changed, strict=True) if not why]
    verdicts = iter(mark_sent(conn, due))
    return [why or next(verdicts) for why in changed]


def _no_longer_due(conn: Connection, look: LastLook, record: Record) -> str:
    """Why the fresh read no longer asks for this effect; empty where it still does. Notes who was faster."""
    claim, now = look.sent.claim, look.sent.now
    kind = KINDS[claim.intent.kind]
    decision = kind.decide(look.process, look.rules, record.without(claim.intent.id), now, claim.content)
    if kind.covers(decision, claim.intent, claim.content):
        return ""
    if isinstance(decision, Adopt) and decision.paid_elsewhere:
        note_paid_elsewhere(conn, {claim.process_id: decision.paid_elsewhere}, now=now, actor=look.sent.actor)
    return f"read again before the call, it is no longer due: {decision.why}"


async def _whole(marking: Coroutine[Any, Any, T], undo: Callable[[], Coroutine[Any, Any, None]]) -> T:
    """Bring a marking to its end though the run is cancelled meanwhile, and undo it then: nothing was sent."""
    task = asyncio.ensure_future(marking)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await _ended(task)
        undoing = asyncio.ensure_future(undo())
        await _ended(undoing)
        undoing.result()
        task.result()
        raise


async def _ended(task: asyncio.Future[Any]) -> None:
    """Wait until it is done, however often the run is cancelled meanwhile: its end may cancel more than once."""
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait({task})


async def _not_mine(desk: Desk, claim: Claim, why: str, *, lost: bool) -> Outcome:
    if lost:
        return Outcome(claim, Result.LOST, "another worker took it over")
    await _withdraw(desk, claim, why)
    return Outcome(claim, Result.NOT_SENT, why)


async def _send(
    desk: Desk, claim: Claim, process: ReturnProcess, effect: Effect, slot: Slot, refused: list[RefusedForNow]
) -> Outcome:
    cut_off = Outcome(claim, Result.UNKNOWN, "the run was cut off before its outcome was written down")
    desk.under_way[claim.intent.id] = cut_off
    try:
        outcome = await _sent(desk, claim, process, effect, slot, refused)
    except NothingToSendError as error:
        await _withdraw(desk, claim, str(error))
        outcome = Outcome(claim, Result.NOT_SENT, str(error), process)
    desk.under_way[claim.intent.id] = replace(outcome, process=None)
    return outcome


async def _sent(
    desk: Desk, claim: Claim, process: ReturnProcess, effect: Effect, slot: Slot, refused: list[RefusedForNow]
) -> Outcome:
    try:
        done = await effect.send(desk, claim, process, slot)
    except NotSent as error:
        return await _back(desk, claim, str(error), process)
    except RefusedForNow as error:
        return await _denied(desk, claim, error, process, refused)
    except WrongSetup as error:
        desk.halt(claim.store, error)
        await _withdraw(desk, claim, str(error), told_no=True)
        del desk.under_way[claim.intent.id]
        raise
    except Refused as error:
        await desk.ledger.awrite(
            record_refused,
            claim,
            code=str(error.code or ""),
            why=str(error),
            now=desk.clock(),
            actor=desk.actor,
            reason=error.reason,
            said=_said(error, claim, process),
        )
        return Outcome(claim, Result.REFUSED, str(error), process)
    except OutcomeUnknown as error:
        await _unknown(desk, claim, str(error), _said(error, claim, process))
        return Outcome(claim, Result.UNKNOWN, str(error), process)
    except asyncio.CancelledError:
        await asyncio.shield(_unknown(desk, claim, "the run was cancelled while the call was under way", ours=True))
        raise
    reached(CrashPoint.AFTER_ANSWER, claim.process_id)
    recorded = await _noted(
        desk,
        Outcome(claim, Result.DONE, paid=done.paid),
        desk.ledger.awrite_joined(record_done, Done(claim, done.evidence, desk.clock(), desk.actor, done.paid)),
    )
    if recorded is Recorded.KNOWN:
        return Outcome(claim, Result.COUNTED, "another run has found it done meanwhile, and counts it", process)
    return Outcome(claim, Result.DONE, process=process, paid=done.paid)


async def _denied(
    desk: Desk, claim: Claim, error: RefusedForNow, process: ReturnProcess, refused: list[RefusedForNow]
) -> Outcome:
    """A 429: tried again after a look where it is REVER's own word, left to a later run where it may be a proxy's."""
    if error.by_rever:
        refused.append(error)
        return await _back(desk, claim, str(error), process, _too_long(error))
    await _withdraw(desk, claim, str(error), told_no=True)
    why = f"{error} A proxy may have said it; a later run sends it again, once REVER would show it"
    return Outcome(claim, Result.NOT_SENT, why, process)


async def _noted(desk: Desk, done: Outcome, writing: Coroutine[Any, Any, Recorded]) -> Recorded:
    """Bring the note of an effect that is done to its end though the run is cancelled meanwhile, and count it then."""
    task = asyncio.ensure_future(writing)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await _ended(task)
        if task.result() is not Recorded.KNOWN:
            desk.under_way[done.claim.intent.id] = done
        raise


def _too_long(error: ReverError) -> bool:
    return error.retry_after is not None and error.retry_after > LONGEST_WAIT_S


def _said(error: ReverError, claim: Claim, process: ReturnProcess) -> Said:
    """REVER's own words where no class says as much; a person may need them, and they may name the shopper."""
    if error.reason is not Reason.OTHER or not error.message:
        return NOTHING_SAID
    return Said(error.message, KINDS[claim.intent.kind].shopper_email(process, claim.content))


async def _unknown(desk: Desk, claim: Claim, why: str, said: Said = NOTHING_SAID, *, ours: bool = False) -> None:
    await desk.ledger.awrite(
        record_unknown, claim, why=why, now=desk.clock(), actor=desk.actor, at_rever=not ours, said=said
    )


async def _back(desk: Desk, claim: Claim, why: str, process: ReturnProcess, final: bool = False) -> Outcome:
    await desk.ledger.awrite(put_back, claim, why=why, now=desk.clock(), actor=desk.actor)
    if final:
        await desk.ledger.awrite(release, claim, now=desk.clock())
        return Outcome(claim, Result.NOT_SENT, f"{why}; the next run tries again", process)
    return Outcome(claim, Result.PUT_BACK, why, process)
