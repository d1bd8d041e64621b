"""The world that tests play in: a sandbox of REVER, a desk's settings for it, the desk's ledger, and a clock.

`World` is the same for every group of tests. A group that needs more (workers that are killed, a client that is
watched, a Prefect server) adds it in a class of its own, which inherits from this one.
"""

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection

from flows.run import run_flow
from rever_api.sandbox import RunningSandbox
from tasks.desk import Clock, utc_now
from tasks.ledger import History, HoldRow, Ledger, Unfinished, open_holds, open_intents, stop_switch, unfinished
from tasks.reporting.report import ReturnsReport, RunReport
from tasks.reporting.story import Known, story_lines, tell

P = ParamSpec("P")
T = TypeVar("T")
Operation = Callable[Concatenate[Connection, P], T]

PATIENT = {"REVER_TIMEOUT": "15", "REVER_SETTLE_AFTER": "60", "REVER_LEASE": "60"}
"""On a busy machine a call may take seconds; a time-out would make its outcome unknown, which other tests are for."""

QUICK = {"REVER_TIMEOUT": "1", "REVER_SETTLE_AFTER": "3", "REVER_LEASE": "1"}
"""For tests that wait until what is unknown is settled, and take outcomes as they come."""


class Served(Protocol):
    """A sandbox that is served, in this process or another."""

    @property
    def base_url(self) -> str: ...
    @property
    def api_key(self) -> str: ...
    @property
    def stores(self) -> tuple[str, ...]: ...


def environment_of(sandbox: Served, ledger_url: str, **settings: str) -> dict[str, str]:
    """The variables of a desk in front of this sandbox with this ledger; `settings` come last."""
    return {
        "REVER_BASE_URL": sandbox.base_url,
        "REVER_API_KEY": sandbox.api_key,
        "REVER_STORES": ",".join(sandbox.stores),
        "REVER_LEDGER_URL": ledger_url,
        **settings,
    }


@dataclass
class World:
    """A sandbox and a desk that works on it; `settings` are variables beside those that name the two.

    `date` is what REVER's answers tell as theirs: the desk's time unless it is set, so that time passes for both.
    """

    sandbox: RunningSandbox
    ledger_url: str
    settings: dict[str, str] = field(default_factory=dict)
    clock: Clock = utc_now
    date: Callable[[], datetime | None] | None = None

    def __post_init__(self) -> None:
        self.sandbox.sandbox.tells = self._tells

    def _tells(self) -> datetime | None:
        return (self.date or self.clock)()

    def now(self) -> datetime:
        """The desk's time."""
        return self.clock()

    @property
    def environment(self) -> dict[str, str]:
        """The variables that a process needs to be this world's desk."""
        return environment_of(self.sandbox, self.ledger_url, **self.settings)

    @property
    def account(self) -> str:
        """The account that the ledger is bound to."""
        return self.settings.get("REVER_ACCOUNT", self.sandbox.base_url)

    @property
    def on_sqlite(self) -> bool:
        """Whether the ledger is a file of its own, not a database on a server."""
        return self.ledger_url.startswith("sqlite:///")

    @property
    def ledger_file(self) -> Path:
        """The file of a ledger on SQLite."""
        assert self.on_sqlite
        return Path(self.ledger_url.removeprefix("sqlite:///"))

    @contextmanager
    def ledger(self, *, read_only: bool = False) -> Iterator[Ledger]:
        """The desk's ledger, open; made where there is none yet, unless it is only read."""
        with closing(Ledger.open(self.ledger_url, account=self.account, clock=self.now, read_only=read_only)) as ledger:
            yield ledger

    def read(self, operation: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Read the ledger as it is."""
        with self.ledger(read_only=True) as ledger:
            return ledger.read(operation, *args, **kwargs)

    def write(self, operation: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Write to the ledger past the desk."""
        with self.ledger() as ledger:
            return ledger.write(operation, *args, **kwargs)

    def holds(self) -> list[HoldRow]:
        """The open holds."""
        return list(self.read(open_holds))

    def paid(self) -> dict[str, Decimal]:
        """Currency -> what was paid through the API, by REVER's books."""
        return {currency: amount for currency, amount in self.sandbox.books.paid().items() if amount}

    def keep_only(self, scenarios: Collection[str]) -> None:
        """Take the returns of all other scenarios away."""
        keep_only(self.sandbox, scenarios)

    def run(self, flow: str, **values: str) -> ReturnsReport:
        """Run a flow in this process, without Prefect; `environment` must be this process's."""
        report = run_flow(flow, values, prefect=False, clock=self.clock)
        assert isinstance(report, ReturnsReport)
        return report

    def tell(self, flow: str, **values: str) -> RunReport:
        """Run a flow that only tells, in this process and without Prefect."""
        return run_flow(flow, values, prefect=False, clock=self.clock)

    def act(self, **values: str) -> ReturnsReport:
        """Run process-pending-returns for real."""
        return self.run("process-pending-returns", mode="act", **values)

    def let_effects_go(self) -> None:
        """End the stop, as a person does who has looked at what is held. Raises `LedgerError` where it is too early."""
        self.write(stop_switch, on=False, by="olga", why="looked at what is held", now=self.clock())

    def let_pass(self, seconds: float) -> None:
        """Let time pass for the desk, without waiting for it."""
        before, by = self.clock, timedelta(seconds=seconds)
        self.clock = lambda: before() + by

    def pass_time(self, seconds: float) -> None:
        """Let time pass for the desk and for REVER, without waiting for it."""
        self.let_pass(seconds)
        self.sandbox.advance(seconds)

    def unfinished(self) -> list[Unfinished]:
        """The returns that are not at their end and have no effect open."""
        return self.read(unfinished)

    def explained(self) -> set[str]:
        """The returns that wait for a person, for an outcome, or for their next look."""
        held = {hold.process_id for hold in self.holds()}
        opened = {item.process_id for item in self.read(open_intents)}
        return held | opened | {item.process_id for item in self.unfinished() if item.next_look_at}

    def wait_until_settled(self) -> None:
        """Wait until nothing open is still within its lease, its deadline or the time in which it may yet show up."""
        found = self.read(open_intents)
        ends = [end for item in found for end in (item.lease_until, item.deadline, item.settle_at) if end]
        time.sleep(max(0.0, max(((end - utc_now()).total_seconds() for end in ends), default=0.0)) + 0.1)


Start = Callable[..., World]
"""`start_world(settings, **how)`: starts a sandbox with the arguments of `running_sandbox` and a desk before it."""


def keep_only(sandbox: RunningSandbox, scenarios: Collection[str]) -> None:
    """Take the returns of all other scenarios away."""
    with sandbox.sandbox.locked():
        for process_id, stored in list(sandbox.sandbox.processes.items()):
            if stored.scenario not in scenarios:
                del sandbox.sandbox.processes[process_id]


def told(history: History) -> str:
    """The story of a return as the ledger alone tells it."""
    record = history.record
    known = Known(record.process_id, record.store, record.order_name, history=history)
    return "\n".join(story_lines(tell(known)))


def added(*many: dict[str, Decimal]) -> dict[str, Decimal]:
    """The sums per currency, without those that come to nothing."""
    total: dict[str, Decimal] = {}
    for amounts in many:
        for currency, amount in amounts.items():
            total[currency] = total.get(currency, Decimal(0)) + amount
    return {currency: amount for currency, amount in sorted(total.items()) if amount}


def shown(amounts: dict[str, Decimal]) -> str:
    """Amounts in words."""
    return ", ".join(f"{amount} {currency}" for currency, amount in sorted(amounts.items())) or "nothing"
