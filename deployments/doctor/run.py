"""All checks in their order, one after the other: what comes first is what the others build on."""

import asyncio
from collections.abc import Sequence

from deployments.doctor import (
    ledger,
    modes,
    prefect_api,
    prefect_blocks,
    prefect_limits,
    prefect_work,
    rever,
    settings,
    stores,
    webhook,
)
from deployments.doctor.examination import Examination, Named, looked
from deployments.doctor.line import Line

CHECKS = (
    Named("settings", settings.settings),
    Named("endpoints", settings.endpoints),
    Named("REVER", rever.reachable),
    Named("API key", rever.api_key),
    Named("stores", stores.stores, seconds=60),
    Named("policy file", settings.policy),
    Named(modes.NAME, modes.modes),
    Named("rate", rever.rate, seconds=30),
    Named("clock of REVER", rever.clock),
    Named("ledger", ledger.ledger, seconds=15),
    Named("ledger check", ledger.consistency, seconds=60),
    Named("stop switch", ledger.stop_switch),
    Named("restore", ledger.restore),
    Named("another desk", ledger.other_desk),
    Named("paused stores", ledger.pauses),
    Named("open holds", ledger.holds),
    Named(prefect_api.NAME, prefect_api.api, seconds=20),
    Named(prefect_api.PASSWORD, prefect_api.password, seconds=20),
    Named("clock of Prefect", prefect_api.clock),
    Named(prefect_work.SET_UP, prefect_work.set_up, seconds=30),
    Named(prefect_limits.LIMITS, prefect_limits.limits),
    Named("credentials", prefect_blocks.blocks),
    Named("work pools", prefect_work.pools),
    Named("late runs", prefect_work.late),
    Named("webhook secret", webhook.secret),
    Named("receiver", webhook.receiver),
    Named("inbox", webhook.inbox),
)


def examine(checks: Sequence[Named] = CHECKS, examination: Examination | None = None) -> list[Line]:
    """Make all checks; answers their lines. Writes nothing, and raises nothing."""
    return asyncio.run(_examine(checks, examination or Examination()))


async def _examine(checks: Sequence[Named], examination: Examination) -> list[Line]:
    return [line for named in checks for line in await looked(named, examination)]
