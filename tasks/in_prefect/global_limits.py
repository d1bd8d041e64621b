"""Prefect's global limits, which bound a step over all processes; only in runs that belong to a deployment.

Slots are taken once for a step and not once for a call: Prefect's server hands out about twenty a second. A step keeps
its slots by renewing their lease; those of a worker that was killed come back when the lease is over.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import httpx
from prefect import get_client, get_run_logger
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.responses import GlobalConcurrencyLimitResponse
from prefect.concurrency.asyncio import AcquireConcurrencySlotTimeoutError, ConcurrencySlotAcquisitionError, concurrency

from tasks.desk import DeskError

LEASE_S = 60.0
"""The shortest lease that Prefect's server grants, renewed at three quarters of it. The server looks for leases that
are over every 15 s, so that the slots of a killed worker are back after 75 s at the latest."""

SLOW_S = 3.0
"""A wait for slots that is longer than this is told in the log."""

PAGE = 200
"""Limits in one answer of Prefect's server; deployments and tags have theirs in the same list."""


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a line of Prefect about leases says something: a renewal that meets one given back just now does not.

    Of a lease that is lost indeed, Prefect says so once more when it has given up renewing.
    """
    return not (str(record.msg).startswith("Attempt ") and "410 Gone" in record.getMessage())


logging.getLogger("prefect.concurrency").addFilter(_is_news)


async def standing_limits(needed: Collection[str]) -> dict[str, int]:
    """The slots of each limit of these names, as they stand at Prefect's server.

    Raises `DeskError` that names every limit that is missing, inactive or without a slot: Prefect lets everybody pass
    where a limit is missing, and that would be no limit at all. Also where the server does not say.
    """
    try:
        async with get_client() as client:
            found = {limit.name: limit for limit in await found_limits(client)}
    except httpx.HTTPError as error:
        kind = type(error).__name__
        raise DeskError(f"Prefect's server did not say which limits it holds ({kind}); nothing was begun") from None
    problems = [f"{name} ({why})" for name in needed if (why := problem(found.get(name)))]
    if problems:
        raise DeskError(
            f"Prefect's server does not hold what bounds the steps over all processes: {', '.join(problems)}; "
            "nothing was begun; `rever-returns bootstrap` puts that right"
        )
    return {name: found[name].limit for name in needed}


async def found_limits(client: PrefectClient) -> list[GlobalConcurrencyLimitResponse]:
    """All limits of the server, in one call where it has no more than a page of them."""
    found: list[GlobalConcurrencyLimitResponse] = []
    while True:
        page = await client.read_global_concurrency_limits(limit=PAGE, offset=len(found))
        found += page
        if len(page) < PAGE:
            return found


def problem(limit: GlobalConcurrencyLimitResponse | None) -> str:
    """Why a limit bounds nothing, or lets nobody in; empty for one that does what it is for."""
    if limit is None:
        return "missing"
    if not limit.active:
        return "not active"
    if limit.slot_decay_per_second:
        return "its slots come free by themselves"
    return "no slot" if limit.limit < 1 else ""


@asynccontextmanager
async def slots_of(limit: str, occupy: int, within_s: float) -> AsyncIterator[None]:
    """Hold so many slots of a global limit.

    Raises `DeskError` where the limit is gone since the run began, or no slots came free in `within_s`. A renewal that
    fails does not cut off what is under way: these limits spare REVER, and the ledger holds the promise without them.
    """
    taking = concurrency(
        limit,
        occupy=occupy,
        timeout_seconds=within_s,
        lease_duration=LEASE_S,
        strict=True,
        raise_on_lease_renewal_failure=False,
    )
    async with AsyncExitStack() as held:
        with _told_when_slow(limit):
            try:
                await held.enter_async_context(taking)
            except AcquireConcurrencySlotTimeoutError:
                raise DeskError(
                    f"no slot of the global limit {limit} came free in {within_s:.0f} s; nothing of this step was "
                    f"done; `prefect gcl inspect {limit}` says who holds them"
                ) from None
            except ConcurrencySlotAcquisitionError:
                raise DeskError(
                    f"no slot of the global limit {limit} could be taken: it is gone from Prefect's server, or the "
                    "server cannot be reached; nothing of this step was done; `rever-returns bootstrap` makes it again"
                ) from None
        yield


@contextmanager
def _told_when_slow(limit: str) -> Iterator[None]:
    """Without a line in the log a run that waits for slots looks as if it hung."""
    waits = f"waits for a slot of the global limit {limit}: other runs, or other stores of this one, hold them all"
    telling = asyncio.get_running_loop().call_later(SLOW_S, get_run_logger().info, waits)
    try:
        yield
    finally:
        telling.cancel()
