"""A flow's work from the opening of the desk to its report, whoever runs the steps."""

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from flows.parameters import FlowParameters
from tasks.desk import Clock, Desk, open_desk, utc_now
from tasks.ledger import Actor, Ledger, pauses_of, switch
from tasks.report import Mode, Report
from tasks.settings import Settings, load_settings, without_password
from tasks.steps import Stage

P = TypeVar("P", bound=FlowParameters)
Work = Callable[[Desk, P, Stage], Awaitable[Report]]
AtEnd = Callable[[Desk, Report | None], Awaitable[None]]


class RunFailedError(Exception):
    """A run in which too many returns failed of our own fault. `report` is what it did all the same."""

    def __init__(self, report: Report) -> None:
        ours = [failure for failure in report.failures if failure.ours]
        first = f"{ours[0].process_id}: {ours[0].why}" if ours else "none named"
        super().__init__(f"{len(ours)} of {report.seen} returns failed by a fault of this software; the first: {first}")
        self.report = report


async def nothing_more(desk: Desk, report: Report | None) -> None:
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
) -> Report:
    """Open the desk from the settings, do the work, and note how long it took.

    `at_end` looks at the ledger once more before the desk closes, also after a work that broke off.
    Raises whatever error says that the set-up is wrong (`tasks.desk.open_desk`).
    """
    began, actor = time.monotonic(), Actor(name, flow_run_id, run_began_at=clock())
    settings = settings or load_settings()
    async with open_desk(settings, parameters.mode, actor, clock, begins=parameters.begins) as desk:
        try:
            report = await work(desk, parameters, stage)
        except Exception:
            await at_end(desk, None)
            raise
        report.notes += [*_new(desk), *await _stopped(desk)]
        await at_end(desk, report)
    report.duration_s = time.monotonic() - began
    return report


def _new(desk: Desk) -> list[str]:
    """What a report says of a ledger that this run has made, or has not found."""
    url = without_password(desk.settings.ledger_url.get_secret_value())
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
