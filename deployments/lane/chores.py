"""What a lane does now and then, beside its looks: so that a slow answer to it keeps no run waiting."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.exceptions import ObjectNotFound

from deployments.lane import POOL
from deployments.lane.claiming import open_queues
from deployments.lane.running import Running

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
        await self._client.send_worker_heartbeat(POOL, self._lane, HEARTBEAT_S)
        await self._client.get_scheduled_flow_runs_for_work_pool(POOL)


async def _every(seconds: float, chore: Callable[[], Awaitable[None]]) -> None:
    while True:
        with suppress(httpx.HTTPError, ObjectNotFound):
            await chore()
        await asyncio.sleep(seconds)
