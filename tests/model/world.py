"""One REVER, one ledger, one clock and any number of workers, for one example of the model."""

import atexit
import logging
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timedelta
from functools import cache
from importlib import import_module
from pathlib import Path
from unittest.mock import patch

from flows.catalog import FLOWS
from flows.run import parameters_for
from rever_api.sandbox import RunningSandbox
from rever_api.sandbox.faults import FaultPlan, Faults
from rever_api.sandbox.seed import seed as add_returns
from rever_api.sandbox.server import API_KEY
from rever_api.sandbox.shops import catalogue
from rever_api.sandbox.state import Options
from tasks.database.engines import reading_engine, writing_engine
from tasks.desk import open_desk
from tasks.ledger import Actor, Ledger
from tasks.reporting.report import RunReport
from tasks.settings import Settings
from tests.books import LedgerState
from tests.ledgers import empty_sqlite
from tests.memory import memory
from tests.model.life import Fate, Worker
from tests.model.watching import WatchedSandbox, watch
from tests.world import World

ACCOUNT = "model"
PAYERS = {"acme": "us", "nordic": "us", "autopay": "rever"}
"""Shop -> who pays there."""


writing, reading = cache(writing_engine), cache(reading_engine)
"""Engines that stay for all runs on one file: with a new one for each, compiling statements is a third of all work."""


@cache
def _folder() -> Path:
    """The one folder of this process, in memory where there is some: a struck worker loses nothing there."""
    folder = Path(tempfile.mkdtemp(prefix="rever-returns-model-", dir=memory()))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


class ModelWorld(World):
    """A sandbox that listens and is watched, a ledger that stays open, and the runs on them."""

    def __init__(self, shops: tuple[str, ...], timings: Mapping[str, str], options: Options) -> None:
        sys.setswitchinterval(0.0002)  # two threads talk over HTTP: a turn of 5 ms would be most of a step
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        self.watched = WatchedSandbox(catalogue(shops, 2.0, dict(timings)), 7, options)
        add_returns(self.watched, 0)
        running = RunningSandbox(self.watched, Faults(FaultPlan()), 0, API_KEY)
        running.start()
        ledger_url = empty_sqlite(_folder() / "ledger.sqlite", ACCOUNT)
        # Workers' clocks are wrong here, and must do without REVER's.
        super().__init__(running, ledger_url, {"REVER_ACCOUNT": ACCOUNT}, self._clock, date=lambda: None)
        self._open = ExitStack()
        self._open.enter_context(patch("tasks.ledger.ledger.writing_engine", writing))
        self._open.enter_context(patch("tasks.database.database.reading_engine", reading))
        self.desk_settings = Settings(
            base_url=running.base_url,
            api_key=API_KEY,
            stores=shops,
            payers=",".join(f"{shop}={PAYERS[shop]}" for shop in shops),
            ledger_url=ledger_url,
            account=ACCOUNT,
        )
        self.skew = timedelta(0)
        self.passed = 0.0
        self.sleepers: list[tuple[Worker, float]] = []
        self._ledger = self._open.enter_context(super().ledger())
        self._version = self._open.enter_context(closing(sqlite3.connect(self.ledger_file)))
        self._state: tuple[int, LedgerState] | None = None

    @contextmanager
    def ledger(self, *, read_only: bool = False) -> Iterator[Ledger]:
        """The ledger, which stays open."""
        yield self._ledger

    def state(self) -> LedgerState:
        """What the ledger holds; read anew only where somebody wrote since."""
        version: int = self._version.execute("PRAGMA data_version").fetchone()[0]
        if self._state is None or self._state[0] != version:
            self._state = version, self.read(LedgerState.read)
        return self._state[1]

    def _clock(self) -> datetime:
        """The desk's clock: REVER's, and what it is ahead or behind."""
        return self.watched.clock() + self.skew

    def pass_time(self, seconds: float) -> None:
        """Let time pass for everybody."""
        self.sandbox.advance(seconds)
        self.passed += seconds

    def start(self, flow: str, fate: Fate | None = None, **values: str) -> Worker:
        """Start a run of a flow, and wait until it ends or stops."""
        parameters = parameters_for(flow, values)
        work = import_module(FLOWS[flow]).work
        worker = Worker(flow, fate)

        async def whole() -> RunReport:
            report = parameters.new_report(flow)
            async with open_desk(self.desk_settings, report, Actor(flow), self.clock) as desk:
                watch(desk, worker, self.watched)
                await work(desk, parameters, report)
            return report

        worker.start(whole)
        if not worker.ended:
            self.sleepers.append((worker, self.passed))
        return worker

    def wake(self, place: int) -> Worker:
        """Let one of the stopped workers go on."""
        worker, since = self.sleepers.pop(place % len(self.sleepers))
        worker.wake(max(0.0, self.passed - since))
        return worker

    def ids(self) -> Collection[str]:
        """All returns, in the order in which they were opened."""
        return tuple(self.watched.processes)

    def close(self) -> None:
        """End everything and leave nothing behind."""
        for worker, _ in self.sleepers:
            worker.dead = True
            worker.wake(0)
        self._open.close()
        self.sandbox.stop()
        for file in _folder().glob("ledger.sqlite*"):
            file.unlink()
