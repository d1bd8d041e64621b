"""A Prefect project as the tutorials write it: sync tasks, one per step and return, mapped; a tag limit for the API.

What it does not promise: that a return is refunded once. A run that is killed and started again pays what was under way
a second time (Prefect's task states and caches do not prevent that), two runs at once pay everything twice, and an
answer that was lost is retried. What it gives is each step of each return on Prefect's screen.
"""

from functools import cache
from typing import Any

import httpx
from prefect import flow, get_client, task
from prefect.task_runners import ThreadPoolTaskRunner

from tests.benchmarks.peers.work import IN_FLIGHT, TIMEOUT_S, Target, due, page

TAG = "rever-api"


@cache
def client() -> httpx.Client:
    """One client for all threads, as httpx advises."""
    target = Target.of_environment()
    limits = httpx.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT)
    return httpx.Client(
        base_url=target.base_url, headers=target.headers, timeout=TIMEOUT_S, limits=limits, trust_env=False
    )


@task(retries=2, retry_delay_seconds=1)
def search_returns(offset: int) -> list[str]:
    """One page of ids."""
    answer = client().get("/v1/processes", params=page(Target.of_environment(), offset))
    return [entry["rever_process_id"] for entry in answer.raise_for_status().json()["processes"]]


@task(retries=2, retry_delay_seconds=1, tags={TAG})
def read_return(process_id: str) -> dict[str, Any]:
    """One return."""
    process: dict[str, Any] = client().get(f"/v1/processes/{process_id}").raise_for_status().json()
    return process


@task
def decide_refund(process: dict[str, Any]) -> dict[str, Any] | None:
    """The refund that is due."""
    return due(process)


@task(tags={TAG})
def issue_refund(process_id: str, refund: dict[str, Any] | None) -> bool:
    """Pay it."""
    if refund is None:
        return False
    client().post(f"/v1/processes/{process_id}/refunds", json=refund).raise_for_status()
    return True


@flow(task_runner=ThreadPoolTaskRunner(max_workers=IN_FLIGHT))  # type: ignore[arg-type]
def process_returns() -> int:
    """Search, then map each step over all returns."""
    ids: list[str] = []
    while found := search_returns(len(ids)):
        ids += found
    processes = read_return.map(ids)
    refunds = decide_refund.map(processes)
    return sum(issue_refund.map(ids, refunds).result())


async def limit_tag() -> None:
    """What one does by hand, once: `prefect concurrency-limit create rever-api 8`."""
    async with get_client() as client:
        await client.create_concurrency_limit(tag=TAG, concurrency_limit=IN_FLIGHT)
