"""The dispatcher: offers a run for every event, looks in the ledger whether a run acted on it, and else offers again.

Several receivers may each have one on the same inbox: see `offers`.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from deployments.receiver.inbox import ELSEWHERE, UNKNOWN, Inbox
from deployments.receiver.inbox_care import remove_old
from deployments.receiver.lookups import Standing, Standings, nobody_asked
from deployments.receiver.metrics import Metrics
from deployments.receiver.offers import (
    Offer,
    Pace,
    WaitingReturn,
    close_for,
    close_seen,
    doubt,
    fold,
    give_up,
    look_later,
    mark_offered,
    open_offers,
    parameters_of,
    prepare,
    put_right,
    take_back,
    times_ahead,
    waiting_returns,
)
from deployments.receiver.prefect_runs import Announcer, PrefectTrouble, Runs, RunState
from tasks.database import DatabaseError
from tasks.policy.clocks import ahead

MOST_ASKED = 5
"""Returns that REVER is asked for in one step."""

_CLOSED = {
    Standing.UNKNOWN: (UNKNOWN, "REVER knows no return of this id"),
    Standing.ELSEWHERE: (ELSEWHERE, "REVER shows it at a store that is not one of this desk's"),
}

RunsBegan = Callable[[Collection[str]], Awaitable[dict[str, datetime]]]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Times:
    """The dispatcher's intervals. An offer whose run came to nothing is made again after 5, 10, 20 s and so on.

    REVER is asked `doubts` times about a return before its events are closed, 5, 10, 20 and 40 s apart. If it cannot be
    asked, it is not asked again for `ask_again_s` seconds.

    If Prefect does not take a run, it is asked again after 0.1, 0.2, 0.4 s and so on: a server that is merely busy
    responds with 503, and takes the run a moment later.
    """

    doubts: int = 5
    first_again: timedelta = timedelta(seconds=5)
    most_again: timedelta = timedelta(hours=1)
    under_way: timedelta = timedelta(minutes=15)
    give_up: timedelta = timedelta(hours=24)
    poll_s: float = 1.0
    slow_poll_s: float = 5.0
    idle_s: float = 10.0
    first_trouble_s: float = 0.1
    most_trouble_s: float = 30.0
    ask_again_s: float = 60.0
    clean_s: float = 3600.0

    def again(self, attempt: int) -> timedelta:
        """How long to wait before it is checked what became of a run."""
        return min(self.first_again * (1 << min(attempt, 20)), self.most_again)


FRESH = timedelta(seconds=1)
"""No run can have looked at an event that came in so lately and was not offered: the ledger need not be asked."""


@dataclass(frozen=True, slots=True)
class Pause:
    """The time until the next step. One that is not `interruptible` goes on when events come in."""

    seconds: float
    interruptible: bool = True


class Dispatcher:
    """One loop over one inbox. `wake` it when something new is stored."""

    def __init__(
        self,
        inbox: Inbox,
        runs: Runs,
        began: RunsBegan,
        metrics: Metrics,
        announcer: Announcer,
        clock: Callable[[], datetime],
        times: Times | None = None,
        pace: Pace | None = None,
        standings: Standings = nobody_asked,
    ) -> None:
        self._inbox, self._runs, self._began = inbox, runs, began
        self._metrics, self._announcer, self._clock = metrics, announcer, clock
        self._times = times or Times()
        self._pace = pace or Pace()
        self._standings, self._ask_again = standings, 0.0
        self._woken = asyncio.Event()
        self._unneeded: set[str] = set()
        self._trouble, self._trouble_s, self._prefect_again = "", 0.0, 0.0
        self._alive = self._busy = self._clean_at = time.monotonic()

    def wake(self) -> None:
        """An event has come in: begin the next step now."""
        self._woken.set()

    def alive(self, within: float = 60.0) -> bool:
        """Whether the loop has made a step within these seconds."""
        return time.monotonic() - self._alive < within

    async def run(self) -> None:
        """Make steps until cancelled. No error ends the loop: what could not be done is done later."""
        try:
            while True:
                self._woken.clear()
                pause = await self._step_safely()
                if not pause.interruptible:
                    await asyncio.sleep(pause.seconds)
                    continue
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), pause.seconds)
        finally:
            await self._runs.close()

    async def _step_safely(self) -> Pause:
        self._alive = time.monotonic()
        try:
            return await self.step()
        except DatabaseError as error:
            logger.error("the inbox cannot be used, events wait: %s", error)  # noqa: TRY400 - its sentence says all
        except Exception as error:  # noqa: BLE001 - the loop must go on
            # Only its class: the text of an unforeseen error may quote a body.
            logger.error("a fault of this software in the dispatcher: %s", type(error).__name__)  # noqa: TRY400
        return Pause(self._times.slow_poll_s, interruptible=False)

    async def step(self) -> Pause:
        """Close events that were acted on, offer runs, check offered runs. Returns the pause after the step."""
        await self._put_right()
        await self._clean()
        waiting = await self._inbox.aread(waiting_returns)
        if not waiting and not self._unneeded:
            return Pause(self._times.idle_s)
        if await self._close(waiting):
            waiting = await self._inbox.aread(waiting_returns)
        quiet = self._prefect_again - time.monotonic()
        if quiet <= 0:
            try:
                quiet = await self._with_prefect(waiting)
            except PrefectTrouble as trouble:
                quiet = self._troubled(trouble)
        fresh = time.monotonic() - self._busy < 60.0
        poll = self._times.poll_s if fresh else self._times.slow_poll_s
        return Pause(min(quiet, poll), interruptible=False) if quiet > 0 else Pause(poll)

    async def _close(self, waiting: Sequence[WaitingReturn]) -> int:
        """Close the events whose return was looked at by a run that began after they came in. Returns how many."""
        now = self._clock()
        since = now - FRESH
        older = [item.process_id for item in waiting if item.offer or item.first < since]
        began = await self._began(older) if older else {}
        seen = {
            item.process_id: began[item.process_id]
            for item in waiting
            # A beginning in the future is from a clock that was ahead: that run cannot have seen these events.
            if item.process_id in began
            and began[item.process_id] >= item.first
            and not ahead(began[item.process_id], now)
        }
        if not seen:
            return 0
        found = await self._inbox.awrite(close_seen, seen, now=now)
        self._unneeded |= found.unneeded
        self._metrics.acted_on(found.events)
        return found.events

    async def _cancel_unneeded(self) -> None:
        """Cancel the runs that nobody has taken yet and whose returns another run has looked at meanwhile."""
        if self._unneeded:
            cancelled = await self._runs.cancel(self._unneeded)
            self._unneeded.clear()
            self._metrics.cancelled(len(cancelled))

    async def _with_prefect(self, waiting: Sequence[WaitingReturn]) -> float:
        """Send prepared offers, check those that were sent, make new ones. Returns how long the pace waits."""
        await self._cancel_unneeded()
        offers = await self._inbox.aread(open_offers)
        for offer in offers:
            if not offer.run_id:
                await self._send(offer)
        given = await self._give_up(waiting)
        if await self._look_after(offers, waiting) or given:
            waiting = await self._inbox.aread(waiting_returns)
        free = [item for item in waiting if not item.offer]
        doubtful = [item for item in free if item.attempt or item.doubts]
        pause = await self._offer([item.process_id for item in free if not (item.attempt or item.doubts)])
        # After the new ones: those must not wait for REVER.
        cleared = await self._cleared(doubtful) if doubtful and not pause else []
        pause = pause or await self._offer(cleared)
        self._calm()
        return pause

    async def _offer(self, ready: Sequence[str]) -> float:
        """Offer runs for these returns, unless the pace waits. Returns for how long it does."""
        pause = self._pace.wait(time.monotonic()) if ready else 0.0
        if ready and not pause:
            made = await self._inbox.awrite(prepare, fold(ready), now=self._clock())
            self._pace.note(time.monotonic(), len(made))
            for offer in made:
                await self._send(offer)
        return pause

    async def _cleared(self, doubtful: Sequence[WaitingReturn]) -> list[str]:
        """Of returns whose runs came to nothing, those for which another is offered: those that REVER shows as ours.

        So an event about a return that REVER does not know costs one failed run at most, and some reads. If REVER
        cannot be asked, runs are offered all the same: they report what is wrong.
        """
        now = self._clock()
        due = [item for item in doubtful if item.ask_at is None or item.ask_at <= now][:MOST_ASKED]
        found: dict[str, Standing] = {}
        if due and time.monotonic() >= self._ask_again:
            found = await self._standings([item.process_id for item in due])
            self._alive = time.monotonic()
            if not found:
                self._ask_again = time.monotonic() + self._times.ask_again_s
        cleared = []
        for item in due:
            standing = found.get(item.process_id, Standing.OURS)
            # One run reports what cannot be read of a return, and opens a hold for a person.
            if standing is Standing.OURS or (standing is Standing.UNREADABLE and not item.attempt):
                cleared.append(item.process_id)
                doubts, ask_at = 0, None
            else:
                doubts, ask_at = item.doubts + 1, now + self._times.again(item.doubts)
            over = standing is Standing.ELSEWHERE or (standing is Standing.UNKNOWN and doubts >= self._times.doubts)
            if over:
                # The next event about it is doubted at once, and costs no run.
                doubts, ask_at = max(1, self._times.doubts - 2), None
            if (doubts, ask_at) != (item.doubts, item.ask_at):
                await self._inbox.awrite(doubt, item.process_id, doubts=doubts, ask_at=ask_at)
            if over:
                await self._close_for(item, standing, now)
        return cleared

    async def _close_for(self, item: WaitingReturn, standing: Standing, now: datetime) -> None:
        state, why = _CLOSED[standing]
        closed = await self._inbox.awrite(close_for, item.process_id, state=state, why=why, until=item.last, now=now)
        if closed:
            self._metrics.closed(state, closed)
            self._announcer.closed(item.process_id, state, why, closed, now)
            logger.warning("return %s: %s; %d events about it are closed", item.process_id, why, closed)

    async def _send(self, offer: Offer) -> None:
        parameters = parameters_of(offer.deployment, offer.process_ids)
        run_id = await self._runs.offer(offer.deployment, parameters, offer.key)
        now = self._clock()
        await self._inbox.awrite(
            mark_offered, offer.key, run_id, now=now, look_at=now + self._times.again(offer.attempt)
        )
        self._metrics.offered(offer.deployment)
        self._alive = self._busy = time.monotonic()

    async def _look_after(self, offers: Sequence[Offer], waiting: Sequence[WaitingReturn]) -> bool:
        """Ask Prefect what became of the runs that are due to be checked. Returns whether an offer has ended."""
        now = self._clock()
        due = [offer for offer in offers if offer.run_id and offer.look_at and offer.look_at <= now]
        if not due:
            return False
        states = await self._runs.states([offer.run_id for offer in due])
        # A run may have ended since the ledger was read.
        closed = await self._close(waiting)
        lost = {offer.key for offer in due if self._is_lost(offer, states.get(offer.run_id), now)}
        if lost:
            await self._inbox.awrite(take_back, lost)
        kept: dict[timedelta, list[str]] = defaultdict(list)
        for offer in due:
            if offer.key not in lost:
                kept[self._times.again(offer.attempt + 1)].append(offer.key)
        for wait, keys in kept.items():
            await self._inbox.awrite(look_later, keys, look_at=now + wait)
        return bool(lost or closed)

    def _is_lost(self, offer: Offer, state: RunState | None, now: datetime) -> bool:
        """Whether a run is over, or gone, or under way for so long that its worker must be dead."""
        if state is RunState.UNDER_WAY:
            return offer.sent_at is not None and now - offer.sent_at > self._times.under_way
        return state is not RunState.TO_COME

    async def _give_up(self, waiting: Sequence[WaitingReturn]) -> bool:
        now = self._clock()
        before = now - self._times.give_up
        if all(item.first > before for item in waiting):
            return False
        given = await self._inbox.awrite(give_up, offered_before=before, now=now)
        for process_id, events in given.items():
            self._metrics.given_up(events)
            self._announcer.given_up(process_id, events, now)
            logger.error(
                "return %s: no run has looked at it for %s, no more are offered; the scheduled runs still do",
                process_id,
                self._times.give_up,
            )
        return bool(given)

    async def _put_right(self) -> None:
        """Replace times in the inbox that lie in the future, where no rule has put them there."""
        now, longest = self._clock(), self._times.most_again
        if await self._inbox.aread(times_ahead, now=now, longest=longest):
            await self._inbox.awrite(put_right, now=now, longest=longest)
            logger.warning("the inbox held times in the future, from a clock that was ahead; they were set to now")

    async def _clean(self) -> None:
        if time.monotonic() >= self._clean_at:
            while await self._inbox.awrite(remove_old, now=self._clock()):
                self._alive = time.monotonic()
            self._clean_at = time.monotonic() + self._times.clean_s

    def _troubled(self, trouble: PrefectTrouble) -> float:
        if str(trouble) != self._trouble:
            logger.warning("events wait in the inbox: %s", trouble)
        self._trouble = str(trouble)
        self._trouble_s = min(self._trouble_s * 2 or self._times.first_trouble_s, self._times.most_trouble_s)
        self._prefect_again = time.monotonic() + self._trouble_s
        return self._trouble_s

    def _calm(self) -> None:
        if self._trouble:
            logger.info("Prefect takes runs again")
        self._trouble, self._trouble_s = "", 0.0
