"""Work pools and their queues: where runs wait for a worker, and who goes first."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import WorkPool, WorkQueue
from prefect.exceptions import ObjectNotFound

from deployments.bootstrap.change import Change, put
from deployments.bootstrap.errors import BootstrapError

POOL, FAST_LANE = "rever", "rever-fast-lane"
TYPE = "process"


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue of the pool `rever`: the lower `priority` goes first; `limit` runs at a time to begin with."""

    name: str
    priority: int
    limit: int | None
    description: str


POOLS = {
    POOL: "The returns desk: schedules and people. A worker: prefect worker start --pool rever",
    FAST_LANE: "Runs that events start, process-return first: executed by `rever-returns lane`, or by a worker.",
}
QUEUES = (
    Queue("people", 1, None, "What a person starts and waits for: never behind a batch."),
    Queue("batches", 10, 4, "Runs over many returns, by schedule or by hand."),
)


async def pools(client: PrefectClient, *, check: bool) -> list[Change]:
    """Both pools and the queues. Limits and pauses are set when they are made, and are a person's from then on."""
    changes = [await _pool(client, name, words, check=check) for name, words in POOLS.items()]
    found = {queue.name: queue for queue in await _queues(client)}
    return changes + [await _queue(client, queue, found.get(queue.name), check=check) for queue in QUEUES]


async def _pool(client: PrefectClient, name: str, description: str, *, check: bool) -> Change:
    found = await read_pool(client, name)
    if found and found.type != TYPE:
        raise BootstrapError(
            f"the work pool {name} has the type {found.type!r}, and {TYPE!r} is needed: remove or rename it in the UI"
        )
    make = partial(client.create_work_pool, WorkPoolCreate(name=name, type=TYPE, description=description))
    left = _paused(found.is_paused) + _limited(found.concurrency_limit) if found else []
    return await put(
        f"work pool {name}", check=check, there=found is not None, make=make, mend=make, left=", ".join(left)
    )


async def _queue(client: PrefectClient, queue: Queue, found: WorkQueue | None, *, check: bool) -> Change:
    async def mend() -> None:
        assert found  # noqa: S101 - only what is there is mended
        await client.update_work_queue(found.id, priority=queue.priority)

    differs = [f"priority {found.priority} -> {queue.priority}"] if found and found.priority != queue.priority else []
    return await put(
        f"work queue {POOL}/{queue.name}",
        check=check,
        there=found is not None,
        differs=differs,
        left=", ".join(_paused(found.is_paused) + _limited(found.concurrency_limit, queue.limit)) if found else "",
        make=partial(
            client.create_work_queue,
            name=queue.name,
            description=queue.description,
            concurrency_limit=queue.limit,
            priority=queue.priority,
            work_pool_name=POOL,
        ),
        mend=mend,
    )


def _paused(paused: bool | None) -> list[str]:
    return ["paused by a person"] if paused else []


def _limited(found: int | None, ours: int | None = None) -> list[str]:
    return [] if found == ours else [f"limit {'none' if found is None else found}, set by a person"]


async def read_pool(client: PrefectClient, name: str) -> WorkPool | None:
    """The work pool, or None."""
    try:
        return await client.read_work_pool(name)
    except ObjectNotFound:
        return None


async def _queues(client: PrefectClient) -> Sequence[WorkQueue]:
    return await client.read_work_queues(work_pool_name=POOL) if await read_pool(client, POOL) else []
