"""What the sandbox knows: processes, stock, labels, books, and what is to happen later. One lock around all of it."""

import heapq
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from threading import RLock
from typing import Any

from rever_api.models import LogisticOrder, ReturnProcess
from rever_api.sandbox.books import Books
from rever_api.sandbox.clock import SandboxClock
from rever_api.sandbox.ids import Ids
from rever_api.sandbox.refusal import not_found
from rever_api.sandbox.shops import GROUP, Shop


@dataclass(slots=True)
class StoredProcess:
    """A process and what REVER keeps beside it. `earlier` is the process before its last change, for stale reads:
    all that one call does is one change, `changed_in` its number.

    `refunded` and `exchanged` count units per line id, as the bodies of the calls named them.
    """

    process: ReturnProcess
    scenario: str
    earlier: ReturnProcess
    changed_at: datetime
    orders: tuple[LogisticOrder, ...] = ()
    refunded: dict[str, int] = field(default_factory=dict)
    exchanged: dict[str, int] = field(default_factory=dict)
    changed_in: int = -1


@dataclass(frozen=True, slots=True)
class Options:
    """How this REVER behaves. It checks neither amounts nor statuses by default, so that a mistake shows in the books.

    `completion_delay` is in seconds: how long after its last outcome a process becomes COMPLETED. `rate` is how many
    requests per second it takes of a key; the others are answered 429. None: as many as come. `pays_out_after` is how
    many seconds after it has accepted a refund the money is paid: 0 at once, None not before the act `pay_out`.
    `pays_in_legs` shows each refund as two.
    """

    completion_delay: float = 0.0
    checks_amounts: bool = False
    checks_status: bool = False
    stale_for: float = 30.0
    label_url_seconds: float = 900.0
    rate: float | None = None
    pays_out_after: float | None = 0.0
    pays_in_legs: bool = False


Subscriber = Callable[[ReturnProcess], None]


class Sandbox:
    """The state of one REVER. Use it inside `with sandbox.locked():` when the server runs.

    `subscribers` are called, under the lock, with each process that was created or changed. `tells` is the time that
    the answers' `Date` header tells, none where it is None: that of this machine, however much time a test lets pass.
    """

    def __init__(self, shops: dict[str, Shop], seed: int, options: Options | None = None) -> None:
        self.shops = shops
        self.group = GROUP
        self.seed = seed
        self.options = options or Options()
        self.clock = SandboxClock()
        self.tells: Callable[[], datetime | None] = lambda: datetime.now(UTC)
        self.ids = Ids(seed, "live")
        self.processes: dict[str, StoredProcess] = {}
        self.stock: dict[str, int] = {}
        self.label_files: dict[str, tuple[bytes, str]] = {}
        self.books = Books()
        self.subscribers: list[Subscriber] = []
        self.poisons: dict[str, tuple[tuple[str | int, ...], bytes]] = {}
        self.denied: set[str] = set()
        self._lock = RLock()
        self._later: list[tuple[datetime, int, bool, Callable[[], object]]] = []
        self._order = count()
        self._depth = self._step = 0

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Have the state for oneself, with all that is due by now carried out."""
        with self._lock:
            if not self._depth:
                self._catch_up(self.clock())
                self._step += 1
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1

    def later(self, seconds: float, action: Callable[[], object], *, fault: bool = False) -> None:
        """Have `action` done once `seconds` have passed: at the first look at the state after that."""
        with self._lock:
            due = self.clock() + timedelta(seconds=seconds)
            heapq.heappush(self._later, (due, next(self._order), fault, action))

    def _catch_up(self, now: datetime) -> None:
        while self._later and self._later[0][0] <= now:
            self._step += 1
            heapq.heappop(self._later)[-1]()

    def finish_pending(self) -> None:
        """Carry out at once, in its order, all that a fault has put off."""
        with self._lock:
            pending = sorted(entry for entry in self._later if entry[2])
            self._later = [entry for entry in self._later if not entry[2]]
            heapq.heapify(self._later)
            for *_, action in pending:
                action()

    def shop(self, ecommerce_id: str) -> Shop:
        """Return a shop, or refuse with 404."""
        if ecommerce_id not in self.shops:
            raise not_found("ecommerce")
        return self.shops[ecommerce_id]

    def find(self, process_id: str) -> StoredProcess:
        """Return a process, or refuse with 404."""
        if process_id not in self.processes:
            raise not_found("process")
        return self.processes[process_id]

    def add(self, stored: StoredProcess) -> None:
        """Take in a new process and tell the subscribers."""
        self.processes[stored.process.rever_process_id] = stored
        self._publish(stored.process)

    def change(self, stored: StoredProcess, **fields: Any) -> ReturnProcess:
        """Give a process new values, remember how it was, and tell the subscribers."""
        now = self.clock()
        if stored.changed_in != self._step:
            stored.earlier, stored.changed_in = stored.process, self._step
        stored.changed_at = now
        stored.process = stored.process.model_copy(update={**fields, "updated_at": now})
        self._publish(stored.process)
        return stored.process

    def seen(self, stored: StoredProcess, *, stale: bool) -> ReturnProcess:
        """Return the process as a read shows it; a stale read shows it as before a change that is still young."""
        if not stale:
            return stored.process
        young = self.clock() - stored.changed_at < timedelta(seconds=self.options.stale_for)
        return stored.earlier if young else stored.process

    def process_ids(self, scenario: str = "", store: str = "") -> tuple[str, ...]:
        """Return the ids of all returns, or those of a scenario, or of a store, in the order of their creation."""
        with self.locked():
            return tuple(
                process_id
                for process_id, stored in self.processes.items()
                if scenario in {"", stored.scenario} and store in {"", stored.process.ecommerce_id}
            )

    def _publish(self, process: ReturnProcess) -> None:
        for subscriber in self.subscribers:
            subscriber(process)
