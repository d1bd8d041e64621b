"""The lane itself: look for due runs, take them, and end gracefully; and the process that it is."""

import asyncio
import logging
import os
import signal
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from uuid import UUID

import httpx
from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.context import AsyncClientContext
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL

from deployments.console.errors import UsageError
from deployments.lane.runs import Running, WarmFlows, due_runs, open_queues
from deployments.work_pools import FAST_LANE
from tasks.desk import DeskError

log = logging.getLogger(__name__)

CANCELLED_S, PAUSED_S, HEARTBEAT_S = 1.0, 5.0, 30.0
"""Seconds between two looks for cancelled runs, two looks for paused queues, and two heartbeats."""

LONGEST_PAUSE_S, PATIENCE_S = 5.0, 10.0
"""Seconds between two requests to a server that is away, at most; and that one request may take."""

CUT_SHORT_S = 15.0
"""Seconds that runs get to end once they were cancelled."""

AHEAD = 5
"""One look asks for so many times the runs at once."""

_REFUSED = {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}


def run_lane(*, name: str, at_once: int, grace_s: float) -> None:
    """Execute the runs of the fast lane's pool until SIGTERM or Ctrl-C; a second one cuts short what still runs.

    Raises `UsageError` if no Prefect server is set, `DeskError` if it cannot be worked with.
    """
    if not PREFECT_API_URL.value():
        raise UsageError("PREFECT_API_URL is not set: say where Prefect's server is, as http://127.0.0.1:4200/api.")
    lane = Lane(LaneSettings(name or f"lane {socket.gethostname()} {os.getpid()}", at_once, grace_s=grace_s))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: lane.end())
    # Not in the main thread: there Prefect's engine takes SIGTERM for itself while a run is on.
    with ThreadPoolExecutor(1, "lane") as thread:
        thread.submit(copy_context().run, asyncio.run, lane.serve()).result()


@dataclass(frozen=True, slots=True)
class LaneSettings:
    """The settings of a lane: runs at once, seconds between two looks, seconds that runs get when it ends."""

    name: str
    at_once: int = 10
    every_s: float = 0.25
    grace_s: float = 60.0


class Lane:
    """Executes the runs of the pool in this process. `serve` runs until `end` is called, from any thread."""

    def __init__(self, how: LaneSettings) -> None:
        self._how = how
        self._flows = WarmFlows()
        self._awake, self._cut = asyncio.Event(), asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending = False
        self._queues: list[UUID] = []

    def end(self) -> None:
        """Take no new run and let those under way come to their end; called again, cut them short."""
        events = [self._awake, self._cut] if self._ending else [self._awake]
        self._ending = True
        if self._loop is not None:
            for event in events:
                self._loop.call_soon_threadsafe(event.set)

    async def serve(self) -> None:
        """Execute due runs until `end` is called. Raises `DeskError` if the server refuses us or has no such pool."""
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
            await self._look_for_pauses(context.client)
            beside = asyncio.create_task(self._beside(context.client, running))
            log.info("%s takes the runs of work pool %s at %s", how.name, FAST_LANE, address)
            try:
                await self._take(context.client, server, running)
            finally:
                await self._let_end(running)
                beside.cancel()
        log.info("%s has ended", how.name)

    async def _beside(self, client: PrefectClient, running: Running) -> None:
        """What no run should wait for. A server that is away is logged by the looks for due runs, so not here."""

        async def show_life() -> None:
            # Asked for its runs as a worker asks, the server also shows the pool's deployments as ready.
            await client.send_worker_heartbeat(FAST_LANE, self._how.name, HEARTBEAT_S)
            await client.get_scheduled_flow_runs_for_work_pool(FAST_LANE)

        await asyncio.gather(
            _every(CANCELLED_S, running.cancel_unwanted),
            _every(PAUSED_S, lambda: self._look_for_pauses(client)),
            _every(HEARTBEAT_S, show_life),
        )

    async def _look_for_pauses(self, client: PrefectClient) -> None:
        self._queues = await open_queues(client)

    async def _until_it_answers(self, client: PrefectClient, server: "Server") -> None:
        while not self._ending and not await server.asked(lambda: client.read_work_pool(FAST_LANE)):
            await self._pause(server.pause_s)

    async def _take(self, client: PrefectClient, server: "Server", running: Running) -> None:
        waiting: deque[FlowRun] = deque()

        async def look() -> None:
            found = await due_runs(client, self._queues, AHEAD * self._how.at_once)
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


async def _every(seconds: float, action: Callable[[], Awaitable[None]]) -> None:
    while True:
        with suppress(httpx.HTTPError, ObjectNotFound):
            await action()
        await asyncio.sleep(seconds)


class Server:
    """Prefect's server as the lane sees it. While it is away it is asked less and less often, and that is logged once.

    `pause_s` is how long to wait before it is asked again.
    """

    def __init__(self, address: str, every_s: float) -> None:
        self._address, self._every_s = address, every_s
        self.pause_s = every_s

    @property
    def away(self) -> bool:
        """Whether it did not respond to the last request."""
        return self.pause_s > self._every_s

    async def asked(self, question: Callable[[], Awaitable[object]]) -> bool:
        """Whether it responded to this request. Raises `DeskError` where repeating the request would not help."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await question()
        except ObjectNotFound:
            raise DeskError(f"Prefect has no work pool {FAST_LANE!r}: `rever-returns bootstrap` makes it") from None
        except httpx.HTTPStatusError as error:
            if error.response.status_code in _REFUSED:
                raise DeskError(
                    f"Prefect's server at {self._address} refuses us: set PREFECT_API_AUTH_STRING to user:password"
                ) from None
            self._unanswered(f"responds with HTTP {error.response.status_code}")
        except (httpx.TransportError, TimeoutError) as failed:
            self._unanswered(f"does not respond ({type(failed).__name__})")
        else:
            if self.away:
                log.warning("Prefect's server responds again")
            self.pause_s = self._every_s
        return not self.away

    def _unanswered(self, how: str) -> None:
        if not self.away:
            log.warning("Prefect's server at %s %s: asked again every %g s", self._address, how, LONGEST_PAUSE_S)
        self.pause_s = min(2 * self.pause_s, LONGEST_PAUSE_S)
