"""What executes runs on Prefect's server: its set-up, workers, and runs that wait for them in vain."""

from collections.abc import Sequence

from deployments.doctor.examination import Examination
from deployments.doctor.line import Line, attention, broken, not_used, ok
from deployments.doctor.prefect_api import MOST, client, used

SHOWN = 5
SET_UP = "Prefect set-up"

_BOOTSTRAP = "rever-returns bootstrap"


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
    return judged_set_up(to_make, to_change, len(changes), deployed=examination.deployed)


def judged_set_up(to_make: Sequence[str], to_change: Sequence[str], many: int, *, deployed: bool) -> Line:
    """One line from what is missing and what differs, of so many things. Pure."""
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
    """Each work pool of ours: there, not paused, and with a worker that lives."""
    used(examination)
    from prefect.client.schemas.objects import WorkerStatus

    from deployments.bootstrap.objects import POOLS

    lines = []
    async with client() as prefect:
        there = {each.name: each for each in await prefect.read_work_pools(limit=MOST)}
        for name in POOLS:
            alive = 0
            if name in there:
                workers = await prefect.read_workers_for_work_pool(name)
                alive = sum(worker.status is WorkerStatus.ONLINE for worker in workers)
            paused = name in there and bool(there[name].is_paused)
            lines.append(
                judged_pool(name, alive if name in there else None, paused=paused, deployed=examination.deployed)
            )
    return lines


def judged_pool(pool: str, alive: int | None, *, paused: bool, deployed: bool) -> Line:
    """One line from the number of workers that live (None: no such pool). Pure."""
    from deployments.bootstrap.objects import FAST_LANE

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

    from deployments.bootstrap.objects import POOLS

    async with client() as prefect:
        runs = await prefect.read_flow_runs(
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(name=FlowRunFilterStateName(any_=["Late"]))),
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=list(POOLS))),
            limit=MOST,
        )
    due = [run.expected_start_time for run in runs if run.expected_start_time]
    if not runs:
        return ok("late runs", "none")
    since = f", the oldest due since {min(due):%Y-%m-%d %H:%MZ}" if due else ""
    many = f"{len(runs)}{' or more' if len(runs) == MOST else ''}"
    return attention("late runs", f"{many}{since}", "start a worker, or more of them; see the work pools' lines")


def _workers(alive: int) -> str:
    return f"{alive} worker{'' if alive == 1 else 's'} alive"
