"""`rever-returns bootstrap`: set a Prefect server up, or say what would be done."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import get_current_settings
from pydantic import SecretStr

from deployments.bootstrap.automations import automations, notices
from deployments.bootstrap.deployments import PREFECT_FILE, deployments, read_entries
from deployments.bootstrap.objects import BootstrapError, Change, Outcome, blocks, limits, pools, variables
from deployments.console.errors import print_out
from tasks.settings import load_notices_url, without_password

LOOK_EVERY_S, ONE_LOOK_S = 0.5, 5.0


def bootstrap_server(*, check: bool, wait_s: float, file: Path | None) -> int:
    """Set the server at `PREFECT_API_URL` up and print each thing. Returns the exit code: 1 if `check` found any to do.

    Raises as `bootstrap` does, and `BootstrapError` where no server responds in `wait_s` seconds.
    """
    changes = asyncio.run(_bootstrap(check=check, wait_s=wait_s, file=file or PREFECT_FILE))
    for change in changes:
        print_out(change.line(check=check))
    count = Counter(change.outcome for change in changes)
    made, changed, left = (count[outcome] for outcome in Outcome)
    if check:
        print_out(f"{made} to make, {changed} to change, {left} as they should be")
    else:
        print_out(f"{made} made, {changed} changed, {left} left")
    return 1 if check and made + changed else 0


async def _bootstrap(*, check: bool, wait_s: float, file: Path) -> list[Change]:
    async with server(wait_s) as client:
        return await bootstrap(client, check=check, file=file)


async def bootstrap(
    client: PrefectClient, *, check: bool = False, file: Path = PREFECT_FILE, notices_url: SecretStr | None = None
) -> list[Change]:
    """Set the server up, or with `check` only find what would be done. Removes nothing; a second time changes nothing.

    Notices go to `notices_url`, by default `REVER_NOTICES_URL`. Raises `BootstrapError` for what is on the server,
    `PrefectFileError` for the file of the deployments, and `SettingsError`.
    """
    url = load_notices_url() if notices_url is None else notices_url
    # What a thing needs comes before it.
    changes, values = await variables(client, check=check)
    entries = read_entries(file, values)
    changes += await pools(client, check=check)
    changes += await limits(client, check=check)
    changes += await blocks(client, check=check)
    sending = await notices(client, url, check=check)
    changes += sending.changes
    changes += await automations(client, sending, check=check)
    changes += await deployments(client, entries, check=check)
    return changes


@asynccontextmanager
async def server(wait_s: float) -> AsyncIterator[PrefectClient]:
    """A client of the server at PREFECT_API_URL, once it responds. Raises `BootstrapError` after `wait_s` seconds."""
    url = get_current_settings().api.url
    if not url:
        raise BootstrapError(
            "PREFECT_API_URL is not set: bootstrap sets up a Prefect server that keeps running. "
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
            f"the Prefect server at {without_password(url)} went away ({type(failed).__name__}): run bootstrap again"
        ) from None


async def _answers(url: str, wait_s: float) -> None:
    until = time.monotonic() + wait_s
    found = "no response"
    async with httpx.AsyncClient(timeout=ONE_LOOK_S) as http:
        while True:
            try:
                status = (await http.get(f"{url.rstrip('/')}/health")).status_code
                if status in {httpx.codes.OK, httpx.codes.UNAUTHORIZED}:
                    return  # a wrong password is explained below
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
    response = refused.response
    if response.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        return (
            f"the Prefect server at {without_password(url)} refuses us (HTTP {response.status_code}): set "
            "PREFECT_API_AUTH_STRING to what the server has in PREFECT_SERVER_API_AUTH_STRING"
        )
    request = response.request
    return f"Prefect's server responded to {request.method} {request.url.path} with HTTP {response.status_code}"
