"""The deployments on the server, put as `prefect.yaml` says, without touching what is a person's.

A person's are: whether a deployment or a schedule is paused, and schedules that they added.
"""

from typing import Any

from prefect import Flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate, DeploymentUpdate
from prefect.client.schemas.objects import ConcurrencyOptions, DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.exceptions import ObjectNotFound
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema

from deployments.bootstrap.change import Change, put
from deployments.bootstrap.prefect_file import Entry, ScheduleEntry


async def deployments(client: PrefectClient, entries: list[Entry], *, check: bool) -> list[Change]:
    """Each entry's deployment and schedules."""
    changes: list[Change] = []
    for entry in entries:
        flow: Flow[..., Any] = load_flow_from_entrypoint(entry.entrypoint)
        name = f"{flow.name}/{entry.name}"
        found = await _read(client, name)
        changes.append(await _deployment(client, entry, flow, found, check=check))
        changes += [await _schedule(client, name, schedule, found, check=check) for schedule in entry.schedules]
    return changes


def wanted(entry: Entry, flow: Flow[..., Any]) -> dict[str, Any]:
    """The fields of a deployment that are ours, under the names by which Prefect takes them."""
    limit = entry.concurrency_limit
    return {
        "version": entry.version,
        "description": entry.description or flow.description or "",
        "tags": entry.tags,
        "entrypoint": entry.entrypoint,
        "path": None,
        "pull_steps": [],
        "parameters": entry.parameters.model_dump() if entry.parameters.parameters else {},
        "parameter_openapi_schema": parameter_schema(flow).model_dump(exclude_unset=True, mode="json"),
        "enforce_parameter_schema": True,
        "work_pool_name": entry.work_pool.name,
        "work_queue_name": entry.work_pool.work_queue_name,
        "job_variables": entry.work_pool.job_variables,
        "concurrency_limit": limit.limit if limit else None,
        "concurrency_options": _options(entry),
    }


def _options(entry: Entry) -> dict[str, Any] | None:
    limit = entry.concurrency_limit
    return limit.model_dump(exclude={"limit"}, exclude_none=True) if limit else None


async def _deployment(
    client: PrefectClient, entry: Entry, flow: Flow[..., Any], found: DeploymentResponse | None, *, check: bool
) -> Change:
    ours = wanted(entry, flow)
    differs = [name for name, value in ours.items() if value != _seen(found, name)] if found else []

    async def make() -> None:
        options = ours["concurrency_options"]
        fields = {**ours, "concurrency_options": ConcurrencyOptions.model_validate(options) if options else None}
        await client.create_deployment(await client.create_flow_from_name(flow.name), entry.name, **fields)

    async def mend() -> None:
        assert found  # noqa: S101 - only what is there is mended
        # Its tags are always sent along, because Prefect takes a change without them for none.
        fields = {name: ours[name] for name in {*differs, "tags"}}
        await client.update_deployment(found.id, DeploymentUpdate.model_validate(fields))

    return await put(
        f"deployment {flow.name}/{entry.name}",
        check=check,
        there=found is not None,
        differs=differs,
        left="paused by a person" if found and found.paused else "",
        make=make,
        mend=mend,
    )


def _seen(found: DeploymentResponse, name: str) -> Any:
    if name == "concurrency_limit":
        return found.global_concurrency_limit.limit if found.global_concurrency_limit else None
    value = getattr(found, name)
    if name == "concurrency_options":
        return value.model_dump(mode="json", exclude_none=True) if value else None
    return value if value is not None or name in {"path"} else ([] if name == "pull_steps" else value)


async def _schedule(
    client: PrefectClient, name: str, ours: ScheduleEntry, deployment: DeploymentResponse | None, *, check: bool
) -> Change:
    found = next((each for each in deployment.schedules if each.slug == ours.slug), None) if deployment else None
    schedule = IntervalSchedule(interval=ours.interval, anchor_date=ours.anchor_date, timezone=ours.timezone)
    parameters = ours.parameters.model_dump()

    async def make() -> None:
        made = await client.read_deployment_by_name(name)
        new = DeploymentScheduleCreate(schedule=schedule, active=ours.active, parameters=parameters, slug=ours.slug)
        await client.create_deployment_schedules(made.id, [new])

    async def mend() -> None:
        assert found  # noqa: S101 - only what is there is mended
        assert deployment  # noqa: S101
        # Without `active`: a schedule that a person paused stays paused.
        await client.update_deployment_schedule(deployment.id, found.id, schedule=schedule, parameters=parameters)

    return await put(
        f"schedule {name}/{ours.slug}",
        check=check,
        there=found is not None,
        differs=_schedule_differs(found, schedule, parameters) if found else (),
        left=_state(found, ours) if found else "",
        make=make,
        mend=mend,
    )


def _state(found: DeploymentSchedule, ours: ScheduleEntry) -> str:
    if found.active == ours.active:
        return ""
    return "started by a person" if found.active else "paused by a person"


def _schedule_differs(found: DeploymentSchedule, ours: IntervalSchedule, parameters: dict[str, Any]) -> list[str]:
    differs = []
    if found.schedule != ours:
        differs.append(f"every {ours.interval.total_seconds() / 60:g} min, {ours.timezone}")
    if found.parameters != parameters:
        differs.append("parameters")
    return differs


async def _read(client: PrefectClient, name: str) -> DeploymentResponse | None:
    try:
        return await client.read_deployment_by_name(name)
    except ObjectNotFound:
        return None
