"""An inbox per test, on SQLite and on PostgreSQL, and a receiver around it without Prefect."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from deployments.receiver.app import Receiver, create_app
from deployments.receiver.delivery import read_content
from deployments.receiver.dispatcher import Dispatcher, Times
from deployments.receiver.inbox import Delivery, Inbox, Stored, store
from deployments.receiver.lookups import Standing
from deployments.receiver.metrics import Metrics
from deployments.receiver.offers import Pace
from deployments.receiver.prefect_runs import Announcer, PrefectTrouble, RunState
from rever_api.webhooks import SIGNATURE_HEADER, sign
from tasks.lookup import read_key
from tests.postgres import postgres_empty_url, postgres_server  # noqa: F401 - a fixture is found by its name

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
SECRET, OLD = SecretStr("s3cr3t-of-today"), SecretStr("s3cr3t-of-before")
BOTH = ["sqlite", pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.xdist_group("postgres")])]


def body(
    process_id: str = "retp_1", *, email: str = "ann@example.com", shipping: str = "CREATED", **more: Any
) -> bytes:
    """A raw body about a return."""
    told = {
        "rever_process_id": process_id,
        "rever_process_status": "RUNNING",
        "shopper": {"email": email, "first_name": "Ann"},
        "logistics": [{"status": shipping}],
    }
    return json.dumps({**told, **more}).encode()


@dataclass
class Clock:
    """Stands still until it is moved."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class Prefect:
    """What stands where Prefect is: takes runs by their key, and can be away."""

    away: bool = False
    runs: dict[str, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)
    state: RunState | None = RunState.TO_COME
    events: list[Mapping[str, Any]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)

    async def offer(self, deployment: str, parameters: Mapping[str, object], key: str) -> str:
        self._there()
        self.runs.setdefault(key, (deployment, parameters))
        return key

    async def states(self, run_ids: Collection[str]) -> dict[str, RunState]:
        self._there()
        return {run_id: self.state for run_id in run_ids if self.state is not None}

    async def cancel(self, run_ids: Collection[str]) -> set[str]:
        self._there()
        taken = set(run_ids) if self.state is RunState.TO_COME else set()
        self.cancelled += sorted(taken)
        return taken

    async def emit(self, events: Sequence[Mapping[str, Any]]) -> None:
        self._there()
        self.events += events

    async def close(self) -> None:
        pass

    def _there(self) -> None:
        if self.away:
            raise PrefectTrouble("Prefect did not respond")

    def offered(self) -> list[list[str]]:
        """The returns of each run, in the order in which they were offered."""
        forms: list[Any] = [parameters["parameters"] for _, parameters in self.runs.values()]
        assert all(form["mode"] == "act" for form in forms)
        keys = [map(read_key, form.get("process_ids") or [form["process_id"]]) for form in forms]
        return [[key.text for key in each if key.is_id] for each in keys]


class Desk:
    """A receiver's parts around an inbox. `looked` is what the ledger says: process id -> when the run began.

    `standing` is what REVER says, of returns that it can be asked about; `asked` are those that it was asked about.
    """

    def __init__(self, inbox: Inbox, clock: Clock) -> None:
        self.inbox, self.clock = inbox, clock
        self.prefect, self.metrics = Prefect(), Metrics()
        self.looked: dict[str, datetime] = {}
        self.standing: dict[str, Standing] = {}
        self.asked: list[str] = []
        self.announcer = Announcer(self.prefect)
        self.dispatcher = self.another()

    def another(self, pace: Pace | None = None, times: Times | None = None) -> Dispatcher:
        """A dispatcher on this inbox."""
        times = times or Times(first_again=timedelta(seconds=5), most_trouble_s=0.0, idle_s=1000.0)
        parts = (self.inbox, self.prefect, self._began, self.metrics, self.announcer, self.clock)
        return Dispatcher(*parts, times, pace, self._standings)

    async def _standings(self, process_ids: Collection[str]) -> dict[str, Standing]:
        self.asked += process_ids
        return {process_id: self.standing[process_id] for process_id in process_ids if process_id in self.standing}

    async def _began(self, process_ids: Collection[str]) -> dict[str, datetime]:
        return {process_id: self.looked[process_id] for process_id in process_ids if process_id in self.looked}

    def receiver(self) -> Receiver:
        async def reachable(_: float) -> bool:
            return not self.prefect.away

        secrets = (SECRET, OLD)
        parts = (self.dispatcher, self.announcer, self.metrics, self.clock, reachable)
        return Receiver(self.inbox, secrets, *parts, hosts=("receiver",))

    def store(self, raw: bytes, event: str = "") -> Stored:
        return self.inbox.write(store, Delivery(raw, read_content(raw), event, self.clock()))

    def step(self, dispatcher: Dispatcher | None = None) -> float:
        return asyncio.run((dispatcher or self.dispatcher).step()).seconds

    def look(self, *process_ids: str) -> None:
        """A run that begins now looks at these returns."""
        self.looked.update(dict.fromkeys(process_ids, self.clock()))

    def number(self, name: str, **labels: str) -> float:
        """A number of the metrics."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


@pytest.fixture(params=BOTH)
def inbox_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where nobody has opened an inbox yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/inbox.sqlite"
    return str(request.getfixturevalue("postgres_empty_url"))


@pytest.fixture
def desk(inbox_url: str) -> Iterator[Desk]:
    """An inbox on either database, with its dispatcher."""
    with closing(Inbox.open(inbox_url)) as inbox:
        yield Desk(inbox, Clock())


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Desk]:
    """An inbox on SQLite, with its dispatcher."""
    with closing(Inbox.open(f"sqlite:///{tmp_path}/inbox.sqlite")) as inbox:
        yield Desk(inbox, Clock())


def sender(desk: Desk) -> httpx.AsyncClient:
    """A sender in front of this desk's application, without a network."""
    transport = httpx.ASGITransport(create_app(desk.receiver()))
    return httpx.AsyncClient(transport=transport, base_url="http://receiver")


@pytest.fixture
async def http(local: Desk) -> AsyncIterator[httpx.AsyncClient]:
    """A sender in front of the application, without a network."""
    async with sender(local) as client:
        yield client


async def until(so: Callable[[], object]) -> None:
    """Wait until something is so; fails where it does not come to be."""
    async with asyncio.timeout(20):
        while not so():  # noqa: ASYNC110 - of things that tell nobody
            await asyncio.sleep(0.005)


def signed(raw: bytes, secret: SecretStr = SECRET) -> dict[str, str]:
    """The headers of a delivery."""
    return {"content-type": "application/json", SIGNATURE_HEADER: sign(raw, secret)}
