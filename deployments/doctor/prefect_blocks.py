"""The credentials blocks that our deployments name: there, readable, and with settings that fit together."""

from collections.abc import Iterable, Mapping
from typing import Any

import httpx

from deployments.doctor.examination import Examination
from deployments.doctor.line import Line, broken, ok
from deployments.doctor.prefect_api import MOST, client, used
from flows.catalog import FLOWS
from tasks.desk import DeskError
from tasks.settings import Settings, SettingsError, load_settings


async def blocks(examination: Examination) -> list[Line]:
    """One line for each block that a deployment of ours names; none where none does."""
    used(examination)
    async with client() as prefect:
        flows = {each.id for each in await prefect.read_flows(limit=MOST) if each.name in FLOWS}
        deployments = await prefect.read_deployments(limit=MOST)
        names = named(each.parameters for each in deployments if each.flow_id in flows)
        return [await block(name) for name in names]


def named(forms: Iterable[Mapping[str, Any]]) -> list[str]:
    """The blocks that deployments' parameters name, each once. Pure."""
    inner = [form.get("parameters") for form in forms]
    found = {str(form["credentials"]) for form in inner if isinstance(form, Mapping) and form.get("credentials")}
    return sorted(found)


async def settings_of(name: str) -> Settings:
    """The settings with this block's above the environment's. Raises `DeskError`, `SettingsError`."""
    from prefect.settings import get_current_settings

    from tasks.in_prefect.credentials import stated_by

    if not get_current_settings().api.url:  # else Prefect would bring up a server, and write
        raise DeskError(f"the credentials block {name!r} is kept by a Prefect server, and PREFECT_API_URL is not set")
    try:
        stated = await stated_by(name)
    except httpx.HTTPError as failed:
        raise DeskError(
            f"the credentials block {name!r} cannot be read: Prefect's server refuses or does not answer"
            f" ({type(failed).__name__})"
        ) from None
    return load_settings(overrides=stated, source=f"credentials block {name!r}")


async def block(name: str) -> Line:
    """What a block states, over the environment, makes settings that fit together."""
    line = f"credentials {name}"
    try:
        settings = await settings_of(name)
    except DeskError as error:
        return broken(line, str(error), "Prefect's UI, under Blocks")
    except SettingsError as error:
        return broken(line, " ".join(error.problems), "correct the block in Prefect's UI, under Blocks")
    whose = ", ".join(settings.stores) or f"group {settings.group}"
    return ok(line, f"{settings.base_url}, {whose}; look at it whole with --credentials {name}")
