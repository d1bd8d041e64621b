"""Prefect variables: what a person may set in the UI for the deployments."""

from functools import partial
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import VariableCreate

from deployments.bootstrap.change import Change, put
from deployments.bootstrap.errors import BootstrapError

TIME_ZONE = "rever_time_zone"
DEFAULTS = {TIME_ZONE: "Europe/Madrid"}
"""Variable -> the value it is made with. From then on it is a person's."""


async def variables(client: PrefectClient, *, check: bool) -> tuple[list[Change], dict[str, str]]:
    """Make those that are not there; answers their values too, as `prefect.yaml` may name them."""
    changes: list[Change] = []
    values: dict[str, str] = {}
    for name, default in DEFAULTS.items():
        found = await client.read_variable_by_name(name)
        values[name] = str(found.value) if found else default
        make = partial(client.create_variable, VariableCreate(name=name, value=default, tags=["rever"]))
        changes.append(
            await put(f"variable {name}", check=check, there=found is not None, make=make, mend=make, left=values[name])
        )
    _check_zone(values[TIME_ZONE])
    return changes, values


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BootstrapError(
            f"the variable {TIME_ZONE} is {name!r}, which is no time zone: write it like Europe/Madrid or UTC"
        ) from None
