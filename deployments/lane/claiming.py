"""Which runs are due, and whose they are: a run belongs to whoever's claim the server accepted, and to nobody else."""

from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas import OrchestrationResult
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterNextScheduledStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkQueueFilter,
    WorkQueueFilterId,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.responses import SetStateStatus
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import Pending
from prefect.types._datetime import now

from deployments.lane import POOL


async def open_queues(client: PrefectClient) -> list[UUID]:
    """The queues of the pool from which runs may be taken; none while the pool is paused."""
    if (await client.read_work_pool(POOL)).is_paused:
        return []
    return [queue.id for queue in await client.read_work_queues(work_pool_name=POOL) if not queue.is_paused]


async def due_runs(client: PrefectClient, queues: list[UUID], most: int) -> list[FlowRun]:
    """The runs in these queues that are due now, the longest due first, and no more of them than `most`.

    A plain read: what workers ask writes at every question, and four times a second that keeps SQLite busy.
    """
    if not queues:
        return []
    return await client.read_flow_runs(
        work_queue_filter=WorkQueueFilter(id=WorkQueueFilterId(any_=queues)),
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
            next_scheduled_start_time=FlowRunFilterNextScheduledStartTime(before_=now("UTC")),
        ),
        sort=FlowRunSort.NEXT_SCHEDULED_START_TIME_ASC,
        limit=most,
    )


async def claimed(client: PrefectClient, run: FlowRun, lane: str) -> FlowRun | None:
    """The run as the server has it now, if it is ours; nothing where another has it or its deployment is at its limit.

    The server refuses a claim of a run that is pending, running or cancelled. One that was executed since it was
    listed it lets be claimed again: that is told by the number of its executions, and undone.
    """
    claim = f"Taken by {lane}."
    answer: OrchestrationResult[Any] = await client.set_flow_run_state(run.id, Pending(message=claim))
    # A claim whose answer was lost is sent again by the client, and refused as one that stands already.
    stands = answer.state is not None and answer.state.is_pending() and answer.state.message == claim
    if answer.status is not SetStateStatus.ACCEPT and not stands:
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
