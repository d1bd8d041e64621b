"""The lane itself: look what is due, take it, and end gracefully when told to."""

import asyncio
import logging
from collections import deque
from contextlib import suppress
from dataclasses import dataclass

from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.context import AsyncClientContext

from deployments.lane import POOL
from deployments.lane.chores import Chores
from deployments.lane.claiming import due_runs
from deployments.lane.flows import WarmFlows
from deployments.lane.running import Running
from deployments.lane.server import Server

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
            log.info("%s takes the runs of work pool %s at %s", how.name, POOL, address)
            try:
                await self._take(context.client, server, running, chores)
            finally:
                await self._let_end(running)
                beside.cancel()
        log.info("%s has ended", how.name)

    async def _until_it_answers(self, client: PrefectClient, server: Server) -> None:
        while not self._ending and not await server.asked(lambda: client.read_work_pool(POOL)):
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
