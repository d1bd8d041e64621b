"""Run a flow: its work from the opening of the desk to its report, and any flow by what a person typed."""

import asyncio
import re
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar
from difflib import get_close_matches
from importlib import import_module
from typing import Any, TypeVar, cast, get_origin

from prefect import get_client
from prefect.settings import PREFECT_API_URL
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from flows.catalog import FLOWS
from flows.parameters import WRONG_KEY, FlowParameters
from tasks.desk import Clock, Desk, DeskError, chosen_stores, open_desk, utc_now
from tasks.effects.perform import Result
from tasks.ledger import Actor, Ledger, LedgerError, pauses_of, switch
from tasks.policy.facts import counted
from tasks.policy.kinds import KINDS
from tasks.reporting.report import ReturnsReport, RunReport
from tasks.reporting.tally import count_outcome
from tasks.settings import Settings, load_settings, without_password
from tasks.steps import limits_note, presentable

P = TypeVar("P", bound=FlowParameters)
R = TypeVar("R", bound=RunReport)
Work = Callable[[Desk, P, R], Awaitable[None]]
AtEnd = Callable[[Desk, RunReport], Awaitable[None]]


BEGUN: ContextVar[list[RunReport] | None] = ContextVar("begun", default=None)
"""Where a run puts its report as soon as it has begun, for who wants it however the run ends."""

CUT_SHORT = "stopped before its end (Ctrl-C, a signal or a cancellation): it writes nothing, so nothing was under way"
CUT_OFF = "stopped before its end (Ctrl-C, a signal or a cancellation); what was under way is settled by the next run"


class RunFailedError(Exception):
    """A run that came to its end and failed: a store was given up, or too many returns. `report` is what it did."""

    def __init__(self, report: RunReport) -> None:
        super().__init__(report.failed_why)
        self.report = report


async def nothing_more(desk: Desk, report: RunReport) -> None:
    """The end of a run of which nobody is told."""


async def timed(
    name: str,
    work: Work[P, R],
    parameters: P,
    flow_run_id: str = "",
    clock: Clock = utc_now,
    settings: Settings | None = None,
    at_end: AtEnd = nothing_more,
    limits: str = "",
) -> R:
    """Open the desk from the settings, do the work, and note how long it took.

    The report is whole however the work ends, by an error or a cancellation too: what was done is counted, `broke_off`
    says what ended it, and `BEGUN` has it. `at_end` looks at the ledger once more before the desk closes.
    Raises whatever error says that the set-up is wrong (`tasks.desk.open_desk`).
    """
    began, actor = time.monotonic(), Actor(name, flow_run_id, run_began_at=clock())
    settings = settings or load_settings()
    if settings.stores:
        chosen_stores(getattr(parameters, "stores", ()), settings.stores)  # a wrong name makes no ledger
    report = cast("R", parameters.new_report(name))  # a test holds each form's report to what its work asks for
    report.limits = limits
    async with open_desk(settings, report, actor, clock, begins=parameters.begins) as desk:
        if (begun := BEGUN.get()) is not None:
            begun.append(report)
        try:
            await work(desk, parameters, report)
        except BaseException as error:
            report.cut_off = not isinstance(error, Exception)
            cut = CUT_OFF if report.acts else CUT_SHORT
            report.broke_off = str(presentable(error)) if isinstance(error, Exception) else cut
            with suppress(LedgerError):  # where it is the ledger that fails, the report goes without its words
                await _ended(desk, report, at_end, parameters.credentials)
            raise
        else:
            await _ended(desk, report, at_end, parameters.credentials)
        finally:
            report.duration_s = time.monotonic() - began
    return report


async def _ended(desk: Desk, report: RunReport, at_end: AtEnd, credentials: str) -> None:
    """Count the calls that were cut off, and say what the ledger says at the end."""
    cut_off = list(desk.under_way.values())
    desk.under_way.clear()
    if isinstance(report, ReturnsReport):
        for outcome in cut_off:
            count_outcome(report, outcome)
    unknown = [outcome.claim.intent for outcome in cut_off if outcome.result is Result.UNKNOWN]
    if unknown:
        money = ", ".join(f"{it.amount:,} {it.currency}" for it in unknown if KINDS[it.kind].pays)
        report.notes.append(
            f"{counted(len(unknown), 'effect')} sent, of which the outcome is not known here"
            f"{f' ({money})' if money else ''}; the next run looks at REVER, and counts what it finds"
        )
    report.notes += _new(desk, credentials)
    if not report.acts and (wrong := desk.wrong_clock()) is not None:
        report.notes.append(str(wrong))
    try:
        report.notes += await _stopped(desk)
    finally:
        await at_end(desk, report)


def _new(desk: Desk, credentials: str) -> list[str]:
    """What a report says of a ledger that this run has made, or has not found. A block's address is a secret."""
    url = without_password(desk.settings.ledger_url.get_secret_value())
    if credentials:
        url = f"where the credentials block {credentials!r} says"
    if desk.ledger.made:
        return [
            f"A NEW LEDGER WAS MADE: {url}. There was none, so it knows nothing of what was paid or answered before. If"
            " this account had one, stop now (rever-returns stop), and correct REVER_LEDGER_URL or restore a backup"
        ]
    if not desk.report.acts and not Ledger.exists(desk.settings.ledger_url.get_secret_value()):
        return [f"there is no ledger {url} yet: this run knows nothing of what was paid or answered before"]
    return []


async def _stopped(desk: Desk) -> list[str]:
    """What a report says while the stop switch is on, or a store of the run is paused."""
    now, clock = await desk.ledger.aread(switch), desk.clock()
    pauses = await desk.ledger.aread(pauses_of, desk.report.stores or desk.stores, clock)
    desk.report.paused = {pause.store: pause.until for pause in pauses}
    start = "`rever-returns start --by NAME` lets them go"
    return [
        *([f"all effects are stopped by {now.by}: {now.why}; {start}"] if now.stopped else []),
        *(pause.words(desk.report.zone(pause.store)) for pause in pauses),
    ]


class UsageError(Exception):
    """What was typed names no flow, no parameter, or no value that fits; the sentence says what would."""


def parameters_for(name: str, values: dict[str, str]) -> FlowParameters:
    """The flow's form filled with typed values: a list is comma-separated. Raises `UsageError`."""
    form = form_of(name)
    for wrong in values:
        if wrong not in form.model_fields:
            near = get_close_matches(wrong, form.model_fields, n=1)
            meant = f"did you mean {near[0]!r}? " if near else ""
            meant = "the option --csv FILE writes its returns; " if wrong == "csv" else meant
            raise UsageError(f"{wrong!r} is no parameter of {name}: {meant}{_HELP.format(name)}")
    filled = {key: _value(form, key, text) for key, text in values.items()}
    try:
        return form.model_validate(filled)
    except ValidationError as failed:
        problems = [_problem(error, values) for error in failed.errors(include_url=False)]
        raise UsageError(f"{'; '.join(problems)}. {_HELP.format(name)}") from None


_HELP = "`rever-returns run {} --help` lists its parameters"


def form_of(name: str) -> type[FlowParameters]:
    """The form of a flow. Raises `UsageError`: there is no such flow."""
    form: type[FlowParameters] = _module(name).Parameters
    return form


def takes_several(field: FieldInfo) -> bool:
    """Whether a parameter is a list, which is typed as its entries with commas between them."""
    return get_origin(field.annotation) is list


def run_flow(name: str, values: dict[str, str], *, prefect: bool, clock: Clock = utc_now) -> RunReport:
    """Run a flow to its end. Without Prefect the same plain functions run on the same ledger, by the given clock.

    Raises `UsageError` for what was typed, `RunFailedError` or the errors of `tasks.desk.open_desk` otherwise. SIGTERM
    ends a run as Ctrl-C does: by a cancellation, so that what is under way is written down.
    """
    parameters = parameters_for(name, values)
    module = _module(name)
    if prefect:
        asyncio.run(_prefect_answers())
        flow = getattr(module, name.replace("-", "_"))
        finished: RunReport = asyncio.run(_stoppable(flow(parameters)))
        return finished
    if parameters.credentials:
        raise UsageError(
            "a credentials block is kept by Prefect: leave --no-prefect out, or leave `credentials` empty and set "
            "REVER_API_KEY"
        )
    work = timed(name, module.work, parameters, clock=clock, limits=limits_note({}))
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


async def _stoppable(work: Awaitable[RunReport]) -> RunReport:
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
    if takes_several(form.model_fields[key]):
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


_MEMBER = re.compile(r"<\w+\.\w+: ('[^']*')>")
"""How a choice that is a member of an enumeration reads in what Pydantic says."""


def _problem(error: Any, values: dict[str, str]) -> str:
    key = str(error["loc"][0]) if error["loc"] else ""
    found = f", found {values[key]!r}" if key in values and error["type"] != WRONG_KEY else ""
    said = error["msg"].removeprefix("Value error, ")
    if error["type"] == "literal_error":
        said = "it must be " + _MEMBER.sub(r"\1", error["ctx"]["expected"])
    return f"{key}: {said}{found}" if key else said
