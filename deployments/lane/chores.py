"""What a lane does now and then: say to Prefect that it lives, look what is paused, and what a person has cancelled."""

import time
from uuid import UUID

from prefect.client.orchestration import PrefectClient

from deployments.lane import POOL
from deployments.lane.claiming import open_queues
from deployments.lane.running import Running

HEARTBEAT_S, PAUSED_S, CANCELLED_S = 30.0, 5.0, 1.0


class Chores:
    """The chores, and when each is due next. `queues` are those that were not paused when it was last looked."""

    def __init__(self, client: PrefectClient, lane: str, running: Running) -> None:
        self._client, self._lane, self._running = client, lane, running
        self._heartbeat_at = self._paused_at = self._cancelled_at = 0.0
        self.queues: list[UUID] = []

    async def do(self) -> None:
        """Do what is due by now."""
        now = time.monotonic()
        if now >= self._heartbeat_at:
            await self._show_life()
            self._heartbeat_at = now + HEARTBEAT_S
        if now >= self._paused_at:
            self.queues = await open_queues(self._client)
            self._paused_at = now + PAUSED_S
        if now >= self._cancelled_at:
            await self._running.cancel_unwanted()
            self._cancelled_at = now + CANCELLED_S

    async def _show_life(self) -> None:
        """Appear in the UI as a worker of the pool, and its deployments as ready: asked as a worker asks, they are."""
        await self._client.send_worker_heartbeat(POOL, self._lane, HEARTBEAT_S)
        await self._client.get_scheduled_flow_runs_for_work_pool(POOL)
