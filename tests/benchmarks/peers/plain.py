"""asyncio and httpx, and nothing else: the limit that anything in Python over httpx is measured against.

What it does not promise: anything, once something goes wrong. It writes nothing down. Killed and started again it asks
REVER what is still running, so a refund whose answer was lost may be paid twice when REVER shows it late; two of it at
once pay everything twice; it retries nothing, has no caps, no holds, no rate limit and no trace of what it did.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import httpx

from rever_api import ClientConfig
from rever_api.base_client import utc_now
from rever_api.http import AsyncSender
from rever_api.messages import Request, read_json
from tests.benchmarks.peers.work import IN_FLIGHT, TIMEOUT_S, Target, due, page

Ask = Callable[..., Awaitable[Any]]
"""`ask(method, url, body)` returns the JSON of a 2xx."""


@asynccontextmanager
async def stock(target: Target) -> AsyncIterator[Ask]:
    """httpx as it comes, with a connection for each call in flight."""
    limits = httpx.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT)
    async with httpx.AsyncClient(timeout=TIMEOUT_S, limits=limits, trust_env=False) as client:

        async def ask(method: str, url: str, body: Mapping[str, Any] | None = None) -> Any:
            answer = await client.request(method, url, json=body, headers=target.headers)
            return answer.raise_for_status().json()

        yield ask


@asynccontextmanager
async def over_ours(target: Target) -> AsyncIterator[Ask]:
    """The transport of ours, without ours around it."""
    from pydantic import SecretStr

    config = ClientConfig(target.base_url, SecretStr(target.api_key), timeout=TIMEOUT_S, max_in_flight=IN_FLIGHT)
    sender = AsyncSender(config, utc_now)

    async def ask(method: str, url: str, body: dict[str, Any] | None = None) -> Any:
        answer = await sender.send(Request("plain", method, url, json=body))
        if not 200 <= answer.status < 300:
            raise answer.error()
        return read_json(answer.body)

    yield ask
    await sender.aclose()


async def run(target: Target, asking: Callable[[Target], Any]) -> int:
    """Refund all that is due; return how many that were."""
    async with asking(target) as ask:
        found = await _search(target, ask)
        waiting = iter(found)
        done = await asyncio.gather(*(_worker(target, ask, waiting) for _ in range(IN_FLIGHT)))
    return sum(done)


async def _search(target: Target, ask: Ask) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        told = await ask("GET", f"{target.base_url}/v1/processes?{urlencode(page(target, len(found)))}")
        found += told["processes"]
        if not told["processes"] or len(found) >= told["rowcount"]:
            return found


async def _worker(target: Target, ask: Ask, waiting: Iterator[dict[str, Any]]) -> int:
    done = 0
    for entry in waiting:
        url = f"{target.base_url}/v1/processes/{entry['rever_process_id']}"
        refund = due(await ask("GET", url))
        if refund is not None:
            await ask("POST", f"{url}/refunds", refund)
            done += 1
    return done
