"""Global limits: how much of each step runs at a time over all processes. Runs of deployments begin nothing without."""

from functools import partial

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, GlobalConcurrencyLimitUpdate
from prefect.client.schemas.responses import GlobalConcurrencyLimitResponse

from deployments.bootstrap.change import Change, put
from tasks.in_prefect.global_limits import found_limits, problem
from tasks.steps import global_limits


async def limits(client: PrefectClient, *, check: bool) -> list[Change]:
    """Each limit of the table of steps. How many slots it has is a person's from then on.

    One with which no run would begin is mended: not active, without a slot, or with slots that come free by themselves.
    """
    found = {limit.name: limit for limit in await found_limits(client)}
    return [await _limit(client, name, slots, found.get(name), check=check) for name, slots in global_limits().items()]


async def _limit(
    client: PrefectClient, name: str, slots: int, found: GlobalConcurrencyLimitResponse | None, *, check: bool
) -> Change:
    wrong = problem(found) if found else ""
    fresh = GlobalConcurrencyLimitCreate(name=name, limit=slots, active=True, slot_decay_per_second=0)
    usable = found.limit if found and found.limit > 0 else slots
    mended = GlobalConcurrencyLimitUpdate(limit=usable, active=True, slot_decay_per_second=0)
    return await put(
        f"global limit {name}",
        check=check,
        there=found is not None,
        differs=[wrong] if wrong else [],
        left=f"{found.limit} slots, set by a person" if found and found.limit != slots else "",
        make=partial(client.create_global_concurrency_limit, fresh),
        mend=partial(client.update_global_concurrency_limit, name, mended),
    )
