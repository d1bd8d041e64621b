"""`prefect.yaml` read and checked: what each entry says, with a sentence for what is wrong in it."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deployments.bootstrap.errors import PrefectFileError

PREFECT_FILE = Path(__file__).parent.parent / "prefect.yaml"
_VARIABLE = re.compile(r"\{\{\s*prefect\.variables\.(\w+)\s*\}\}")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Form(_Strict):
    """A run's parameters, as Prefect keeps them: the one parameter `parameters` is the flow's form."""

    parameters: dict[str, Any] = Field(default_factory=dict)


class ScheduleEntry(_Strict):
    """A schedule. An interval, because cron leaves out an hour when clocks go back."""

    slug: str = Field(min_length=1)
    interval: timedelta = Field(gt=timedelta(0))
    anchor_date: datetime
    timezone: str
    active: bool = True
    parameters: Form = Form()


class Pool(_Strict):
    """Where runs of a deployment wait."""

    name: str
    work_queue_name: str = "default"
    job_variables: dict[str, Any] = Field(default_factory=dict)


class Limit(_Strict):
    """How many runs of a deployment there may be at a time, and what becomes of one more."""

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
        # Prefect lets a schedule's form replace the deployment's, field by field it merges nothing.
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
            f"{where}: entrypoint {entrypoint!r} is none of our flows; write it like flows.reconcile.reconcile"
        ) from None
    return form


def _check(where: str, form: type[BaseModel], values: Mapping[str, Any], *, whole: bool) -> None:
    """A schedule's form must be whole; a deployment's may leave to a person what has no default."""
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
