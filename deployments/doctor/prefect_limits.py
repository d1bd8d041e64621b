"""The global limits at Prefect's server: a run of a deployment begins nothing where one is missing."""

from collections.abc import Mapping

from deployments.doctor.examination import Examination
from deployments.doctor.line import Line, broken, not_used, ok
from deployments.doctor.prefect_api import client, used
from tasks.steps import global_limits

LIMITS = "global limits"


async def limits(examination: Examination) -> Line:
    """Every limit of the table of steps is there, and does what it is for."""
    used(examination)
    from tasks.global_limits import found_limits, problem

    async with client() as prefect:
        found = {limit.name: limit for limit in await found_limits(prefect)}
    problems = {name: why for name in global_limits() if (why := problem(found.get(name)))}
    slots = {name: limit.limit for name, limit in found.items()}
    return judged(problems, slots, deployed=examination.deployed)


def judged(problems: Mapping[str, str], slots: Mapping[str, int], *, deployed: bool) -> Line:
    """One line from what is wrong with which limit, and how many slots each has. Pure."""
    wanted = global_limits()
    if problems and not deployed and not set(wanted) & set(slots):
        return not_used(LIMITS, "none, and no flow of ours is deployed")
    if problems:
        words = ", ".join(f"{name} ({why})" for name, why in problems.items())
        return broken(LIMITS, f"{words}; runs of deployments begin nothing", "rever-returns bootstrap")
    other = [f"{name} {slots[name]} instead of {usual}" for name, usual in wanted.items() if slots[name] != usual]
    return ok(LIMITS, f"all {len(wanted)} there" + (f"; set by a person: {', '.join(other)}" if other else ""))
