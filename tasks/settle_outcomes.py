"""Settle the effects whose outcome nobody knows: read the return at REVER and judge."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from rever_api.errors import NotFound, ReverError, Unreadable, WrongSetup
from rever_api.models import ReturnProcess
from tasks.crash_points import CrashPoint, reached
from tasks.desk import Desk, DeskError
from tasks.fetch_returns import read_now
from tasks.ledger import (
    HoldRow,
    OpenIntent,
    Recorded,
    close_readable,
    expire,
    load_records,
    open_holds,
    open_intents,
    settle_done,
    settle_hold,
    touch,
)
from tasks.policy.clocks import ahead
from tasks.policy.comparison import received
from tasks.policy.decide import UNREAD_RULES
from tasks.policy.kinds import KINDS
from tasks.policy.kinds.kind import Held, NotYet, Seen
from tasks.policy.parcel import parcel_of
from tasks.policy.record import IntentState, PaidSeen
from tasks.reporting.report import Mode
from tasks.steps import each, step


class Settlement(StrEnum):
    """What settling found."""

    DONE = "done"
    COUNTED = "counted by another run"
    HELD = "held"
    STILL_HELD = "still held"
    OPEN = "open"


SETTLED_AS = {
    Recorded.TAKEN: Settlement.DONE,
    Recorded.KNOWN: Settlement.COUNTED,
    Recorded.NOT_MINE: Settlement.OPEN,
}
"""What the ledger says when an effect is seen at REVER -> what it is for this run: who was slower counts nothing."""


@dataclass(frozen=True, slots=True)
class Settled:
    """One open effect and what settling found of it. `paid` is how much of a done refund REVER shows as paid.

    `unread` says that it stays open since the return could not be read, not since REVER shows nothing yet.
    """

    intent: OpenIntent
    settlement: Settlement
    why: str
    paid: PaidSeen | None = None
    unread: bool = False


async def settle_outcome(desk: Desk, unknown: OpenIntent) -> Settled:
    """Settle one effect of unknown outcome by a fresh read. It is never sent again from here."""
    try:
        process = await read_now(desk, unknown.process_id)
    except WrongSetup:
        raise
    except NotFound:
        return await _hold(desk, unknown, Held("REVER no longer knows this return"))
    except ReverError as error:
        why = f"the return could not be read: {error}"
        at, now = unknown.settle_at, desk.clock()
        over = at is None or now >= at or ahead(at, now, desk.settings.settle_delay)
        if isinstance(error, Unreadable) and over:
            return await _hold(desk, unknown, Held(why))
        return Settled(unknown, Settlement.OPEN, why, unread=True)
    reached(CrashPoint.WHILE_SETTLING, unknown.process_id)
    now = desk.clock()
    settle_at = now if ahead(unknown.settle_at, now, desk.settings.settle_delay) else unknown.settle_at
    kind = KINDS[unknown.intent.kind]
    verdict = kind.judge(unknown.intent, unknown.snapshot, process, now=now, settle_at=settle_at)
    match verdict:
        case Seen(evidence=evidence, paid=paid):
            recorded = await desk.ledger.awrite(
                settle_done, unknown.intent.id, evidence=evidence, now=now, actor=desk.actor, paid=paid
            )
            return Settled(unknown, SETTLED_AS[recorded], "seen at REVER", paid)
        case NotYet(look_at=look_at, why=why):
            await desk.ledger.awrite(touch, unknown.intent.id, look_at)
            return Settled(unknown, Settlement.OPEN, why)
        case Held():
            return await _hold(desk, unknown, verdict, process)


async def _hold(desk: Desk, unknown: OpenIntent, held: Held, process: ReturnProcess | None = None) -> Settled:
    if unknown.hold_id:
        return Settled(unknown, Settlement.STILL_HELD, held.why)
    records = await desk.ledger.aread(load_records, [unknown.process_id])
    await desk.ledger.awrite(
        settle_hold,
        unknown.intent.id,
        why=held.why,
        evidence=held.evidence,
        now=desk.clock(),
        actor=desk.actor,
        received=received(process, records[unknown.process_id]) if process else None,
        parcel=parcel_of(process) if process else (),
    )
    return Settled(unknown, Settlement.HELD, held.why)


@step("settle-outcomes")
async def settle_outcomes(desk: Desk, store: str, process_ids: Collection[str] | None, into: list[Settled]) -> None:
    """Settle what is open at a store, or of these returns of it: first by the clock, then each by a read.

    A `sent` effect past its deadline becomes unknown, an `intended` one whose lease is over is withdrawn. `plan`
    settles nothing, since settling writes. What is found stands in `into` at once, so that it is counted whatever ends
    the run. Raises `WrongClockError` before anything counts as over by a clock that is wrong.
    """
    if desk.mode is Mode.PLAN:
        return
    await _close_what_is_readable(desk, store, process_ids)
    if not await desk.ledger.aread(open_intents, stores=[store]):
        return
    with suppress(ReverError, DeskError):  # asked for REVER's time, which an error tells too
        await desk.rules(store)
    if (wrong := desk.wrong_clock()) is not None:
        desk.halted = wrong
        raise wrong
    longest = max(desk.settings.lease_duration, timedelta(seconds=1.5 * desk.settings.timeout))
    await desk.ledger.awrite(expire, now=desk.clock(), actor=desk.actor, stores=[store], longest=longest)
    found = await desk.ledger.aread(open_intents, stores=[store], process_ids=process_ids)
    unknown = [intent for intent in found if intent.intent.state is IntentState.UNKNOWN]

    async def one(intent: OpenIntent) -> None:
        into.append(await settle_outcome(desk, intent))

    await each("settle-outcomes", unknown, one)


async def _close_what_is_readable(desk: Desk, store: str, process_ids: Collection[str] | None) -> None:
    """Close the holds of returns that could not be read, once a read by id brings them."""
    found = await desk.ledger.aread(open_holds, [store])
    held = [it for it in found if it.rule in UNREAD_RULES and (process_ids is None or it.process_id in process_ids)]
    await each("settle-outcomes", held, lambda hold: _close_if_readable(desk, hold))


async def _close_if_readable(desk: Desk, hold: HoldRow) -> None:
    try:
        await desk.client.get_return_process(hold.process_id)
    except WrongSetup:
        raise
    except ReverError:
        return
    await desk.ledger.awrite(close_readable, hold.hold_id, now=desk.clock(), actor=desk.actor)
