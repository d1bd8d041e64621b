"""Prefect events beside the runs, for automations that people hang on them. Best effort: no answer waits for them."""

import asyncio
import logging
from collections import deque
from datetime import datetime
from typing import Any
from uuid import uuid4

from deployments.receiver.kinds import Kind
from deployments.receiver.prefect_runs import PrefectTrouble, Runs

MOST_WAITING = 1000
"""Events kept while Prefect is away; of more the oldest are lost."""

EVENTS_AT_ONCE = 100
AGAIN_S = 5.0

_WORDS = {
    Kind.CREATED: "was created",
    Kind.SHIPPED: "is on its way: its shipping status changed",
    Kind.COMPLETED: "was completed",
    Kind.CANCELLED: "was cancelled",
    Kind.UNKNOWN: "has changed",
}

logger = logging.getLogger(__name__)


class Announcer:
    """Passes events on in the background, oldest first."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._waiting: deque[dict[str, Any]] = deque(maxlen=MOST_WAITING)
        self._there = asyncio.Event()

    def told(self, kind: Kind, process_id: str, at: datetime) -> None:
        """REVER told something new about a return: `rever.return.created`, `.shipped`, `.completed` and so on."""
        sentence = f"REVER says that the return {process_id} {_WORDS[kind]}"
        self._put(f"rever.return.{kind}", process_id, at, {"kind": str(kind), "sentence": sentence})

    def given_up(self, process_id: str, events: int, at: datetime) -> None:
        """No run looked at a return for so long that none is offered any more."""
        sentence = f"no run has looked at the return {process_id} since REVER told of it; no more are offered"
        self._put("rever.webhook.given_up", process_id, at, {"events": events, "sentence": sentence})

    def closed(self, process_id: str, reason: str, why: str, events: int, at: datetime) -> None:
        """Its events are closed because of what REVER says of it: it is none of ours."""
        sentence = f"the events about the return {process_id} are closed: {why}"
        payload = {"events": events, "reason": reason, "sentence": sentence}
        self._put("rever.webhook.closed", process_id, at, payload)

    def _put(self, name: str, process_id: str, at: datetime, payload: dict[str, Any]) -> None:
        self._waiting.append(
            {
                "id": str(uuid4()),
                "occurred": at,
                "event": name,
                "resource": {
                    "prefect.resource.id": f"rever.return.{process_id}",
                    "prefect.resource.name": process_id,
                },
                "payload": {"process_id": process_id, **payload},
            }
        )
        self._there.set()

    async def run(self) -> None:
        """Pass on what there is until cancelled."""
        try:
            while True:
                await self._there.wait()
                self._there.clear()
                await self._pass_on()
        finally:
            await self._runs.close()

    async def _pass_on(self) -> None:
        while self._waiting:
            some = [self._waiting.popleft() for _ in range(min(EVENTS_AT_ONCE, len(self._waiting)))]
            try:
                await self._runs.emit(some)
            except PrefectTrouble as trouble:
                logger.debug("events were not passed on: %s", trouble)
                room = MOST_WAITING - len(self._waiting)
                self._waiting.extendleft(reversed(some[max(0, len(some) - room) :]))
                await asyncio.sleep(AGAIN_S)
