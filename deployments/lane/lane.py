"""The lane itself: look what is due, take it, and end gracefully when told to."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

import httpx
from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.context import AsyncClientContext
from prefect.exceptions import ObjectNotFound

from deployments.lane.runs import Running, WarmFlows, due_runs, open_queues
from deployments.work_pools import FAST_LANE
from tasks.desk import DeskError

# What a lane does now and then, beside its looks: so that a slow answer to it keeps no run waiting.


CANCELLED_S, PAUSED_S, HEARTBEAT_S = 1.0, 5.0, 30.0


class Chores:
    """The chores. `queues` are those from which runs may be taken, as it was when it was last looked."""

    def __init__(self, client: PrefectClient, lane: str, running: Running) -> None:
        self._client, self._lane, self._running = client, lane, running
        self.queues: list[UUID] = []

    async def do(self) -> None:
        """Do each when it is due, for ever. Of a server that is away it is silent: the looks say that."""
        await asyncio.gather(
            _every(CANCELLED_S, self._running.cancel_unwanted),
            _every(PAUSED_S, self.look_for_pauses),
            _every(HEARTBEAT_S, self._show_life),
        )

    async def look_for_pauses(self) -> None:
        """See which queues are paused."""
        self.queues = await open_queues(self._client)

    async def _show_life(self) -> None:
        """Appear in the UI as a worker of the pool, and its deployments as ready: asked as a worker asks, they are."""
        await self._client.send_worker_heartbeat(FAST_LANE, self._lane, HEARTBEAT_S)
        await self._client.get_scheduled_flow_runs_for_work_pool(FAST_LANE)


async def _every(seconds: float, chore: Callable[[], Awaitable[None]]) -> None:
    while True:
        with suppress(httpx.HTTPError, ObjectNotFound):
            await chore()
        await asyncio.sleep(seconds)


# What the lane does about a server that is away: it says so once, tries again less and less often, and goes on.


LONGEST_PAUSE_S, PATIENCE_S = 5.0, 10.0

_REFUSED = {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}


class Server:
    """Prefect's server as the lane sees it. `pause_s` is how long to wait before it is asked again."""

    def __init__(self, address: str, every_s: float) -> None:
        self._address, self._every_s = address, every_s
        self.pause_s = every_s

    @property
    def away(self) -> bool:
        """Whether it did not answer when it was asked last."""
        return self.pause_s > self._every_s

    async def asked(self, question: Callable[[], Awaitable[object]]) -> bool:
        """Ask it; answers whether it answered. Raises `DeskError` where asking again would not help."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await question()
        except ObjectNotFound:
            raise DeskError(f"Prefect has no work pool {FAST_LANE!r}: `rever-returns bootstrap` makes it") from None
        except httpx.HTTPStatusError as answer:
            if answer.response.status_code in _REFUSED:
                raise DeskError(
                    f"Prefect's server at {self._address} refuses us: set PREFECT_API_AUTH_STRING to user:password"
                ) from None
            self._unanswered(f"answers {answer.response.status_code}")
        except (httpx.TransportError, TimeoutError) as failed:
            self._unanswered(f"does not answer ({type(failed).__name__})")
        else:
            if self.away:
                log.warning("Prefect's server answers again")
            self.pause_s = self._every_s
        return not self.away

    def _unanswered(self, how: str) -> None:
        if not self.away:
            log.warning("Prefect's server at %s %s: asked again every %g s", self._address, how, LONGEST_PAUSE_S)
        self.pause_s = min(2 * self.pause_s, LONGEST_PAUSE_S)


log = logging.getLogger(__name__)

CUT_SHORT_S = 15.0
AHEAD = 5
"""How many times the runs at once are asked for in one look."""


@dataclass(frozen=True, slots=True)
class How:
    """How a lane works: runs at once, seconds between two looks, seconds that runs are given when it ends."""

    name: str
    at_once: int = 10
    every_s: float = 0.25
    grace_s: float = 60.0


class Lane:
    """A warm executor of the pool's runs. `serve` runs until `end` is called, from any thread."""

    def __init__(self, how: How) -> None:
        self._how = how
        self._flows = WarmFlows()
        self._awake, self._cut = asyncio.Event(), asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending = False

    def end(self) -> None:
        """Take nothing new and let what runs come to its end; called again, cut it short."""
        told = [self._awake, self._cut] if self._ending else [self._awake]
        self._ending = True
        if self._loop is not None:
            for event in told:
                self._loop.call_soon_threadsafe(event.set)

    async def serve(self) -> None:
        """Execute what is due until told to end. Raises `DeskError` where Prefect's server cannot be worked with."""
        self._loop = asyncio.get_running_loop()
        async with get_client() as client:
            address = str(client.api_url)
            server = Server(address, self._how.every_s)
            await self._until_it_answers(client, server)
        if self._ending:
            return
        # One client for the looks and for all runs: its connections stay open.
        async with AsyncClientContext() as context:
            how = self._how
            running = Running(context.client, self._flows, how.name, how.at_once, self._awake.set)
            chores = Chores(context.client, how.name, running)
            await chores.look_for_pauses()
            beside = asyncio.create_task(chores.do())
            log.info("%s takes the runs of work pool %s at %s", how.name, FAST_LANE, address)
            try:
                await self._take(context.client, server, running, chores)
            finally:
                await self._let_end(running)
                beside.cancel()
        log.info("%s has ended", how.name)

    async def _until_it_answers(self, client: PrefectClient, server: Server) -> None:
        while not self._ending and not await server.asked(lambda: client.read_work_pool(FAST_LANE)):
            await self._pause(server.pause_s)

    async def _take(self, client: PrefectClient, server: Server, running: Running, chores: Chores) -> None:
        waiting: deque[FlowRun] = deque()

        async def look() -> None:
            found = await due_runs(client, chores.queues, AHEAD * self._how.at_once)
            waiting.extend(run for run in found if not running.has(run))

        while not self._ending:
            if running.free and not waiting:
                await server.asked(look)
            while waiting and running.free:
                running.take(waiting.popleft())
            await self._pause(server.pause_s)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._awake.wait()
        self._awake.clear()

    async def _let_end(self, running: Running) -> None:
        if not running:
            return
        seconds = self._how.grace_s
        log.info("ending: %d runs get %.0f s; a second signal cuts them short", len(running), seconds)
        ended, cut = asyncio.create_task(running.end(seconds)), asyncio.create_task(self._cut.wait())
        await asyncio.wait({ended, cut}, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        cut.cancel()
        if running:
            log.warning("cutting %d runs short", len(running))
            running.cut_short()
            await running.end(CUT_SHORT_S)
