"""asyncio and an HTTP client, and nothing else: the limit that anything in Python over that client is measured against.

What it does not promise: anything, once something goes wrong. It writes nothing down. Killed and started again it asks
REVER what is still running, so a refund whose answer was lost may be paid twice when REVER shows it late; two of it at
once pay everything twice; it retries nothing, has no caps, no holds, no rate limit and no trace of what it did.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx

from tests.benchmarks.peers.work import IN_FLIGHT, TIMEOUT_S, Target, due, page

Call = Callable[..., Awaitable[dict[str, Any]]]
"""Sends a request (method, URL; `params`, `json`) and answers its JSON; raises for any status but 2xx."""


@asynccontextmanager
async def over_httpx(target: Target) -> AsyncIterator[Call]:
    """httpx as it comes, with a connection for each call in flight."""
    limits = httpx.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT)
    async with httpx.AsyncClient(timeout=TIMEOUT_S, limits=limits, trust_env=False, headers=target.headers) as client:

        async def call(method: str, url: str, **what: Any) -> dict[str, Any]:
            told: dict[str, Any] = (await client.request(method, url, **what)).raise_for_status().json()
            return told

        yield call


@asynccontextmanager
async def over_ours(target: Target) -> AsyncIterator[Call]:
    """The session of our transport, without ours around it."""
    from pydantic import SecretStr

    from rever_api import ClientConfig
    from rever_api.async_transport import AsyncTransport, Sending
    from rever_api.session import utc_now

    config = ClientConfig(target.base_url, SecretStr(target.api_key), timeout=TIMEOUT_S, max_in_flight=IN_FLIGHT)
    transport = AsyncTransport(config, utc_now)
    session = transport.session()

    async def call(method: str, url: str, **what: Any) -> dict[str, Any]:
        how = {"headers": target.headers, "trace_request_ctx": Sending(), **what}
        async with session.request(method, url, **how) as answer:
            answer.raise_for_status()
            told: dict[str, Any] = await answer.json()
            return told

    try:
        yield call
    finally:
        await transport.aclose()


async def run(target: Target, over: Callable[[Target], AbstractAsyncContextManager[Call]]) -> int:
    """Refund all that is due; answers how many that were."""
    async with over(target) as call:
        waiting = iter(await _search(target, call))
        done = await asyncio.gather(*(_worker(target, call, waiting) for _ in range(IN_FLIGHT)))
    return sum(done)


async def _search(target: Target, call: Call) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        told = await call("GET", f"{target.base_url}/v1/processes", params=page(target, len(found)))
        found += told["processes"]
        if not told["processes"] or len(found) >= told["rowcount"]:
            return found


async def _worker(target: Target, call: Call, waiting: Iterator[dict[str, Any]]) -> int:
    done = 0
    for entry in waiting:
        url = f"{target.base_url}/v1/processes/{entry['rever_process_id']}"
        refund = due(await call("GET", url))
        if refund is not None:
            await call("POST", f"{url}/refunds", json=refund)
            done += 1
    return done
