"""Prefect's server: reachable, whom it lets in, its version and its clock. Prefect is imported here and not before."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address
from socket import AF_INET, AF_INET6
from typing import TYPE_CHECKING

import httpx

from deployments.doctor.clocks import judged
from deployments.doctor.examination import Examination, NotChecked, NotUsed
from deployments.doctor.line import Line, attention, broken, not_used, ok
from flows.catalog import FLOWS
from rever_api.other_clock import sample
from tasks.settings import without_password
from tasks.settings.addresses import is_loopback

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

NAME = "Prefect API"
PATIENCE_S = 5.0
MOST = 200
"""So many of each kind of thing are read."""

PASSWORD = "Prefect password"  # noqa: S105 - the name of a line
_ANOTHER_PAGE = "https://another-page.invalid"
_NEAR_S = 1.0
_PASSWORD = (
    "set PREFECT_SERVER_API_AUTH_STRING=user:password for the server and PREFECT_API_AUTH_STRING for all who ask it"  # noqa: S105
    " (rever-returns up does by itself): docs/running.md"
)
_PROXY = "put a proxy with TLS before it: docs/running.md"
_REFUSED = {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}
_START = (
    "start it (rever-returns up, or python -m deployments.prefect_process server start), or correct PREFECT_API_URL,"
    " which ends with /api"
)
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


async def password(examination: Examination) -> Line:
    """Its API asks for a password: who gets in may start runs, and a run executes what it is told to."""
    used(examination)
    from prefect.settings import get_current_settings

    url = httpx.URL(str(get_current_settings().api.url)).copy_with(username=None, password=None)
    local = is_loopback(str(url))
    try:
        # Any answer tells: what is asked for needs the password, where there is one.
        async with httpx.AsyncClient(timeout=PATIENCE_S, trust_env=not local) as http:
            asked = await http.get(f"{str(url).rstrip('/')}/admin/version", headers={"Origin": _ANOTHER_PAGE})
            outside = await _outside(http, url) if local and asked.is_success else ""
    except httpx.HTTPError as failed:
        raise NotChecked(f"without a password it does not answer ({type(failed).__name__})") from None
    pages = asked.headers.get("access-control-allow-origin") in {"*", _ANOTHER_PAGE}
    return door(asked.status_code, local=local, outside=outside, pages=pages, encrypted=url.scheme == "https")


def door(status: int, *, local: bool, outside: str, pages: bool, encrypted: bool) -> Line:
    """What the answer to one who has no password means. Pure.

    `outside` is an address other than loopback at which it answers too; `pages`: any web page may read its answers.
    """
    if status in _REFUSED:
        if not (local or encrypted):
            return attention(PASSWORD, "asked for, and sent over the network in clear", _PROXY)
        return ok(PASSWORD, "asked for")
    if status != httpx.codes.OK:
        raise NotChecked(f"without a password it answers with HTTP {status}")
    words = "not asked for: whoever reaches the server may start runs, which run code on the workers, and read blocks"
    if not local or outside:
        return broken(PASSWORD, words + (f"; it answers at {outside} too" if outside else ""), _PASSWORD)
    return attention(PASSWORD, words + (", and so may any web page open in a browser here" if pages else ""), _PASSWORD)


async def _outside(http: httpx.AsyncClient, url: httpx.URL) -> str:
    """An address of this machine other than loopback at which the same port answers, as Prefect's does; "" if none."""
    import psutil

    found = [each for those in psutil.net_if_addrs().values() for each in those]
    for address in (each.address for each in found if each.family in {AF_INET, AF_INET6} and "%" not in each.address):
        if ip_address(address).is_loopback:
            continue
        there = url.copy_with(host=address)
        with suppress(httpx.HTTPError):
            answer = await http.get(f"{str(there).rstrip('/')}/health", timeout=_NEAR_S)
            if answer.is_success and answer.text == "true":
                return str(there)
    return ""


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
