"""A process that has everything imported and warm, and only forks a worker per job, so that a worker costs no start.

A worker runs the real flows over real HTTP, by a clock of its own, and dies or stops where its job says so. The zygote
has no thread and no connection when it forks, or a fork of it would be no fair copy. One job per line on stdin; one
JSON line on stdout per thing that happens to a worker: `pid`, `stopped`, `ended` (minus the signal's number, or the
exit code). `python -m tests.proof.zygote`.
"""

import asyncio
import contextlib
import gc
import json
import os
import random
import select
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from threading import Lock, active_count
from types import FrameType
from typing import Any

from prefect.exceptions import TerminationSignal
from sqlalchemy import Engine, Pool, event

from flows.catalog import FLOWS
from flows.run import parameters_for, timed
from rever_api.sandbox import running_sandbox
from rever_api.sandbox.seed import SCENARIOS
from tasks import crash_points
from tasks.crash_points import CrashPoint
from tasks.desk import Clock
from tasks.reporting.report import ReturnsReport, RunReport
from tests.asked import ASKED, work_of
from tests.hurry import hurry
from tests.ledgers import empty_sqlite, remember_compiled
from tests.proof.workers import ACCOUNT, BEFORE_COMMIT, SETTINGS, STORE, WRONG_AT_MOST_S, Blow, Job, Step, Strike
from tests.world import environment_of

SETTLED_S, AT_MOST_S = 0.01, 5.0
"""A worker is stopped only once none of its threads has been in the ledger for so long, so that it holds no lock."""


def clock_of(job: Job) -> Clock:
    """The worker's clock: ahead of this machine's, and where asked jumping to and fro by up to two hours."""
    ahead = timedelta(seconds=job.later)
    if job.jumps is None:
        return lambda: datetime.now(UTC) + ahead
    draw = random.Random(job.jumps)
    return lambda: (
        datetime.now(UTC)
        + ahead
        + timedelta(seconds=draw.choice((0, 0, 0, -WRONG_AT_MOST_S, -300, 120, 1200, WRONG_AT_MOST_S)))
    )


class Fate:
    """Brings the blows: counts how often each point is reached, and strikes when it is time."""

    def __init__(self, strikes: tuple[Strike, ...]) -> None:
        self._strikes = strikes
        self._reached: Counter[str] = Counter()
        self._in_ledger, self._counting = 0, Lock()
        self.run: asyncio.Task[Any] | None = None

    def arm(self) -> None:
        """From now on every point is watched."""
        if not self._strikes:
            return
        crash_points.arm(lambda point, _: self.reached(point))
        if any(strike.point == BEFORE_COMMIT for strike in self._strikes):
            event.listen(Engine, "commit", lambda _: self._committing())
        if any(strike.blow is Blow.STOP for strike in self._strikes):
            event.listen(Pool, "checkout", lambda *_: self._enters(1))
            event.listen(Pool, "checkin", lambda *_: self._enters(-1))
        signal.signal(signal.SIGTERM, _terminated)

    def _enters(self, by: int) -> None:
        with self._counting:
            self._in_ledger += by

    def _let_it_settle(self) -> None:
        until, quiet = time.monotonic() + AT_MOST_S, 0
        while quiet < 3 and time.monotonic() < until:
            time.sleep(SETTLED_S)
            quiet = 0 if self._in_ledger else quiet + 1

    def _committing(self) -> None:
        if self._reached[CrashPoint.AFTER_ANSWER]:
            self.reached(BEFORE_COMMIT)

    def reached(self, point: str) -> None:
        """Count it, and strike."""
        self._reached[point] += 1
        for strike in self._strikes:
            if strike.point == point and strike.nth == self._reached[point]:
                self._strike(strike.blow)

    def _strike(self, blow: Blow) -> None:
        match blow:
            case Blow.KILL:
                os.kill(os.getpid(), signal.SIGKILL)
            case Blow.STOP:
                self._let_it_settle()
                os.kill(os.getpid(), signal.SIGSTOP)
            case Blow.TERMINATE:
                os.kill(os.getpid(), signal.SIGTERM)
            case Blow.CANCEL:
                assert self.run is not None
                self.run.cancel()


def _terminated(number: int, frame: FrameType | None) -> None:
    raise TerminationSignal(signal=number)


def live(job: Job) -> int:
    """Run the job's flows one after another; return the exit code. Each one's report or error is a line of a file."""
    os.environ.update(job.environment)
    hurry()
    clock, fate = clock_of(job), Fate(job.strikes)
    fate.arm()
    with open(job.answers, "a", encoding="utf-8") as answers:  # noqa: PTH123 - a path as it came over the wire
        for step in job.steps:
            for told in asyncio.run(_run(step, clock, fate)):
                print(json.dumps({"flow": step.flow} | told), file=answers, flush=True)
    return 0


async def _run(step: Step, clock: Clock, fate: Fate) -> list[dict[str, Any]]:
    runs = [asyncio.create_task(_one(step, clock)) for _ in range(step.copies)]
    fate.run = runs[0]
    ends = await asyncio.gather(*runs, return_exceptions=True)
    return [_told(end) for end in ends]


async def _one(step: Step, clock: Clock) -> RunReport:
    if step.flow in ASKED:
        asked = work_of(step.flow, step.values["process_id"])
        parameters = parameters_for("process-return", step.values)
        return await timed(step.flow, asked, parameters, clock=clock)
    module = sys.modules[FLOWS[step.flow]]
    parameters = parameters_for(step.flow, step.values)
    return await timed(step.flow, module.work, parameters, clock=clock)


def _told(end: RunReport | BaseException) -> dict[str, Any]:
    if isinstance(end, BaseException):
        return {"report": None, "error": f"{type(end).__name__}: {end}"}
    rows = len(end.rows) if isinstance(end, ReturnsReport) else 0
    return {"report": end.as_json() | {"rows": rows}, "error": ""}


class Zygote:
    """Forks and reaps."""

    def __init__(self) -> None:
        self._alive: dict[int, int] = {}
        self._woken, waker = os.pipe()
        os.set_blocking(waker, False)
        os.set_blocking(self._woken, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        """Until stdin ends; then no worker is left."""
        rest = b""
        while True:
            ready, _, _ = select.select([0, self._woken], [], [])
            if self._woken in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._woken, 4096)
                self._reap()
            if 0 in ready:
                read = os.read(0, 1 << 16)
                if not read:
                    break
                *lines, rest = (rest + read).split(b"\n")
                for line in lines:
                    number, _, job = line.decode().partition(" ")
                    self._fork(int(number), job)
        for pid in self._alive:
            os.kill(pid, signal.SIGKILL)

    def _fork(self, number: int, job: str) -> None:
        assert active_count() == 1, "a zygote must have no threads"
        pid = os.fork()
        if pid == 0:
            _be_a_worker(job)
        self._alive[pid] = number
        _say(number, pid=pid)

    def _reap(self) -> None:
        while self._alive:
            pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            if pid == 0:
                return
            if os.WIFSTOPPED(status):
                _say(self._alive[pid], stopped=True)
            else:
                _say(self._alive.pop(pid), ended=os.waitstatus_to_exitcode(status))


def _say(number: int, **what: object) -> None:
    print(json.dumps({"job": number} | what), flush=True)


def _be_a_worker(job: str) -> None:
    code = 70
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        code = live(Job.of(job))
    except BaseException:  # noqa: BLE001 - the end of a process
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _warm_up() -> None:
    """Run the flows once for real, so that all that is loaded late or read once is there before the first fork."""
    import_module("sqlalchemy.dialects.postgresql.psycopg")
    with (
        tempfile.TemporaryDirectory(prefix="proof-") as folder,
        running_sandbox(returns=len(SCENARIOS), shops=(STORE,)) as sandbox,
    ):
        url = empty_sqlite(Path(folder) / "ledger.sqlite", ACCOUNT)
        environment = environment_of(sandbox, url, **SETTINGS)
        before = dict(os.environ)
        steps = tuple(Step(flow, {"mode": "act"}) for flow in ("process-pending-returns", "reconcile"))
        live(Job(steps, environment, f"{folder}/answers.jsonl"))
        os.environ.clear()
        os.environ.update(before)


def main() -> None:
    """Import and warm what a worker will need, say so, and serve."""
    for module in FLOWS.values():
        import_module(module)
    remember_compiled()
    _warm_up()
    gc.collect()
    gc.freeze()
    print(json.dumps({"job": 0}), flush=True)
    Zygote().serve()


if __name__ == "__main__":
    main()
