"""asyncio and httpx, and nothing else: the limit that anything in Python over httpx is measured against.

What it does not promise: anything, once something goes wrong. It writes nothing down. Killed and started again it asks
REVER what is still running, so a refund whose answer was lost may be paid twice when REVER shows it late; two of it at
once pay everything twice; it retries nothing, has no caps, no holds, no rate limit and no trace of what it did.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx

from rever_api import ClientConfig
from rever_api.session import utc_now
from rever_api.transport import AsyncTransport
from tests.benchmarks.peers.work import IN_FLIGHT, TIMEOUT_S, Target, due, page


def stock_client() -> httpx.AsyncClient:
    """httpx as it comes, with a connection for each call in flight."""
    limits = httpx.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT)
    return httpx.AsyncClient(timeout=TIMEOUT_S, limits=limits, trust_env=False)


def our_client(target: Target) -> httpx.AsyncClient:
    """The client of ours, without ours around it: whatever transport it has."""
    from pydantic import SecretStr

    config = ClientConfig(target.base_url, SecretStr(target.api_key), timeout=TIMEOUT_S, max_in_flight=IN_FLIGHT)
    client = AsyncTransport(config, utc_now).client()
    client.timeout = httpx.Timeout(TIMEOUT_S)
    return client


async def run(target: Target, client: httpx.AsyncClient) -> int:
    """Refund all that is due; answers how many that were."""
    async with client:
        found = await _search(target, client)
        waiting = iter(found)
        done = await asyncio.gather(*(_worker(target, client, waiting) for _ in range(IN_FLIGHT)))
    return sum(done)


async def _search(target: Target, client: httpx.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        answer = await client.get(
            f"{target.base_url}/v1/processes", params=page(target, len(found)), headers=target.headers
        )
        told = answer.raise_for_status().json()
        found += told["processes"]
        if not told["processes"] or len(found) >= told["rowcount"]:
            return found


async def _worker(target: Target, client: httpx.AsyncClient, waiting: Iterator[dict[str, Any]]) -> int:
    done = 0
    for entry in waiting:
        url = f"{target.base_url}/v1/processes/{entry['rever_process_id']}"
        process = (await client.get(url, headers=target.headers)).raise_for_status().json()
        refund = due(process)
        if refund is not None:
            (await client.post(f"{url}/refunds", json=refund, headers=target.headers)).raise_for_status()
            done += 1
    return done
