"""Carry out one effect that somebody asked for: a review to give, a return to cancel, a label to register."""

from dataclasses import dataclass
from typing import Any

from tasks.crash_points import CrashPoint, reached
from tasks.decide_returns import DecidedReturn, decide_asked
from tasks.desk import Desk
from tasks.effects.kind import Effect
from tasks.effects.perform import Outcome, perform
from tasks.returns import PendingReturn


@dataclass(frozen=True, slots=True)
class AskedReturn:
    """What came of it. `outcome` is None where nothing was claimed: `decided` says why, or holds it."""

    decided: DecidedReturn
    outcome: Outcome | None = None


async def carry_out_asked(desk: Desk, effect: Effect, pending: PendingReturn, wanted: Any) -> AskedReturn:
    """Claim and send what was asked for a return, once; `wanted` is the content of the effect's kind.

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
