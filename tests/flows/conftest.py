"""A desk in front of a sandbox: its settings in the environment, its ledger in a folder of the test's own."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from flows.run import run_flow
from rever_api.sandbox import RunningSandbox
from tasks.desk import Clock, utc_now
from tasks.ledger import HoldRow, Ledger, open_holds, open_intents, unfinished
from tasks.ledger.types import Unfinished
from tasks.reporting.report import Report
from tests.hurry import hurry


@dataclass
class Bench:
    """A sandbox and a desk that works on it. `environment` is what a child process needs to do the same."""

    sandbox: RunningSandbox
    environment: dict[str, str]
    ledger_file: Path
    clock: Clock = utc_now
    date: Callable[[], datetime | None] | None = None

    def __post_init__(self) -> None:
        """Have REVER's answers tell the desk's time unless `date` is set: what a test lets pass passes for both."""
        self.sandbox.sandbox.tells = self._tells

    def _tells(self) -> datetime | None:
        return (self.date or self.clock)()

    def run(self, flow: str, **values: str) -> Report:
        """Run a flow in this process, without Prefect."""
        return run_flow(flow, values, prefect=False, clock=self.clock)

    def let_pass(self, seconds: float) -> None:
        """Let time pass for the desk, without waiting for it."""
        before, by = self.clock, timedelta(seconds=seconds)
        self.clock = lambda: before() + by

    def act(self, **values: str) -> Report:
        """Run process-pending-returns for real."""
        return self.run("process-pending-returns", mode="act", **values)

    def ledger(self) -> Ledger:
        """The desk's ledger, to look at."""
        return Ledger.open(
            self.environment["REVER_LEDGER_URL"],
            account=self.environment["REVER_BASE_URL"],
            clock=utc_now,
            read_only=True,
        )

    def holds(self) -> list[HoldRow]:
        """The open holds."""
        ledger = self.ledger()
        try:
            return ledger.read(open_holds)
        finally:
            ledger.close()

    def unfinished(self) -> list[Unfinished]:
        """The returns that are not at their end and have no effect open."""
        ledger = self.ledger()
        try:
            return ledger.read(unfinished)
        finally:
            ledger.close()

    def explained(self) -> set[str]:
        """The returns that wait for a person, for an outcome, or for their next look."""
        ledger = self.ledger()
        try:
            held = {hold.process_id for hold in ledger.read(open_holds)}
            opened = {item.process_id for item in ledger.read(open_intents)}
            waiting = {item.process_id for item in ledger.read(unfinished) if item.next_look_at}
        finally:
            ledger.close()
        return held | opened | waiting

    def paid(self) -> dict[str, Decimal]:
        """What the sandbox's books say was paid through the API."""
        return {currency: amount for currency, amount in self.sandbox.books.paid().items() if amount}


Start = Callable[..., Bench]

PATIENT = {"REVER_TIMEOUT": "15", "REVER_SETTLE_AFTER": "60", "REVER_LEASE": "60"}
"""On a busy machine a call may take seconds; a time-out would make its outcome unknown, which other tests are for."""

QUICK = {"REVER_TIMEOUT": "1", "REVER_SETTLE_AFTER": "3", "REVER_LEASE": "1"}
"""For tests that wait until what is unknown is settled, and take outcomes as they come."""


@pytest.fixture
def start_bench(start_sandbox: Callable[..., RunningSandbox], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Start a sandbox with these arguments of `running_sandbox`, and settings (`REVER_...`) beside the usual ones.

    In this process nothing waits longer than it must between attempts.
    """
    monkeypatch.chdir(tmp_path)
    hurry(monkeypatch.setattr)

    def start(settings: dict[str, str] | None = None, **how: object) -> Bench:
        sandbox = start_sandbox(**how)
        ledger_file = tmp_path / "ledger.sqlite"
        environment = {
            "REVER_BASE_URL": sandbox.base_url,
            "REVER_API_KEY": sandbox.api_key,
            "REVER_STORES": ",".join(sandbox.stores),
            "REVER_LEDGER_URL": f"sqlite:///{ledger_file}",
            **PATIENT,
            **(settings or {}),
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return Bench(sandbox, environment, ledger_file)

    return start


@pytest.fixture
def bench(start_bench: Start) -> Bench:
    """A desk in front of the default sandbox: two shops, 60 returns, no faults."""
    return start_bench()
