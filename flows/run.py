"""Run any flow in this process, with Prefect or without, from the names and values a person typed."""

import asyncio
import signal
from collections.abc import Awaitable
from contextlib import suppress
from importlib import import_module
from typing import Any

from prefect import get_client
from prefect.settings import PREFECT_API_URL
from pydantic import BaseModel, ValidationError

from flows.catalog import FLOWS
from flows.parameters import FlowParameters
from flows.timed import RunFailedError, timed
from tasks.desk import Clock, DeskError, utc_now
from tasks.reporting.report import Report
from tasks.settings import without_password
from tasks.steps import limits_note, plainly


class UsageError(Exception):
    """What was typed names no flow, no parameter, or no value that fits; the sentence says what would."""


def parameters_for(name: str, values: dict[str, str]) -> FlowParameters:
    """The flow's form filled with typed values: a list is comma-separated. Raises `UsageError`."""
    form: type[FlowParameters] = _module(name).Parameters
    unknown = sorted(set(values) - set(form.model_fields))
    if unknown:
        raise UsageError(f"{name} has no parameter {', '.join(map(repr, unknown))}; it has {described(form)}")
    filled = {key: _value(form, key, text) for key, text in values.items()}
    try:
        return form.model_validate(filled)
    except ValidationError as failed:
        problems = [_problem(error, values) for error in failed.errors(include_url=False)]
        raise UsageError(f"{name}: {'; '.join(problems)}; its parameters are {described(form)}") from None


def described(form: type[BaseModel]) -> str:
    """The parameters of a form in words."""
    return ", ".join(f"{key} ({field.description or ''})" for key, field in form.model_fields.items())


def run_flow(name: str, values: dict[str, str], *, prefect: bool, clock: Clock = utc_now) -> Report:
    """Run a flow to its end. Without Prefect the same plain functions run on the same ledger, by the given clock.

    Raises `UsageError` for what was typed, `RunFailedError` or the errors of `tasks.desk.open_desk` otherwise. SIGTERM
    ends a run as Ctrl-C does: by a cancellation, so that what is under way is written down.
    """
    parameters = parameters_for(name, values)
    module = _module(name)
    if prefect:
        asyncio.run(_prefect_answers())
        flow = getattr(module, name.replace("-", "_"))
        finished: Report = asyncio.run(_stoppable(flow(parameters)))
        return finished
    if parameters.credentials:
        raise UsageError(
            "a credentials block is kept by Prefect: leave --no-prefect out, or leave `credentials` empty and set "
            "REVER_API_KEY"
        )
    work = timed(name, module.work, parameters, plainly, clock=clock, limits=limits_note({}))
    report = asyncio.run(_stoppable(work))
    if report.failed:
        raise RunFailedError(report)
    return report


async def _prefect_answers() -> None:
    """Raise `DeskError` where a Prefect server is named that does not answer; Prefect itself says so in a traceback."""
    if not (url := PREFECT_API_URL.value()):
        return
    async with get_client() as client:
        problem = await client.api_healthcheck()
    if problem is not None:
        raise DeskError(
            f"Prefect's server at {without_password(url)} (PREFECT_API_URL) does not answer ({type(problem).__name__}):"
            " start it, correct the address, or leave Prefect out with --no-prefect"
        )


async def _stoppable(work: Awaitable[Report]) -> Report:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine that runs has its task
    with suppress(ValueError, RuntimeError, NotImplementedError):  # no main thread, or no such signal
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
    return await work


def _module(name: str) -> Any:
    if name not in FLOWS:
        raise UsageError(f"there is no flow {name!r}; there are {', '.join(FLOWS)}")
    return import_module(FLOWS[name])


def _value(form: type[BaseModel], key: str, text: str) -> Any:
    if "list" in str(form.model_fields[key].annotation):
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _problem(error: Any, values: dict[str, str]) -> str:
    key = str(error["loc"][0]) if error["loc"] else ""
    found = f", found {values[key]!r}" if key in values else ""
    said = error["msg"].removeprefix("Value error, ")
    return f"{key}: {said}{found}" if key else said
