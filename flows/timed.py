"""A flow's work from the opening of the desk to its report, whoever runs the steps."""

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import TypeVar

from flows.parameters import FlowParameters
from tasks.desk import Clock, Desk, chosen_stores, open_desk, utc_now
from tasks.effects.perform import Result
from tasks.failures import presentable
from tasks.ledger import Actor, Ledger, LedgerError, pauses_of, switch
from tasks.policy.facts import counted
from tasks.policy.record import IntentKind
from tasks.reporting.report import Mode, Report
from tasks.reporting.tally import count_outcome
from tasks.settings import Settings, load_settings, without_password
from tasks.steps import Stage

P = TypeVar("P", bound=FlowParameters)
Work = Callable[[Desk, P, Stage], Awaitable[Report]]
AtEnd = Callable[[Desk, Report], Awaitable[None]]


BEGUN: ContextVar[list[Report] | None] = ContextVar("begun", default=None)
"""Where a run puts its report as soon as it has begun, for who wants it however the run ends."""

CUT_SHORT = "stopped before its end (Ctrl-C, a signal or a cancellation); a plan does nothing, so nothing was under way"
CUT_OFF = "stopped before its end (Ctrl-C, a signal or a cancellation); what was under way is settled by the next run"


class RunFailedError(Exception):
    """A run that came to its end and failed: a store was given up, or too many returns. `report` is what it did."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.failed_why)
        self.report = report


async def nothing_more(desk: Desk, report: Report) -> None:
    """The end of a run of which nobody is told."""


async def timed(
    name: str,
    work: Work[P],
    parameters: P,
    stage: Stage,
    flow_run_id: str = "",
    clock: Clock = utc_now,
    settings: Settings | None = None,
    at_end: AtEnd = nothing_more,
    limits: str = "",
) -> Report:
    """Open the desk from the settings, do the work, and note how long it took.

    The report is whole however the work ends, by an error or a cancellation too: what was done is counted, `broke_off`
    says what ended it, and `BEGUN` has it. `at_end` looks at the ledger once more before the desk closes.
    Raises whatever error says that the set-up is wrong (`tasks.desk.open_desk`).
    """
    began, actor = time.monotonic(), Actor(name, flow_run_id, run_began_at=clock())
    settings = settings or load_settings()
    if settings.stores:
        chosen_stores(getattr(parameters, "stores", ()), settings.stores)  # a wrong name makes no ledger
    async with open_desk(settings, parameters.mode, actor, clock, begins=parameters.begins) as desk:
        report = desk.report
        report.limits = limits
        if (begun := BEGUN.get()) is not None:
            begun.append(report)
        try:
            await work(desk, parameters, stage)
        except BaseException as error:
            cut = CUT_SHORT if report.mode is Mode.PLAN else CUT_OFF
            report.broke_off = str(presentable(error)) if isinstance(error, Exception) else cut
            with suppress(LedgerError):  # where it is the ledger that fails, the report goes without its words
                await _ended(desk, report, at_end, parameters.credentials)
            raise
        else:
            await _ended(desk, report, at_end, parameters.credentials)
        finally:
            report.duration_s = time.monotonic() - began
    return report


async def _ended(desk: Desk, report: Report, at_end: AtEnd, credentials: str) -> None:
    """Count the calls that were cut off, and say what the ledger says at the end."""
    cut_off = list(desk.under_way.values())
    desk.under_way.clear()
    for outcome in cut_off:
        count_outcome(report, outcome)
    unknown = [outcome.claim.intent for outcome in cut_off if outcome.result is Result.UNKNOWN]
    if unknown:
        money = ", ".join(f"{it.amount} {it.currency}" for it in unknown if it.kind is IntentKind.REFUND)
        report.notes.append(
            f"{counted(len(unknown), 'effect')} sent, of which the outcome is not known here"
            f"{f' ({money})' if money else ''}; the next run looks at REVER, and counts what it finds"
        )
    report.notes += _new(desk, credentials)
    if report.mode is Mode.PLAN and (wrong := desk.wrong_clock()) is not None:
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
    if desk.mode is Mode.PLAN and not Ledger.exists(desk.settings.ledger_url.get_secret_value()):
        return [f"there is no ledger {url} yet: this plan knows nothing of what was paid or answered before"]
    return []


async def _stopped(desk: Desk) -> list[str]:
    """What a report says while the stop switch is on, or a store of the run is paused."""
    now, clock = await desk.ledger.aread(switch), desk.clock()
    pauses = await desk.ledger.aread(pauses_of, desk.report.stores or desk.stores, clock)
    desk.report.paused = {pause.store: pause.until for pause in pauses}
    start = "`rever-returns start --by NAME` lets them go"
    return [
        *([f"all effects are stopped by {now.by}: {now.why}; {start}"] if now.stopped else []),
        *(pause.words for pause in pauses),
    ]
