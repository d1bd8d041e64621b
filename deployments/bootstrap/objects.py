"""What bootstrap makes besides deployments and automations: variables, work pools, global limits, and a block type.

What is there already is left, what differs is put right; some settings are a person's once they are made.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import (
    GlobalConcurrencyLimitCreate,
    GlobalConcurrencyLimitUpdate,
    VariableCreate,
    WorkPoolCreate,
)
from prefect.client.schemas.objects import WorkQueue
from prefect.client.schemas.responses import GlobalConcurrencyLimitResponse
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

from deployments.console.errors import CommandError, UsageError
from deployments.work_pools import FAST_LANE, POOL
from tasks.in_prefect.credentials import ReverCredentials
from tasks.in_prefect.global_limits import found_limits, problem
from tasks.steps import global_limits

Act = Callable[[], Awaitable[object]]
T = TypeVar("T")


class Outcome(StrEnum):
    """What was done with a thing on the server."""

    MADE = "made"
    CHANGED = "changed"
    LEFT = "left"


_CHECKED = {Outcome.MADE: "would make", Outcome.CHANGED: "would change", Outcome.LEFT: "leaves"}


@dataclass(frozen=True, slots=True)
class Change:
    """One thing on the server, what was done with it, and what differed or a person has set."""

    outcome: Outcome
    what: str
    words: str = ""

    def line(self, *, check: bool = False) -> str:
        """The line that is printed; with `check` it says what would be done."""
        did = _CHECKED[self.outcome] if check else self.outcome
        return f"{did:<{12 if check else 8}} {self.what}{f': {self.words}' if self.words else ''}"


async def or_none(reading: Awaitable[T]) -> T | None:
    """What the server has, or None where it has no such thing."""
    try:
        return await reading
    except ObjectNotFound:
        return None


async def put(
    what: str, *, check: bool, there: bool, make: Act, mend: Act, differs: Sequence[str] = (), left: str = ""
) -> Change:
    """Make a thing that is missing, change one that differs, leave the rest. With `check` nothing is done."""
    if not there:
        if not check:
            # Made meanwhile: by another bootstrap, or by a request of ours whose response was lost.
            with suppress(ObjectAlreadyExists):
                await make()
        return Change(Outcome.MADE, what)
    if differs:
        if not check:
            await mend()
        return Change(Outcome.CHANGED, what, ", ".join(differs))
    return Change(Outcome.LEFT, what, left)


class BootstrapError(CommandError):
    """The server does not respond, refuses us, or has something that does not fit. The text says what to do."""


class PrefectFileError(UsageError):
    """The file of the deployments is wrong; nothing was begun. The text names the file and the entry."""


TIME_ZONE = "rever_time_zone"
DEFAULTS = {TIME_ZONE: "Europe/Madrid"}
"""Variable -> the value it is made with; a person may change it from then on."""


async def variables(client: PrefectClient, *, check: bool) -> tuple[list[Change], dict[str, str]]:
    """The variables, and their values by name: `prefect.yaml` may use them."""
    changes: list[Change] = []
    values: dict[str, str] = {}
    for name, default in DEFAULTS.items():
        found = await client.read_variable_by_name(name)
        values[name] = str(found.value) if found else default
        make = partial(client.create_variable, VariableCreate(name=name, value=default, tags=["rever"]))
        changes.append(
            await put(f"variable {name}", check=check, there=found is not None, make=make, mend=make, left=values[name])
        )
    try:
        ZoneInfo(values[TIME_ZONE])
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BootstrapError(
            f"the variable {TIME_ZONE} is {values[TIME_ZONE]!r}, not a time zone: write it like Europe/Madrid or UTC"
        ) from None
    return changes, values


TYPE = "process"


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue of the pool `rever`. The lower `priority` goes first; `limit` is the runs at a time when it is made."""

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
    """Both pools and the queues. Their limits are a person's once they are made, and so is whether they are paused."""
    changes = [await _pool(client, name, words, check=check) for name, words in POOLS.items()]
    found = {queue.name: queue for queue in await or_none(client.read_work_queues(work_pool_name=POOL)) or ()}
    return changes + [await _queue(client, queue, found.get(queue.name), check=check) for queue in QUEUES]


async def _pool(client: PrefectClient, name: str, description: str, *, check: bool) -> Change:
    found = await or_none(client.read_work_pool(name))
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


async def limits(client: PrefectClient, *, check: bool) -> list[Change]:
    """A global limit for each step of the table of steps that has one. Its slots are a person's once it is made.

    A limit that would keep runs from beginning is put right: not active, without slots, or with slots that decay.
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


async def blocks(client: PrefectClient, *, check: bool) -> list[Change]:
    """The type of the credentials block, so that a person can fill one in the UI. No block is made."""

    async def register() -> None:
        await ReverCredentials.aregister_type_and_schema(client=client)

    slug = ReverCredentials.get_block_type_slug()
    there = await or_none(client.read_block_type_by_slug(slug)) is not None
    schema = await or_none(client.read_block_schema_by_checksum(ReverCredentials._calculate_schema_checksum()))
    differs = [] if schema else ["the fields of this version"]
    return [await put(f"block type {slug}", check=check, there=there, differs=differs, make=register, mend=register)]
