"""What bootstrap did with one thing, or, when it only checks, would do."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import (
    GlobalConcurrencyLimitCreate,
    GlobalConcurrencyLimitUpdate,
    VariableCreate,
    WorkPoolCreate,
)
from prefect.client.schemas.objects import WorkPool, WorkQueue
from prefect.client.schemas.responses import GlobalConcurrencyLimitResponse
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

from deployments.console.errors import CommandError, UsageError
from tasks.credentials import ReverCredentials
from tasks.global_limits import found_limits, problem
from tasks.steps import global_limits

Act = Callable[[], Awaitable[object]]


class Outcome(StrEnum):
    """What became of a thing on the server."""

    MADE = "made"
    CHANGED = "changed"
    LEFT = "left"


_CHECKED = {Outcome.MADE: "would make", Outcome.CHANGED: "would change", Outcome.LEFT: "leaves"}


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the account: what, what became of it, and what differed or is worth knowing."""

    outcome: Outcome
    what: str
    words: str = ""

    def line(self, *, check: bool = False) -> str:
        """As it is printed."""
        did = _CHECKED[self.outcome] if check else self.outcome
        return f"{did:<{12 if check else 8}} {self.what}{f': {self.words}' if self.words else ''}"


async def put(
    what: str, *, check: bool, there: bool, make: Act, mend: Act, differs: Sequence[str] = (), left: str = ""
) -> Change:
    """Make a thing that is not there, mend one that differs, leave the rest; with `check` only say so."""
    if not there:
        if not check:
            # There by now: somebody did the same at this moment, or the client asked again after an answer was lost.
            with suppress(ObjectAlreadyExists):
                await make()
        return Change(Outcome.MADE, what)
    if differs:
        if not check:
            await mend()
        return Change(Outcome.CHANGED, what, ", ".join(differs))
    return Change(Outcome.LEFT, what, left)


# Why a server was not set up.


class BootstrapError(CommandError):
    """The server does not answer, refuses us, or holds something that does not fit. The text says what to do."""


class PrefectFileError(UsageError):
    """The file of the deployments cannot be used; nothing was begun. The text names the file and the entry."""


# Work pools and their queues: where runs wait for a worker, and who goes first.


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


# Global limits: how much of each step runs at a time over all processes. Runs of deployments begin nothing without.


async def limits(client: PrefectClient, *, check: bool) -> list[Change]:
    """Each limit of the table of steps. How many slots it has is a person's from then on.

    One with which no run would begin is mended: not active, without a slot, or with slots that come free by themselves.
    """
    found = {limit.name: limit for limit in await found_limits(client)}
    return [await _limit(client, name, slots, found.get(name), check=check) for name, slots in global_limits().items()]


async def _limit(
    client: PrefectClient, name: str, slots: int, found: GlobalConcurrencyLimitResponse | None, *, check: bool
) -> Change:
    wrong = problem(found) if found else ""
    fresh = GlobalConcurrencyLimitCreate(name=name, limit=slots, active=True, slot_decay_per_second=0)
    usable = found.limit if found and found.limit > 0 else slots
    mended = GlobalConcurrencyLimitUpdate(limit=usable, active=True, slot_decay_per_second=0)
    return await put(
        f"global limit {name}",
        check=check,
        there=found is not None,
        differs=[wrong] if wrong else [],
        left=f"{found.limit} slots, set by a person" if found and found.limit != slots else "",
        make=partial(client.create_global_concurrency_limit, fresh),
        mend=partial(client.update_global_concurrency_limit, name, mended),
    )


# The type of block that holds a REVER account's credentials, so that a person can fill one in Prefect's UI.


async def blocks(client: PrefectClient, *, check: bool) -> list[Change]:
    """Register the type and the schema of its fields. Makes no block: which accounts there are, people say."""

    async def register() -> None:
        await ReverCredentials.aregister_type_and_schema(client=client)

    slug = ReverCredentials.get_block_type_slug()
    there = await _there(client, slug)
    differs = [] if there and await _has_schema(client) else ["the fields of this version"]
    return [await put(f"block type {slug}", check=check, there=there, differs=differs, make=register, mend=register)]


async def _there(client: PrefectClient, slug: str) -> bool:
    try:
        await client.read_block_type_by_slug(slug)
    except ObjectNotFound:
        return False
    return True


async def _has_schema(client: PrefectClient) -> bool:
    try:
        await client.read_block_schema_by_checksum(ReverCredentials._calculate_schema_checksum())
    except ObjectNotFound:
        return False
    return True


# Prefect variables: what a person may set in the UI for the deployments.


TIME_ZONE = "rever_time_zone"
DEFAULTS = {TIME_ZONE: "Europe/Madrid"}
"""Variable -> the value it is made with. From then on it is a person's."""


async def variables(client: PrefectClient, *, check: bool) -> tuple[list[Change], dict[str, str]]:
    """Make those that are not there; answers their values too, as `prefect.yaml` may name them."""
    changes: list[Change] = []
    values: dict[str, str] = {}
    for name, default in DEFAULTS.items():
        found = await client.read_variable_by_name(name)
        values[name] = str(found.value) if found else default
        make = partial(client.create_variable, VariableCreate(name=name, value=default, tags=["rever"]))
        changes.append(
            await put(f"variable {name}", check=check, there=found is not None, make=make, mend=make, left=values[name])
        )
    _check_zone(values[TIME_ZONE])
    return changes, values


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BootstrapError(
            f"the variable {TIME_ZONE} is {name!r}, which is no time zone: write it like Europe/Madrid or UTC"
        ) from None
