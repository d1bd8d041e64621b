"""The receiver's requests to Prefect: create a run, read the states of runs, emit events. Each has its own timeout."""

import asyncio
import logging
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID, uuid4

import httpx

from deployments.receiver.delivery import Kind

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

MOST_WAITING = 1000
"""Events kept while Prefect is away; beyond that the oldest are dropped."""

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

PATIENCE_S = 15.0
"""Seconds one request to Prefect may take. Webhooks are answered meanwhile."""


AT_ONCE = 200
"""Runs in one response: Prefect gives no more."""


UNNEEDED = "Another run, which began after the webhooks came in, has looked at all of these returns."
"""Why a run that nobody has taken yet is cancelled."""


class PrefectTrouble(Exception):  # noqa: N818
    """A request to Prefect failed; the text says why, and what to do if that helps."""


class RunState(StrEnum):
    """A run is still to come, under way, or over."""

    TO_COME = "to_come"
    UNDER_WAY = "under_way"
    OVER = "over"


class Runs(Protocol):
    """Where runs are offered."""

    async def offer(self, deployment: str, parameters: Mapping[str, object], key: str) -> str:
        """Create a run, and return its id; the same key is the same run. Raises `PrefectTrouble`."""

    async def states(self, run_ids: Collection[str]) -> dict[str, RunState]:
        """The states of these runs; a run that Prefect does not know is left out. Raises `PrefectTrouble`."""

    async def cancel(self, run_ids: Collection[str]) -> set[str]:
        """Cancel those of these runs that nobody has taken yet, and return them. Raises `PrefectTrouble`."""

    async def emit(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Emit events. Raises `PrefectTrouble`."""

    async def close(self) -> None:
        """Close all connections."""


class PrefectRuns:
    """Runs at the Prefect server of `PREFECT_API_URL`, with one client, made when it is first needed (30 ms)."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._client: Any = None

    async def offer(self, deployment: str, parameters: Mapping[str, object], key: str) -> str:
        """Create a run of a deployment, and do not wait for it."""
        from prefect.deployments import arun_deployment
        from prefect.exceptions import ObjectNotFound

        try:
            async with asyncio.timeout(PATIENCE_S):
                run = await arun_deployment(
                    deployment,
                    client=await self._connected(),
                    parameters=dict(parameters),
                    timeout=0,
                    as_subflow=False,
                    idempotency_key=key,
                )
        except ObjectNotFound:
            raise PrefectTrouble(f"Prefect has no deployment {deployment}: run `rever-returns bootstrap`") from None
        except Exception as error:  # noqa: BLE001 - whatever its client raises, the offer is made again
            raise _trouble(error) from None
        return str(run.id)

    async def states(self, run_ids: Collection[str]) -> dict[str, RunState]:
        """Read the states of runs."""
        try:
            found = await self._read(run_ids)
        except Exception as error:  # noqa: BLE001 - whatever its client raises, they are asked for again
            raise _trouble(error) from None
        return {str(run.id): _state(run.state) for run in found}

    async def cancel(self, run_ids: Collection[str]) -> set[str]:
        """Cancel runs that are scheduled. One that is taken just then may end as Cancelled half-way, which is safe."""
        from prefect.client.schemas.responses import SetStateStatus
        from prefect.states import Cancelled

        done = set()
        try:
            for run in await self._read(run_ids):
                if run.state is not None and run.state.is_scheduled():
                    async with asyncio.timeout(PATIENCE_S):
                        client = await self._connected()
                        response = await client.set_flow_run_state(run.id, Cancelled(message=UNNEEDED))
                    if response.status is SetStateStatus.ACCEPT:
                        done.add(str(run.id))
        except Exception as error:  # noqa: BLE001 - whatever its client raises, it is asked again
            raise _trouble(error) from None
        return done

    async def _read(self, run_ids: Collection[str]) -> "list[FlowRun]":
        from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

        wanted, found = [UUID(run_id) for run_id in run_ids], []
        for start in range(0, len(wanted), AT_ONCE):
            chosen = FlowRunFilter(id=FlowRunFilterId(any_=wanted[start : start + AT_ONCE]))
            async with asyncio.timeout(PATIENCE_S):
                client = await self._connected()
                found += await client.read_flow_runs(flow_run_filter=chosen, limit=AT_ONCE)
        return found

    async def emit(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Emit events over HTTP: a failure is known at once, and no thread holds any when the program ends."""
        from prefect.events import Event

        found = [Event.model_validate(event).model_dump(mode="json") for event in events]
        try:
            async with asyncio.timeout(PATIENCE_S):
                client = await self._connected()
                await client.request("POST", "/events", json=found)
        except Exception as error:  # noqa: BLE001 - whatever its client raises, the events are lost
            raise _trouble(error) from None

    async def reachable(self, within: float) -> bool:
        """Whether Prefect's server responds within so many seconds."""
        try:
            async with asyncio.timeout(within):
                client = await self._connected()
                return await client.api_healthcheck() is None
        except Exception:  # noqa: BLE001 - whatever it is, the server is not reachable
            return False

    async def close(self) -> None:
        """Close the connection."""
        self._client = None
        await self._stack.aclose()

    async def _connected(self) -> Any:
        if self._client is None:
            from prefect.client.orchestration import get_client

            client = get_client(httpx_settings={"timeout": PATIENCE_S})
            self._client = await self._stack.enter_async_context(client)
        return self._client


def _trouble(error: Exception) -> PrefectTrouble:
    """The error as a sentence of ours: the client's own text may quote what was sent."""
    if isinstance(error, httpx.HTTPStatusError):
        return PrefectTrouble(f"Prefect responded with HTTP {error.response.status_code}")
    return PrefectTrouble(f"Prefect did not respond ({type(error).__name__})")


def _state(state: Any) -> RunState:
    if state is None or state.is_scheduled() or state.is_paused():
        return RunState.TO_COME
    return RunState.OVER if state.is_final() else RunState.UNDER_WAY


class Announcer:
    """Emits Prefect events beside the runs, for automations that people make. Best effort: nothing waits for them."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._waiting: deque[dict[str, Any]] = deque(maxlen=MOST_WAITING)
        self._there = asyncio.Event()

    def came_in(self, kind: Kind, process_id: str, at: datetime) -> None:
        """Emit what REVER said of a return: `rever.return.created`, `.shipped`, `.completed` and so on."""
        sentence = f"REVER says that the return {process_id} {_WORDS[kind]}"
        self._put(f"rever.return.{kind}", process_id, at, {"kind": str(kind), "sentence": sentence})

    def given_up(self, process_id: str, events: int, at: datetime) -> None:
        """Emit that no run looked at a return for so long that no more are offered."""
        sentence = f"no run has looked at the return {process_id} since its webhook came; no more are offered"
        self._put("rever.webhook.given_up", process_id, at, {"events": events, "sentence": sentence})

    def closed(self, process_id: str, reason: str, why: str, events: int, at: datetime) -> None:
        """Emit that the events of a return are closed, because REVER shows that it is not ours."""
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
        """Emit events until cancelled."""
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
