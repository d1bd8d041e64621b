"""The deployments and schedules of `prefect.yaml`, put on the server without touching what is a person's.

A person's are: whether a deployment or a schedule is paused, and schedules that they added.

`prefect deploy` reads the same file, and could do part of this. Tried with Prefect 3.8.8 and 3.9.1: it keeps a paused
schedule and one that a person added, but resumes a paused deployment. It cannot say what it would do, which `--check`
and the doctor need. It took longer than the whole of bootstrap (45 s against 26 s the second time, on a busy machine),
and makes none of what the deployments need: pools with their queues, limits, automations.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import yaml
from prefect import Flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate, DeploymentUpdate
from prefect.client.schemas.objects import ConcurrencyOptions, DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deployments.bootstrap.objects import Change, PrefectFileError, or_none, put

PREFECT_FILE = Path(__file__).parent.parent / "prefect.yaml"
_VARIABLE = re.compile(r"\{\{\s*prefect\.variables\.(\w+)\s*\}\}")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Form(_Strict):
    """A run's parameters, as Prefect keeps them: the one parameter `parameters` is the flow's form."""

    parameters: dict[str, Any] = Field(default_factory=dict)


class ScheduleEntry(_Strict):
    """A schedule, as an interval: Prefect's cron skips an hour when clocks go back."""

    slug: str = Field(min_length=1)
    interval: timedelta = Field(gt=timedelta(0))
    anchor_date: datetime
    timezone: str
    active: bool = True
    parameters: Form = Form()


class Pool(_Strict):
    """The work pool and the queue in which runs of a deployment wait."""

    name: str
    work_queue_name: str = "default"
    job_variables: dict[str, Any] = Field(default_factory=dict)


class Limit(_Strict):
    """How many runs of a deployment there may be at a time, and what happens to one more."""

    limit: int = Field(ge=1)
    collision_strategy: Literal["ENQUEUE", "CANCEL_NEW"] = "ENQUEUE"
    grace_period_seconds: int | None = None


class Entry(_Strict):
    """One deployment."""

    name: str = Field(min_length=1)
    entrypoint: str
    version: str
    description: str = ""
    tags: list[str] = Field(default_factory=list)
    work_pool: Pool
    concurrency_limit: Limit | None = None
    parameters: Form = Form()
    schedules: list[ScheduleEntry] = Field(default_factory=list)


def read_entries(file: Path, variables: Mapping[str, str]) -> list[Entry]:
    """The file's deployments, `{{ prefect.variables.NAME }}` replaced. Raises `PrefectFileError`."""
    try:
        content = yaml.safe_load(_filled(file, file.read_text(encoding="utf-8"), variables))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as failed:
        raise PrefectFileError(f"{file} cannot be read: {' '.join(str(failed).split())}") from None
    listed = content.get("deployments") if isinstance(content, dict) else None
    if not isinstance(listed, list) or not listed:
        raise PrefectFileError(f"{file} names no deployments: a list `deployments:` is needed")
    entries = [_entry(file, number, item) for number, item in enumerate(listed, start=1)]
    names = [entry.name for entry in entries]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise PrefectFileError(f"{file}: the name {twice[0]} is there twice; each deployment needs its own")
    return entries


def _filled(file: Path, text: str, variables: Mapping[str, str]) -> str:
    if unknown := sorted(set(_VARIABLE.findall(text)) - set(variables)):
        raise PrefectFileError(f"{file}: the variable {unknown[0]} is not known; there are {', '.join(variables)}")
    return _VARIABLE.sub(lambda found: variables[found[1]], text)


def _entry(file: Path, number: int, item: Any) -> Entry:
    name = item.get("name") if isinstance(item, dict) else None
    where = f"{file}: deployment {name or number}"
    try:
        entry = Entry.model_validate(item)
    except ValidationError as failed:
        raise PrefectFileError(f"{where}: {_said(failed)}") from None
    form = _form_of(where, entry.entrypoint)
    _check(where, form, entry.parameters.parameters, whole=False)
    for schedule in entry.schedules:
        there = f"{where}, schedule {schedule.slug}"
        _check(there, form, schedule.parameters.parameters, whole=True)
        # Prefect does not merge the two forms: the schedule's replaces the deployment's.
        if lost := sorted(set(entry.parameters.parameters) - set(schedule.parameters.parameters)):
            raise PrefectFileError(
                f"{there}: its parameters replace the deployment's as a whole, so say {', '.join(lost)} there too"
            )
    return entry


def _form_of(where: str, entrypoint: str) -> type[BaseModel]:
    module, _, flow = entrypoint.rpartition(".")
    try:
        found = import_module(module)
        form: type[BaseModel] = found.Parameters
        getattr(found, flow)
    except (ImportError, AttributeError, ValueError):
        raise PrefectFileError(
            f"{where}: entrypoint {entrypoint!r} is not one of our flows; write it like flows.reconcile.reconcile"
        ) from None
    return form


def _check(where: str, form: type[BaseModel], values: Mapping[str, Any], *, whole: bool) -> None:
    """Check a form. A schedule's must be complete; in a deployment's a person may fill what has no default."""
    try:
        form.model_validate(values)
    except ValidationError as failed:
        wrong = [error for error in failed.errors(include_url=False) if whole or error["loc"]]
        wrong = [error for error in wrong if whole or error["type"] != "missing"]
        if wrong:
            raise PrefectFileError(f"{where}: parameters: {_said(failed)}") from None


def _said(failed: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, error['loc'])) or 'form'}: {error['msg']}" for error in failed.errors(include_url=False)
    )


async def deployments(client: PrefectClient, entries: list[Entry], *, check: bool) -> list[Change]:
    """Each entry's deployment and schedules."""
    changes: list[Change] = []
    for entry in entries:
        flow: Flow[..., Any] = load_flow_from_entrypoint(entry.entrypoint)
        name = f"{flow.name}/{entry.name}"
        found = await or_none(client.read_deployment_by_name(name))
        changes.append(await _deployment(client, entry, flow, found, check=check))
        changes += [await _schedule(client, name, schedule, found, check=check) for schedule in entry.schedules]
    return changes


def wanted(entry: Entry, flow: Flow[..., Any]) -> dict[str, Any]:
    """The fields of a deployment that are ours, by Prefect's names for them."""
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
        "concurrency_options": limit.model_dump(exclude={"limit"}, exclude_none=True) if limit else None,
    }


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
        # The tags are always sent: an update without them would remove them.
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
    """What the server has in a field, in the form in which `wanted` has it."""
    if name == "concurrency_limit":
        return found.global_concurrency_limit.limit if found.global_concurrency_limit else None
    value = getattr(found, name)
    if name == "concurrency_options":
        return value.model_dump(mode="json", exclude_none=True) if value else None
    return value or [] if name == "pull_steps" else value


async def _schedule(
    client: PrefectClient, name: str, ours: ScheduleEntry, deployment: DeploymentResponse | None, *, check: bool
) -> Change:
    found = next((each for each in deployment.schedules if each.slug == ours.slug), None) if deployment else None
    schedule = IntervalSchedule(interval=ours.interval, anchor_date=ours.anchor_date, timezone=ours.timezone)
    parameters = ours.parameters.model_dump() if ours.parameters.parameters else {}

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
