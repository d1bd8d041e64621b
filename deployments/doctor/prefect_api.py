"""Prefect's server: reachable, whom it lets in, its version and its clock. Prefect is imported here and not before."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx

from deployments.doctor.clocks import judged, sample
from deployments.doctor.examination import Examination, NotChecked, NotUsed
from deployments.doctor.line import Line, attention, broken, not_used, ok
from flows.catalog import FLOWS
from tasks.settings import without_password

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

NAME = "Prefect API"
PATIENCE_S = 5.0
MOST = 200
"""So many of each kind of thing are read."""

_REFUSED = {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}
_START = "start it (rever-returns up, or prefect server start), or correct PREFECT_API_URL, which ends with /api"
_AUTH = "set PREFECT_API_AUTH_STRING to what the server has in PREFECT_SERVER_API_AUTH_STRING"


async def api(examination: Examination) -> Line:
    """The server answers, lets us in, and is of a version that goes with this one."""
    from prefect.settings import get_current_settings

    url = get_current_settings().api.url
    if not url:
        return not_used(NAME, "no PREFECT_API_URL: a run brings up a server of its own, or does without (--no-prefect)")
    examination.prefect_url = without_password(url)
    asked_at = examination.clock()
    try:
        async with client() as prefect:
            answer = await prefect.hello()
            examination.prefect_samples += sample(answer.headers.get("date"), asked_at, examination.clock())
            theirs, ours = await prefect.api_version(), prefect.client_version()
            deployments = {each.name for each in await prefect.read_deployments(limit=MOST)}
    except httpx.HTTPStatusError as refused:
        return _refusal(refused.response.status_code, examination.prefect_url)
    except httpx.HTTPError as failed:
        return broken(NAME, f"{examination.prefect_url} does not answer ({type(failed).__name__})", _START)
    examination.prefect_answers, examination.deployed = True, bool(deployments & set(FLOWS))
    return versions(theirs, ours, examination.prefect_url)


def versions(theirs: str, ours: str, url: str) -> Line:
    """What the two versions mean: a server may be newer, but not older, and its first two numbers are ours. Pure."""
    found = f"{url} answers, Prefect {theirs}"
    if _numbers(theirs)[:2] != _numbers(ours)[:2]:
        return broken(
            NAME, f"{found}; here it is {ours}", f"run the server with Prefect {ours}; other versions are not tried"
        )
    if _numbers(theirs) < _numbers(ours):
        return attention(NAME, f"{found}; here it is {ours}", "upgrade the server first, then what executes runs")
    return ok(NAME, found)


async def clock(examination: Examination) -> Line:
    """Its clock against ours: schedules go by it."""
    used(examination)
    if not examination.prefect_samples:
        raise NotChecked("Prefect's answers carry no date")
    return judged("clock of Prefect", "the Prefect server's", examination.prefect_samples)


def used(examination: Examination) -> None:
    """Raise `NotUsed` where no server is set up, `NotChecked` where it cannot be asked."""
    if examination.prefect_url is None:
        raise NotUsed
    if not examination.prefect_answers:
        raise NotChecked("Prefect's server cannot be asked")


@asynccontextmanager
async def client() -> "AsyncIterator[PrefectClient]":
    """A client of the server at PREFECT_API_URL, with little patience and without trying again."""
    from prefect import get_client
    from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
        async with get_client(httpx_settings={"timeout": PATIENCE_S}) as prefect:
            yield prefect


def _refusal(status: int, url: str) -> Line:
    if status in _REFUSED:
        return broken(NAME, f"{url} does not let us in (HTTP {status})", _AUTH)
    return broken(NAME, f"{url} answers with HTTP {status}: this is no Prefect API", _START)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
