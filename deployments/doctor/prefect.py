"""Prefect: its server, whom it lets in, its clock; what bootstrap made; and whether something executes runs.

Prefect is imported inside the checks: without a server it is not needed.
"""

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address
from socket import AF_INET, AF_INET6
from typing import TYPE_CHECKING, Any

import httpx

from deployments.doctor.examination import (
    Examination,
    Line,
    NotChecked,
    NotUsed,
    attention,
    broken,
    clock_line,
    not_used,
    ok,
)
from deployments.work_pools import FAST_LANE, POOL
from flows.catalog import FLOWS
from rever_api.config import is_loopback
from rever_api.messages import sample
from tasks.desk import DeskError
from tasks.policy.clocks import clock_time
from tasks.settings import Settings, SettingsError, load_settings, without_password
from tasks.steps import global_limits

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

API, PASSWORD, SET_UP, LIMITS = "Prefect API", "Prefect password", "Prefect set-up", "global limits"
SCHEDULES = "schedules"
"""The names of lines."""

PATIENCE_S = 5.0
MOST = 200
"""How many of each kind of thing are read."""

SHOWN = 5
"""How many of a list of things a line names."""

_ANOTHER_PAGE = "https://another-page.invalid"
_NEAR_S = 1.0
"""Seconds for a request to this machine."""

_BOOTSTRAP = "rever-returns bootstrap"
_PASSWORD = (
    "set PREFECT_SERVER_API_AUTH_STRING=user:password for the server and PREFECT_API_AUTH_STRING for all who ask it"  # noqa: S105
    " (rever-returns up does both): docs/running.md"
)
_PROXY = "put a proxy with TLS before it: docs/running.md"
_REFUSED = {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}
_START = (
    "start it (rever-returns up, or python -m deployments.prefect_process server start), or correct PREFECT_API_URL,"
    " which ends with /api"
)
_AUTH = "set PREFECT_API_AUTH_STRING to what the server has in PREFECT_SERVER_API_AUTH_STRING"


async def api(examination: Examination) -> Line:
    """The server responds, lets us in, and has a version that fits this one."""
    from prefect.settings import get_current_settings

    url = get_current_settings().api.url
    if not url:
        return not_used(API, "no PREFECT_API_URL: a run brings up a server of its own, or does without (--no-prefect)")
    examination.prefect_url = without_password(url)
    asked_at = examination.clock()
    try:
        async with client() as prefect:
            response = await prefect.hello()
            examination.prefect_samples += sample(response.headers.get("date"), asked_at, examination.clock())
            theirs, ours = await prefect.api_version(), prefect.client_version()
            deployments = {each.name for each in await prefect.read_deployments(limit=MOST)}
    except httpx.HTTPStatusError as refused:
        return _refusal(refused.response.status_code, examination.prefect_url)
    except httpx.HTTPError as failed:
        return broken(API, f"{examination.prefect_url} does not respond ({type(failed).__name__})", _START)
    examination.prefect_answers, examination.deployed = True, bool(deployments & set(FLOWS))
    return version_line(theirs, ours, examination.prefect_url)


def version_line(theirs: str, ours: str, url: str) -> Line:
    """What the two versions mean: a server may be newer, not older, and its first two numbers are ours. Pure."""
    found = f"{url} responds, Prefect {theirs}"
    if _numbers(theirs)[:2] != _numbers(ours)[:2]:
        return broken(
            API, f"{found}; here it is {ours}", f"run the server with Prefect {ours}; other versions are not tried"
        )
    if _numbers(theirs) < _numbers(ours):
        return attention(API, f"{found}; here it is {ours}", "upgrade the server first, then what executes runs")
    return ok(API, found)


async def password(examination: Examination) -> Line:
    """Its API asks for a password: whoever gets in may start runs, and a run can execute any command."""
    used(examination)
    from prefect.settings import get_current_settings

    url = httpx.URL(str(get_current_settings().api.url)).copy_with(username=None, password=None)
    local = is_loopback(str(url))
    try:
        # Any response will do: this address needs the password, if there is one.
        async with httpx.AsyncClient(timeout=PATIENCE_S, trust_env=not local) as http:
            asked = await http.get(f"{str(url).rstrip('/')}/admin/version", headers={"Origin": _ANOTHER_PAGE})
            outside = await _outside(http, url) if local and asked.is_success else ""
    except httpx.HTTPError as failed:
        raise NotChecked(f"without a password it does not respond ({type(failed).__name__})") from None
    pages = asked.headers.get("access-control-allow-origin") in {"*", _ANOTHER_PAGE}
    return password_line(asked.status_code, local=local, outside=outside, pages=pages, encrypted=url.scheme == "https")


def password_line(status: int, *, local: bool, outside: str, pages: bool, encrypted: bool) -> Line:
    """What the response to a request without a password means. Pure.

    `outside` is an address other than loopback at which the server responds too; `pages`: any web page may read its
    responses.
    """
    if status in _REFUSED:
        if not (local or encrypted):
            return attention(PASSWORD, "asked for, and sent over the network in clear", _PROXY)
        return ok(PASSWORD, "asked for")
    if status != httpx.codes.OK:
        raise NotChecked(f"without a password it responds with HTTP {status}")
    words = "not asked for: whoever reaches the server may start runs, which run code on the workers, and read blocks"
    if not local or outside:
        return broken(PASSWORD, words + (f"; it responds at {outside} too" if outside else ""), _PASSWORD)
    return attention(PASSWORD, words + (", and so may any web page open in a browser here" if pages else ""), _PASSWORD)


async def _outside(http: httpx.AsyncClient, url: httpx.URL) -> str:
    """An address of this machine, not loopback, at which Prefect responds on the same port; "" if there is none."""
    import psutil

    found = [each for those in psutil.net_if_addrs().values() for each in those]
    for address in (each.address for each in found if each.family in {AF_INET, AF_INET6} and "%" not in each.address):
        if ip_address(address).is_loopback:
            continue
        there = url.copy_with(host=address)
        with suppress(httpx.HTTPError):
            response = await http.get(f"{str(there).rstrip('/')}/health", timeout=_NEAR_S)
            if response.is_success and response.text == "true":
                return str(there)
    return ""


async def clock(examination: Examination) -> Line:
    """Its clock against ours: it decides when scheduled runs begin."""
    used(examination)
    if not examination.prefect_samples:
        raise NotChecked("Prefect's responses carry no date")
    return clock_line("clock of Prefect", "the Prefect server's", examination.prefect_samples)


def used(examination: Examination) -> None:
    """Raise `NotUsed` if no server is set up, `NotChecked` if it does not respond."""
    if examination.prefect_url is None:
        raise NotUsed
    if not examination.prefect_answers:
        raise NotChecked("Prefect's server cannot be asked")


@asynccontextmanager
async def client() -> "AsyncIterator[PrefectClient]":
    """A client of the server at PREFECT_API_URL, with a short timeout and without retries."""
    from prefect import get_client
    from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
        async with get_client(httpx_settings={"timeout": PATIENCE_S}) as prefect:
            yield prefect


def _refusal(status: int, url: str) -> Line:
    if status in _REFUSED:
        return broken(API, f"{url} does not let us in (HTTP {status})", _AUTH)
    return broken(API, f"{url} responds with HTTP {status}: this is no Prefect API", _START)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


async def set_up(examination: Examination) -> Line:
    """What bootstrap would make or change: pools, automations, deployments and the rest. Nothing is done."""
    used(examination)
    from deployments.bootstrap import BootstrapError, Outcome, PrefectFileError, bootstrap

    async with client() as prefect:
        try:
            changes = await bootstrap(prefect, check=True)
        except (BootstrapError, PrefectFileError) as error:
            return broken(SET_UP, str(error), f"mend it, then {_BOOTSTRAP}")
    to_make = [each.what for each in changes if each.outcome is Outcome.MADE]
    to_change = [f"{each.what} ({each.words})" for each in changes if each.outcome is Outcome.CHANGED]
    return set_up_line(to_make, to_change, len(changes), deployed=examination.deployed)


def set_up_line(to_make: Sequence[str], to_change: Sequence[str], many: int, *, deployed: bool) -> Line:
    """One line from what is missing and what differs, of `many` things. Pure."""
    if to_make and not deployed:
        return not_used(SET_UP, f"no flow of ours is deployed; `{_BOOTSTRAP}` does it")
    words = [f"missing: {_some(to_make)}"] if to_make else []
    words += [f"differs: {_some(to_change)}"] if to_change else []
    if words:
        return attention(SET_UP, "; ".join(words), f"{_BOOTSTRAP}; first see what it would do: {_BOOTSTRAP} --check")
    return ok(SET_UP, f"all {many} things as bootstrap makes them")


def _some(found: Sequence[str]) -> str:
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(found[:SHOWN]) + more


async def pools(examination: Examination) -> list[Line]:
    """Each of our work pools: there, not paused, and with a live worker."""
    used(examination)
    from prefect.client.schemas.objects import WorkerStatus

    lines = []
    async with client() as prefect:
        there = {each.name: each for each in await prefect.read_work_pools(limit=MOST)}
        for name in (POOL, FAST_LANE):
            alive = 0
            if name in there:
                workers = await prefect.read_workers_for_work_pool(name)
                alive = sum(worker.status is WorkerStatus.ONLINE for worker in workers)
            paused = name in there and bool(there[name].is_paused)
            lines.append(
                pool_line(name, alive if name in there else None, paused=paused, deployed=examination.deployed)
            )
    return lines


def pool_line(pool: str, alive: int | None, *, paused: bool, deployed: bool) -> Line:
    """One line from the number of live workers (None: no such pool). Pure."""
    name = f"work pool {pool}"
    start = "rever-returns lane" if pool == FAST_LANE else f"prefect worker start --pool {pool}"
    if alive is None and not deployed:
        return not_used(name, "not made, and no flow of ours is deployed")
    if alive is None:
        return broken(name, "not made", _BOOTSTRAP)
    if paused:
        return attention(name, f"paused; {_workers(alive)}", f"prefect work-pool resume {pool}")
    if not alive:
        return broken(name, "no worker lives: what is scheduled there is not executed", f"{start}, or rever-returns up")
    return ok(name, _workers(alive))


async def schedules(examination: Examination) -> Line | list[Line]:
    """Schedules that are paused or bring no runs, and queues that are paused; the pools have lines of their own."""
    used(examination)
    from tasks.in_prefect.quiet import INTERVALS, Where, read_quiet

    if not examination.deployed:
        raise NotUsed
    async with client() as prefect:
        found = [each for each in await read_quiet(prefect, examination.clock()) if each.where is not Where.POOL]
    if not found:
        return ok(SCHEDULES, f"none is paused, and each has brought a run within {INTERVALS} of its intervals")
    return [attention(f"{each.where}s", each.words, each.to_do) for each in found]


async def late(examination: Examination) -> Line:
    """Runs that should have begun and wait for a worker."""
    used(examination)
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateName,
        WorkPoolFilter,
        WorkPoolFilterName,
    )

    async with client() as prefect:
        runs = await prefect.read_flow_runs(
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(name=FlowRunFilterStateName(any_=["Late"]))),
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL, FAST_LANE])),
            limit=MOST,
        )
    due = [run.expected_start_time for run in runs if run.expected_start_time]
    if not runs:
        return ok("late runs", "none")
    since = f", the oldest due since {clock_time(min(due))}" if due else ""
    many = f"{len(runs)}{' or more' if len(runs) == MOST else ''}"
    return attention("late runs", f"{many}{since}", "start a worker, or more of them; see the work pools' lines")


def _workers(alive: int) -> str:
    return f"{alive} worker{'' if alive == 1 else 's'} alive"


async def limits(examination: Examination) -> Line:
    """Every global limit of the table of steps can be used: without one, runs of deployments begin nothing."""
    used(examination)
    from tasks.in_prefect.global_limits import found_limits, problem

    async with client() as prefect:
        found = {limit.name: limit for limit in await found_limits(prefect)}
    problems = {name: why for name in global_limits() if (why := problem(found.get(name)))}
    slots = {name: limit.limit for name, limit in found.items()}
    return limits_line(problems, slots, deployed=examination.deployed)


def limits_line(problems: Mapping[str, str], slots: Mapping[str, int], *, deployed: bool) -> Line:
    """One line from what is wrong with which limit, and how many slots each has. Pure."""
    wanted = global_limits()
    if problems and not deployed and not set(wanted) & set(slots):
        return not_used(LIMITS, "none, and no flow of ours is deployed")
    if problems:
        words = ", ".join(f"{name} ({why})" for name, why in problems.items())
        return broken(LIMITS, f"{words}; runs of deployments begin nothing", "rever-returns bootstrap")
    other = [f"{name} {slots[name]} instead of {usual}" for name, usual in wanted.items() if slots[name] != usual]
    return ok(LIMITS, f"all {len(wanted)} there" + (f"; set by a person: {', '.join(other)}" if other else ""))


async def blocks(examination: Examination) -> list[Line]:
    """One line for each credentials block that our deployments name: readable, and with settings that fit together."""
    used(examination)
    async with client() as prefect:
        flows = {each.id for each in await prefect.read_flows(limit=MOST) if each.name in FLOWS}
        deployments = await prefect.read_deployments(limit=MOST)
        names = named_blocks(each.parameters for each in deployments if each.flow_id in flows)
        return [await block_line(name) for name in names]


def named_blocks(forms: Iterable[Mapping[str, Any]]) -> list[str]:
    """The blocks that the parameters of deployments name, each once. Pure."""
    inner = [form.get("parameters") for form in forms]
    found = {str(form["credentials"]) for form in inner if isinstance(form, Mapping) and form.get("credentials")}
    return sorted(found)


async def settings_of(name: str) -> Settings:
    """The settings, with what this block states in place of the environment. Raises `DeskError`, `SettingsError`."""
    from prefect.settings import get_current_settings

    from tasks.in_prefect.credentials import stated_by

    if not get_current_settings().api.url:  # else Prefect would bring up a server, and write
        raise DeskError(f"the credentials block {name!r} is kept by a Prefect server, and PREFECT_API_URL is not set")
    try:
        stated = await stated_by(name)
    except httpx.HTTPError as failed:
        raise DeskError(
            f"the credentials block {name!r} cannot be read: Prefect's server refuses or does not respond"
            f" ({type(failed).__name__})"
        ) from None
    return load_settings(overrides=stated, source=f"credentials block {name!r}")


async def block_line(name: str) -> Line:
    """Whether the settings fit together with what this block states in place of the environment."""
    line = f"credentials {name}"
    try:
        settings = await settings_of(name)
    except DeskError as error:
        return broken(line, str(error), "Prefect's UI, under Blocks")
    except SettingsError as error:
        return broken(line, " ".join(error.problems), "correct the block in Prefect's UI, under Blocks")
    whose = ", ".join(settings.stores) or f"group {settings.group}"
    return ok(line, f"{settings.base_url}, {whose}; look at it whole with --credentials {name}")
