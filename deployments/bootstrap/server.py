"""Wait for the Prefect server, and say in a sentence why it cannot be used."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import get_current_settings

from deployments.bootstrap.errors import BootstrapError
from tasks.settings import without_password

LOOK_EVERY_S = 0.5
ONE_LOOK_S = 5.0


@asynccontextmanager
async def server(wait_s: float) -> AsyncIterator[PrefectClient]:
    """A client of the server at PREFECT_API_URL, once it answers. Raises `BootstrapError` after `wait_s` seconds."""
    url = get_current_settings().api.url
    if not url:
        raise BootstrapError(
            "PREFECT_API_URL is not set: bootstrap sets up a Prefect server that keeps running, and there is none. "
            "Start one with `python -m deployments.prefect_process server start` and set PREFECT_API_URL=http://127.0.0.1:4200/api"
        )
    await _answers(url, wait_s)
    try:
        async with get_client() as client:
            await client.read_work_pools(limit=1)
            yield client
    except PrefectHTTPStatusError as refused:
        raise BootstrapError(_refusal(refused, url)) from None
    except httpx.TransportError as failed:
        raise BootstrapError(
            f"the Prefect server at {without_password(url)} went away ({type(failed).__name__}): say bootstrap again"
        ) from None


async def _answers(url: str, wait_s: float) -> None:
    until = time.monotonic() + wait_s
    found = "no answer"
    async with httpx.AsyncClient(timeout=ONE_LOOK_S) as http:
        while True:
            try:
                status = (await http.get(f"{url.rstrip('/')}/health")).status_code
                if status in {httpx.codes.OK, httpx.codes.UNAUTHORIZED}:
                    return  # who is refused here is refused below, in words
                found = f"HTTP {status}"
            except httpx.HTTPError as failed:
                found = type(failed).__name__
            if time.monotonic() >= until:
                raise BootstrapError(
                    f"no Prefect server at {without_password(url)} after {wait_s:g} s ({found}): "
                    "start it with `python -m deployments.prefect_process server start`, or correct PREFECT_API_URL"
                    " (it ends with /api)"
                )
            await asyncio.sleep(LOOK_EVERY_S)


def _refusal(refused: PrefectHTTPStatusError, url: str) -> str:
    answer = refused.response
    if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        return (
            f"the Prefect server at {without_password(url)} refuses us (HTTP {answer.status_code}): set "
            "PREFECT_API_AUTH_STRING to what the server has in PREFECT_SERVER_API_AUTH_STRING"
        )
    request = answer.request
    return f"Prefect's server answered {request.method} {request.url.path} with HTTP {answer.status_code}"
