"""The runs that this lane has taken: at most so many at once, each a task of its own, each brought to its end."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import Abort, Pause

from deployments.lane.claiming import claimed
from deployments.lane.engine import LaneEngine, engine_for
from deployments.lane.flows import WarmFlows

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Taken:
    """A run that this lane has taken or is about to. `engine` is there from the moment it begins."""

    run: FlowRun
    task: asyncio.Task[None]
    since: float = field(default_factory=time.monotonic)
    engine: LaneEngine | None = None


class Running:
    """The runs under way. `freed` is called whenever one of them has ended."""

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
        # Its task begins only once this coroutine waits: by then the run is entered here, and the task is held.
        task = asyncio.create_task(self._through(run), name=f"run {run.id}")
        self._taken[run.id] = Taken(run, task)

    async def _through(self, run: FlowRun) -> None:
        try:
            await self._execute(run)
        except (Abort, Pause) as refused:
            log.info("%s did not begin, or waits: %s", run.name, refused)
        except Exception as failed:  # noqa: BLE001 - one run's trouble is not the others', and the server is told of it
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
        engine = self._taken[run.id].engine = engine_for(flow, ours)
        state = await engine.execute()
        took = time.monotonic() - began
        log.info("%s: %s; begun %.2f s after it was due, took %.2f s", flow.name, state.name, late, took)

    def _leave(self, run: FlowRun) -> None:
        if run.flow_id not in self._strange:
            self._strange.add(run.flow_id)
            log.warning("%s is of none of this desk's flows: it and its like are left for others", run.name)

    async def cancel_unwanted(self) -> None:
        """End the runs that a person has cancelled: what was sent to REVER is noted first, as at any other end."""
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
        """Wait this long for the runs under way; answers how many are still there."""
        tasks = [taken.task for taken in self._taken.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=within_s)
        return len(self._taken)

    def cut_short(self) -> None:
        """Cancel what is under way. What was sent to REVER is noted first; the runs end Crashed."""
        for taken in self._taken.values():
            taken.task.cancel()
