"""What a worker works with, watched: its ledger, its client, and a sandbox that remembers what each read showed."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

from rever_api import AsyncReverClient, ClientConfig
from rever_api.http import AsyncSender, Progress
from rever_api.limits import AsyncSlot, Limits
from rever_api.messages import Answer, Request
from rever_api.models import ExchangeItem, RefundInput, ReturnProcess
from rever_api.sandbox.state import Sandbox, SandboxClock, StoredProcess
from tasks.desk import Clock, Desk
from tasks.ledger import Ledger
from tests.model.life import WRITES, Worker

Items = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class View:
    """What a read showed: the process, and how many effects were in the books when it was so."""

    process: ReturnProcess
    effects: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A call that moves money or goods, and what the read before it had shown."""

    process_id: str
    operation: str
    amount: Decimal | None
    type: str
    items: Items
    view: View | None


class StillClock(SandboxClock):
    """Time that passes only when it is told to, so that an example is the same when it is run again."""

    def __call__(self) -> datetime:
        return datetime(2026, 3, 2, 9, tzinfo=UTC) + self._ahead


class WatchedSandbox(Sandbox):
    """A sandbox that remembers, for each read of one return, which state of it was shown."""

    def __init__(self, *args: Any, **how: Any) -> None:
        super().__init__(*args, **how)
        self.clock = StillClock()
        self.shown: dict[str, View] = {}
        self.sent: list[Sent] = []
        self._versions: dict[int, View] = {}
        self.subscribers.append(self._keep)

    def _keep(self, process: ReturnProcess) -> None:
        self._versions[id(process)] = View(process, len(self.books))

    def seen(self, stored: StoredProcess, *, stale: bool) -> ReturnProcess:
        """As the sandbox does it, and remembered."""
        process = super().seen(stored, stale=stale)
        self.shown[process.rever_process_id] = self._versions[id(process)]
        return process


class WatchedLedger:
    """A ledger whose worker can die before and after each write; dead, it writes nothing."""

    def __init__(self, ledger: Ledger, worker: Worker) -> None:
        self._ledger = ledger
        self._worker = worker

    async def awrite(self, op: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await self._written(op.__name__, lambda: self._ledger.awrite(op, *args, **kwargs))

    async def awrite_joined(self, op: Callable[..., Any], item: Any) -> Any:
        return await self._written(op.__name__, lambda: self._ledger.awrite_joined(op, item))

    async def _written(self, name: str, write: Callable[[], Awaitable[Any]]) -> Any:
        self._pass("before", name)
        with self._worker.awaiting():
            answer = await write()
        self._pass("after", name)
        return answer

    async def aread(self, op: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._worker.alive()
        with self._worker.awaiting():
            return await self._ledger.aread(op, *args, **kwargs)

    def _pass(self, when: str, name: str) -> None:
        self._worker.alive()
        if name in WRITES:
            self._worker.passes(f"{when} {name}")


class WatchedClient:
    """A client whose sent effects are kept beside what the read before had shown; dead, it calls nobody."""

    def __init__(self, client: AsyncReverClient, worker: Worker, sandbox: WatchedSandbox) -> None:
        self._client = client
        self._worker = worker
        self._sandbox = sandbox
        self._views: dict[str, View] = {}

    def __getattr__(self, name: str) -> Any:
        self._worker.alive()
        return getattr(self._client, name)

    async def get_return_process(self, process_id: str, *, slot: AsyncSlot | None = None) -> ReturnProcess:
        self._worker.alive()
        process = await self._client.get_return_process(process_id, slot=slot)
        self._views[process_id] = self._sandbox.shown[process_id]
        return process

    async def issue_refund(self, process_id: str, refund: RefundInput, *, slot: AsyncSlot | None = None) -> Any:
        items = tuple((item.line_item_id, item.quantity) for item in refund.items)
        self._note(process_id, "issueRefund", items, refund.amount, str(refund.type))
        return await self._client.issue_refund(process_id, refund, slot=slot)

    async def issue_exchange(
        self, process_id: str, items: tuple[ExchangeItem, ...], *, slot: AsyncSlot | None = None
    ) -> Any:
        self._note(process_id, "issueExchange", tuple((item.line_item_id, item.quantity) for item in items))
        return await self._client.issue_exchange(process_id, items, slot=slot)

    def _note(
        self, process_id: str, operation: str, items: Items, amount: Decimal | None = None, type_: str = ""
    ) -> None:
        self._worker.alive()
        view = self._views.get(process_id)
        self._sandbox.sent.append(Sent(process_id, operation, amount, type_, items, view))


@dataclass
class _Progress(Progress):
    """An attempt whose deadline goes by a worker's time."""

    now: Callable[[], float] = time.monotonic

    def remaining(self) -> float:
        return self.deadline - (self.now() - self.started)


class _WatchedSender(AsyncSender):
    """The worker's time stands while an answer is under way."""

    def __init__(self, config: ClientConfig, clock: Clock, worker: Worker) -> None:
        super().__init__(config, clock)
        self._worker = worker

    def _progress(self) -> Progress:
        told, now = super()._progress(), self._worker.now
        return _Progress(told.deadline, started=now(), timeouts=told.timeouts, now=now)

    async def _exchange(self, request: Request, progress: Progress) -> Answer:
        with self._worker.awaiting():
            return await super()._exchange(request, progress)


def watch(desk: Desk, worker: Worker, sandbox: WatchedSandbox) -> None:
    """Put this worker's watched ledger and client, which go by its time, into its desk."""
    client = desk.client
    client._limits = Limits(client.config.rate, client.config.max_in_flight, worker.now)
    client._monotonic = worker.now
    client._sender = _WatchedSender(client.config, desk.clock, worker)
    desk.client = cast("AsyncReverClient", WatchedClient(client, worker, sandbox))
    desk.ledger = cast("Ledger", WatchedLedger(desk.ledger, worker))
