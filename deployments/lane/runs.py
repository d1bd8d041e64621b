"""One lane's runs: which are due, the claim that makes one ours, and its execution in this process.

A run belongs to the one whose claim Prefect's server accepted. `prefect.flow_engine` is not documented surface: only
`LaneEngine` uses it, and the bound `prefect<3.10` and tests against a real server hold it.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas import OrchestrationResult
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterNextScheduledStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkQueueFilter,
    WorkQueueFilterId,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.responses import SetStateStatus
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import Abort, Pause
from prefect.flow_engine import AsyncFlowRunEngine
from prefect.states import Pending

from deployments.work_pools import FAST_LANE
from flows.catalog import FLOWS

log = logging.getLogger(__name__)


async def open_queues(client: PrefectClient) -> list[UUID]:
    """The queues of the pool from which runs may be taken; none while the pool is paused."""
    if (await client.read_work_pool(FAST_LANE)).is_paused:
        return []
    return [queue.id for queue in await client.read_work_queues(work_pool_name=FAST_LANE) if not queue.is_paused]


async def due_runs(client: PrefectClient, queues: list[UUID], most: int) -> list[FlowRun]:
    """At most `most` runs in these queues that are due now, the longest due first.

    A plain read: the request of Prefect's workers writes, and four times a second that keeps SQLite busy.
    """
    if not queues:
        return []
    return await client.read_flow_runs(
        work_queue_filter=WorkQueueFilter(id=WorkQueueFilterId(any_=queues)),
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
            next_scheduled_start_time=FlowRunFilterNextScheduledStartTime(before_=datetime.now(UTC)),
        ),
        sort=FlowRunSort.NEXT_SCHEDULED_START_TIME_ASC,
        limit=most,
    )


async def claimed(client: PrefectClient, run: FlowRun, lane: str) -> FlowRun | None:
    """The run as the server has it now, if it is ours; None if another has it or its deployment is at its limit.

    The server refuses to claim a run that is pending, running or cancelled, but not one that another lane has executed
    since it was listed: the number of its executions shows that, and the claim is undone.
    """
    claim = f"Taken by {lane}."
    response: OrchestrationResult[Any] = await client.set_flow_run_state(run.id, Pending(message=claim))
    # A claim whose response was lost is sent again by the client, and refused because it stands already.
    stands = response.state is not None and response.state.is_pending() and response.state.message == claim
    if response.status is not SetStateStatus.ACCEPT and not stands:
        return None
    now = await client.read_flow_run(run.id)
    if now.run_count == run.run_count:
        return now
    await _give_back(client, now)
    return None


async def _give_back(client: PrefectClient, run: FlowRun) -> None:
    """Put a run that another lane has executed meanwhile back into the state in which that one left it."""
    states = await client.read_flow_run_states(run.id)
    last = max((state for state in states if state.is_final()), key=lambda state: state.timestamp, default=None)
    log.info("%s was executed by another lane meanwhile", run.name)
    if last is not None:
        await client.set_flow_run_state(run.id, last, force=True)


@dataclass
class LaneEngine(AsyncFlowRunEngine[..., Any]):
    """Prefect's engine for one run: it sends the heartbeats, holds the slots of limits, and reports the states.

    `unwanted`: a person has cancelled the run, so it ends as Cancelled; otherwise a cancelled task is Crashed.
    """

    unwanted: bool = False

    async def handle_crash(self, exc: BaseException) -> None:
        """Report the run as Cancelled if a person cancelled it, as Crashed otherwise."""
        if self.unwanted:
            await self.handle_cancellation(exc)
        else:
            await super().handle_crash(exc)

    async def execute(self) -> State[Any]:
        """Execute the run to its end, and return its last state. A run that fails raises nothing.

        Raises `prefect.exceptions.Abort` if the server refuses to let it begin, `asyncio.CancelledError`, and any error
        that keeps its end from being reported.
        """
        async with self.start():
            while self.is_running():
                async with self.run_context():
                    _ = await self.call_flow_fn()
        return self.state


class WarmFlows:
    """All flows of the catalogue, imported before there is a run."""

    def __init__(self) -> None:
        self._by_name: dict[str, Flow[..., Any]] = {
            name: getattr(import_module(module), name.replace("-", "_")) for name, module in FLOWS.items()
        }
        self._names: dict[UUID, str] = {}

    async def of(self, client: PrefectClient, flow_id: UUID) -> Flow[..., Any] | None:
        """The flow of this id; None if it is not one of the desk's."""
        if flow_id not in self._names:
            self._names[flow_id] = (await client.read_flow(flow_id)).name
        return self._by_name.get(self._names[flow_id])


@dataclass(slots=True)
class Taken:
    """A run that this lane is claiming or has taken. `engine` is set when the run begins."""

    run: FlowRun
    task: asyncio.Task[None]
    engine: LaneEngine | None = None


class Running:
    """The runs of this lane, at most `at_once`, each an asyncio task. `freed` is called whenever one has ended."""

    def __init__(
        self, client: PrefectClient, flows: WarmFlows, lane: str, at_once: int, freed: Callable[[], None]
    ) -> None:
        self._client, self._flows, self._lane, self._at_once, self._freed = client, flows, lane, at_once, freed
        self._taken: dict[UUID, Taken] = {}
        self._strange: set[UUID] = set()

    def __len__(self) -> int:
        return len(self._taken)

    @property
    def free(self) -> int:
        """How many more runs can be taken."""
        return self._at_once - len(self._taken)

    def has(self, run: FlowRun) -> bool:
        """Whether this run is under way here."""
        return run.id in self._taken

    def take(self, run: FlowRun) -> None:
        """Claim a run that is due, and execute it if it is ours."""
        # The task begins when this coroutine next awaits: by then it is entered below.
        task = asyncio.create_task(self._through(run), name=f"run {run.id}")
        self._taken[run.id] = Taken(run, task)

    async def _through(self, run: FlowRun) -> None:
        try:
            await self._execute(run)
        except (Abort, Pause) as refused:
            log.info("%s did not begin, or waits: %s", run.name, refused)
        except Exception as failed:  # noqa: BLE001 - one run's error must not end the others'
            log.error("%s: its end could not be reported: %s", run.name, type(failed).__name__)  # noqa: TRY400
        finally:
            del self._taken[run.id]
            self._freed()

    async def _execute(self, run: FlowRun) -> None:
        flow = await self._flows.of(self._client, run.flow_id)
        if flow is None:
            self._leave(run)
            return
        ours = await claimed(self._client, run, self._lane)
        if ours is None:
            return
        due = run.next_scheduled_start_time or run.expected_start_time
        late = (datetime.now(UTC) - due).total_seconds() if due else 0.0
        began = time.monotonic()
        engine = self._taken[run.id].engine = LaneEngine(flow=flow, flow_run=ours, parameters=dict(ours.parameters))
        state = await engine.execute()
        took = time.monotonic() - began
        log.info("%s: %s; begun %.2f s after it was due, took %.2f s", flow.name, state.name, late, took)

    def _leave(self, run: FlowRun) -> None:
        if run.flow_id not in self._strange:
            self._strange.add(run.flow_id)
            log.warning("%s is not a run of this desk's flows: it and others of its flow are left alone", run.name)

    async def cancel_unwanted(self) -> None:
        """End the runs that a person has cancelled. What was sent to REVER is recorded first."""
        ids = [taken.run.id for taken in self._taken.values() if taken.engine and not taken.engine.unwanted]
        if not ids:
            return
        states = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.CANCELLING, StateType.CANCELLED]))
        which = FlowRunFilter(id=FlowRunFilterId(any_=ids), state=states)
        for run in await self._client.read_flow_runs(flow_run_filter=which):
            taken = self._taken.get(run.id)
            if taken and taken.engine:
                log.info("%s is cancelled", run.name)
                taken.engine.unwanted = True
                taken.task.cancel()

    async def end(self, within_s: float) -> int:
        """Wait this long for the runs under way, and return how many are left."""
        tasks = [taken.task for taken in self._taken.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=within_s)
        return len(self._taken)

    def cut_short(self) -> None:
        """Cancel the runs under way. What was sent to REVER is recorded first; they end as Crashed."""
        for taken in self._taken.values():
            taken.task.cancel()
