"""What went quiet in Prefect: schedules that bring no runs, and work pools from which nobody takes them.

Nothing fails where runs no longer come, so nothing tells of it either: it has to be looked for.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterTags,
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterStartTime,
)
from prefect.client.schemas.objects import DeploymentSchedule, WorkerStatus
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import PrefectException

from tasks.policy.clocks import DIFFER
from tasks.reporting.holds_page import age

TAG = "rever"
"""The tag of this software's deployments."""

OPTIONAL = "optional"
"""The tag of a deployment whose schedule is off until a person wants it: it may be off without a word."""

INTERVALS = 2
"""A schedule that has brought no run for so many of its intervals is quiet."""

MOST = 200
"""How many of each kind of thing are read."""


class Where(StrEnum):
    """Where something went quiet."""

    SCHEDULE = "schedule"
    QUEUE = "work queue"
    POOL = "work pool"


@dataclass(frozen=True, slots=True)
class Quiet:
    """Something that went quiet, in words, and what to do. `stores` are those it concerns; empty is all."""

    where: Where
    words: str
    to_do: str
    stores: frozenset[str] = frozenset()

    def concerns(self, store: str) -> bool:
        """Whether it keeps runs from this store."""
        return not self.stores or store in self.stores


@dataclass(frozen=True, slots=True)
class Planned:
    """A deployment with a schedule. `every` is the shortest interval of those that are on; None where none has one.

    `since` is when its schedule was last changed, which putting it on is; `began` is when its last run began.
    """

    name: str
    flow: UUID
    on: bool
    every: timedelta | None = None
    since: datetime | None = None
    began: datetime | None = None
    stores: frozenset[str] = frozenset()

    def serves(self, stores: frozenset[str]) -> bool:
        """Whether its runs go over all of these stores (none named: over all there are)."""
        return not self.stores or (bool(stores) and stores <= self.stores)


@dataclass(frozen=True, slots=True)
class Pool:
    """A work pool that a deployment of ours uses, with its live workers and the queues that are paused."""

    name: str
    paused: bool
    workers: int
    paused_queues: tuple[str, ...] = ()


def went_quiet(planned: Sequence[Planned], pools: Sequence[Pool], now: datetime) -> list[Quiet]:
    """What went quiet: schedules, queues, pools. Pure."""
    return [*_schedules(planned, now), *_pools(pools)]


def _schedules(planned: Sequence[Planned], now: datetime) -> Iterator[Quiet]:
    for each in planned:
        if not each.on:
            others = [other for other in planned if other.on and other.flow == each.flow]
            if not _covered(each.stores, others):
                to_do = f"if that is not meant, put the schedule of {each.name} on in Prefect's UI, under Deployments"
                yield Quiet(Where.SCHEDULE, f"the schedule of {each.name} is paused", to_do, each.stores)
            continue
        last = max(filter(None, (each.began, each.since)), default=None)
        if each.every is None or last is None or now - last <= INTERVALS * each.every:
            continue
        how_long = f"for {age(now - each.began)}" if each.began else "since it was set up"
        yield Quiet(
            Where.SCHEDULE,
            f"no run of {each.name} has begun {how_long}, and one should begin every {age(each.every)}",
            "see that a worker is there and that no earlier run hangs: rever-returns doctor",
            each.stores,
        )


def _covered(stores: frozenset[str], others: Sequence[Planned]) -> bool:
    """Whether other schedules of the flow, which are on, go over these stores.

    One deployment for each store takes the place of the one for all: then this one is paused on purpose.
    """
    if not stores:
        return bool(others)
    return all(any(other.serves(frozenset({store})) for other in others) for store in stores)


def _pools(pools: Sequence[Pool]) -> Iterator[Quiet]:
    for pool in pools:
        for queue in pool.paused_queues:
            resume = f"prefect work-queue resume {queue} --pool {pool.name}"
            yield Quiet(Where.QUEUE, f"the work queue {queue} of {pool.name} is paused", resume)
        if pool.paused:
            words = f"the work pool {pool.name} is paused"
            yield Quiet(Where.POOL, words, f"prefect work-pool resume {pool.name}")
        elif not pool.workers:
            words = f"no worker takes runs from the work pool {pool.name}"
            yield Quiet(Where.POOL, words, "start one: rever-returns up, or rever-returns doctor says how")


async def read_quiet(client: PrefectClient, now: datetime) -> list[Quiet]:
    """What went quiet on this server; nothing where no deployment of ours is there. Raises as the client does."""
    ours = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
    found = await client.read_deployments(deployment_filter=ours, limit=MOST)
    planned = [await _planned(client, each, now) for each in found if each.schedules and not _left_off(each)]
    used: dict[str, set[str]] = {}
    for each in found:
        if each.work_pool_name:
            used.setdefault(each.work_pool_name, set()).add(each.work_queue_name or "default")
    return went_quiet(planned, await _read_pools(client, used), now)


async def quiet_or_unknown(client: PrefectClient, now: datetime) -> list[Quiet]:
    """What went quiet, as far as the server tells: nothing where it does not."""
    try:
        return await read_quiet(client, now)
    except (httpx.HTTPError, PrefectException):
        return []


def _left_off(deployment: DeploymentResponse) -> bool:
    """Whether nobody has switched it on, and nobody need."""
    return OPTIONAL in deployment.tags and not any(each.active for each in deployment.schedules)


async def _planned(client: PrefectClient, deployment: DeploymentResponse, now: datetime) -> Planned:
    on = [each for each in deployment.schedules if each.active and not deployment.paused]
    intervals = [each.schedule.interval for each in on if isinstance(each.schedule, IntervalSchedule)]
    return Planned(
        deployment.name,
        deployment.flow_id,
        on=bool(on),
        every=min(intervals, default=None),
        since=max((each.updated for each in on if each.updated), default=None),
        began=await _last_began(client, deployment.id, now) if intervals else None,
        stores=_stores(deployment.parameters, on or deployment.schedules),
    )


def _stores(form: Mapping[str, object], schedules: Sequence[DeploymentSchedule]) -> frozenset[str]:
    """The stores that a deployment's runs go over; empty where one of its schedules names none, which is all."""
    named = [_named({**form, **each.parameters}) for each in schedules]
    return frozenset().union(*named) if all(named) else frozenset()


def _named(form: Mapping[str, object]) -> frozenset[str]:
    inner = form.get("parameters")
    stores = inner.get("stores") if isinstance(inner, Mapping) else None
    return frozenset(map(str, stores)) if isinstance(stores, list) else frozenset()


async def _last_began(client: PrefectClient, deployment_id: UUID, now: datetime) -> datetime | None:
    begun = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[deployment_id]),
        start_time=FlowRunFilterStartTime(before_=now + DIFFER),
    )
    runs = await client.read_flow_runs(flow_run_filter=begun, sort=FlowRunSort.START_TIME_DESC, limit=1)
    return runs[0].start_time if runs else None


async def _read_pools(client: PrefectClient, used: Mapping[str, set[str]]) -> list[Pool]:
    there = {each.name: each for each in await client.read_work_pools(limit=MOST)}
    pools = []
    for name in sorted(used.keys() & there.keys()):
        workers = await client.read_workers_for_work_pool(name)
        queues = await client.read_work_queues(work_pool_name=name, limit=MOST)
        pools.append(
            Pool(
                name,
                bool(there[name].is_paused),
                sum(worker.status is WorkerStatus.ONLINE for worker in workers),
                tuple(sorted(queue.name for queue in queues if queue.is_paused and queue.name in used[name])),
            )
        )
    return pools
