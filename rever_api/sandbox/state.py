"""What the sandbox knows: processes, stock, labels, the books of every effect, and what is to happen later."""

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import count
from random import Random
from string import ascii_letters, digits
from threading import RLock
from typing import Any

from pydantic import ValidationError

from rever_api.models import LineQuantity, LogisticOrder, ReturnProcess
from rever_api.sandbox.shops import GROUP, Shop


class SandboxClock:
    """Returns the time in UTC when called: real time, and as much more as a test has let pass with `advance`."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def __call__(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC) + self._ahead

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass; a negative number is a clock that jumps back."""
        self._ahead += timedelta(seconds=seconds)


class Ids:
    """A source of ids as REVER's look (observed): a prefix and 27 base62 characters, the same for the same seed."""

    def __init__(self, seed: int, purpose: str = "") -> None:
        self._random = Random(f"{seed}/{purpose}")  # noqa: S311 - ids that must repeat, not secrets

    def new(self, prefix: str) -> str:
        """Return `prefix_` and 27 characters, as in `retp_2AbC...`."""
        return f"{prefix}_" + "".join(self._random.choices(digits + ascii_letters, k=27))


CREATED = "created"
"""The scenario of a process that a call has made."""

# The codes of gRPC that are in the bodies of errors, as REVER's Admin API is inferred to write them.
INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, RESOURCE_EXHAUSTED = 3, 5, 6, 7, 8
FAILED_PRECONDITION, ABORTED, UNIMPLEMENTED, UNAVAILABLE, UNAUTHENTICATED = 9, 10, 12, 14, 16


class Refusal(Exception):  # noqa: N818 - a response of the API, not a failure of the sandbox
    """A call whose response is an error status; nothing was done."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {"code": code, "message": message, "details": []}


def invalid(message: str) -> Refusal:
    """Refuse a request that makes no sense (400, gRPC 3)."""
    return Refusal(400, INVALID_ARGUMENT, message)


def not_found(what: str) -> Refusal:
    """Refuse a request for something that is not there (404, gRPC 5)."""
    return Refusal(404, NOT_FOUND, f"{what} not found")


def unreadable(error: ValidationError) -> Refusal:
    """Refuse a body that does not fit; fields and kinds of error are named, values are not."""
    faults = (f"{'.'.join(map(str, item['loc']))}: {item['type']}" for item in error.errors())
    return invalid("invalid body: " + "; ".join(faults))


class Actor(StrEnum):
    """Who caused an effect. All but API are foreign to whoever uses the API."""

    API = "api"
    REVER = "rever"
    BACK_OFFICE = "back_office"
    WAREHOUSE = "warehouse"
    SHOPPER = "shopper"
    HISTORY = "history"


@dataclass(frozen=True, slots=True)
class Effect:
    """One effect. `amount` is None where no money moved. `before` is the process just before it, for the auditor."""

    number: int
    at: datetime
    process_id: str
    store: str
    operation: str
    by: Actor
    status_before: str
    amount: Decimal | None = None
    currency: str = ""
    type: str = ""
    items: tuple[LineQuantity, ...] = ()
    reference: str = ""
    before: ReturnProcess | None = field(default=None, repr=False)

    @property
    def foreign(self) -> bool:
        """Whether someone else than a user of the API did it."""
        return self.by is not Actor.API

    def as_json(self) -> dict[str, Any]:
        """Return the effect without the process, which has personal data in it."""
        return {
            "number": self.number,
            "at": self.at.isoformat(),
            "process_id": self.process_id,
            "store": self.store,
            "operation": self.operation,
            "by": self.by.value,
            "foreign": self.foreign,
            "amount": None if self.amount is None else str(self.amount),
            "currency": self.currency,
            "type": self.type,
            "items": [item.model_dump() for item in self.items],
            "reference": self.reference,
            "status_before": self.status_before,
        }


@dataclass(slots=True)
class Books:
    """Every effect that was really carried out, in order, whoever asked for it. Numbers start at 1, without gaps."""

    _effects: list[Effect] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._effects)

    def __iter__(self) -> Iterator[Effect]:
        return iter(self.effects)

    @property
    def effects(self) -> tuple[Effect, ...]:
        """All effects in the order in which they were carried out."""
        return tuple(self._effects)

    def of(self, process_id: str, operation: str = "") -> tuple[Effect, ...]:
        """Return the effects of one process, of one operation where it is named."""
        return tuple(e for e in self.effects if e.process_id == process_id and operation in {"", e.operation})

    def write(self, **entry: Any) -> Effect:
        """Append an effect and return it; `number` is given here."""
        effect = Effect(number=len(self._effects) + 1, **entry)
        self._effects.append(effect)
        return effect

    def paid(self, store: str = "", by: Actor = Actor.API) -> dict[str, Decimal]:
        """Return currency -> money paid by `by`, in one store where it is named."""
        totals: dict[str, Decimal] = {}
        for effect in self.effects:
            if effect.amount is not None and effect.by is by and store in {"", effect.store}:
                totals[effect.currency] = totals.get(effect.currency, Decimal(0)) + effect.amount
        return dict(sorted(totals.items()))

    def counts(self) -> dict[str, int]:
        """Return operation -> number of effects that came through the API."""
        return dict(sorted(Counter(e.operation for e in self.effects if not e.foreign).items()))

    def as_json(self) -> dict[str, Any]:
        """Return all of it: `effects`, `counts`, `paid` (through the API) and `paid_by_others`, amounts as strings."""
        others = {actor.value: as_text(self.paid(by=actor)) for actor in Actor if actor is not Actor.API}
        return {
            "effects": [effect.as_json() for effect in self.effects],
            "counts": self.counts(),
            "paid": as_text(self.paid()),
            "paid_by_others": {actor: totals for actor, totals in others.items() if totals},
        }


def as_text(totals: dict[str, Decimal]) -> dict[str, str]:
    """Return currency -> amount as JSON has it: a string."""
    return {currency: str(amount) for currency, amount in totals.items()}


@dataclass(slots=True)
class Entry:
    """One request. `status` is None where no response was sent; `acted` counts its effects, later ones too."""

    number: int
    at: datetime
    operation: str
    process_id: str
    fault: str = ""
    status: int | None = None
    acted: int = 0


@dataclass(slots=True)
class Journal:
    """All requests in the order in which they came, without headers, bodies or personal data."""

    entries: list[Entry] = field(default_factory=list)

    def open(self, at: datetime, operation: str, process_id: str) -> Entry:
        """Note a request as it comes; its response is filled in afterwards."""
        entry = Entry(len(self.entries) + 1, at, operation, process_id)
        self.entries.append(entry)
        return entry

    def as_json(self) -> list[dict[str, Any]]:
        """Return the entries with their times as text."""
        return [asdict(entry) | {"at": entry.at.isoformat()} for entry in tuple(self.entries)]


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
    requests per second it takes of a key; the others get a 429. None: as many as come. `pays_out_after` is how
    many seconds after it has accepted a refund the money is paid: 0 at once, None not before the act `pay_out`.
    `pays_in_legs` shows each refund as two. `bonus` is how many percent of their value the auditor lets a desk add to
    refunds of a method, `shipping` what it lets a desk refund of the shipping of an order, by the order's id and over
    all of its returns; by default none. `judged_by` is the refund timing by which the auditor judges a desk that pays
    by rules of its own; by default the shop's. `parcels` is in how many parcels a return travels, by its id, each with
    one live label; by default in one. `label_life` is how many seconds after it was made a label that nobody used is
    spent, so that the auditor lets a desk make another one; None: never. `label_url_seconds` is how long the
    address of a label's file is good for, `shows_label_urls` has parcels show such an address.
    """

    completion_delay: float = 0.0
    checks_amounts: bool = False
    checks_status: bool = False
    stale_for: float = 30.0
    label_url_seconds: float = 900.0
    shows_label_urls: bool = False
    rate: float | None = None
    pays_out_after: float | None = 0.0
    pays_in_legs: bool = False
    bonus: Mapping[str, Decimal] = field(default_factory=dict)
    shipping: Mapping[str, Decimal] = field(default_factory=dict)
    parcels: Mapping[str, int] = field(default_factory=dict)
    judged_by: str = ""
    label_life: float | None = None


Subscriber = Callable[[ReturnProcess], None]


class Sandbox:
    """The state of one REVER. Use it inside `with sandbox.locked():` when the server runs.

    `label_faults` are by the return's id; `label_requests` are the headers of those who fetched files of labels.
    `subscribers` are called, under the lock, with each process that was created or changed. `tells` returns
    the time for the `Date` header of responses, None for no header: this machine's, however much a test lets pass.
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
        self.label_faults: dict[str, str] = {}
        self.label_requests: list[dict[str, str]] = []
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
        """Hold the lock on the state, with all that is due by now carried out."""
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
        """Add a new process and call the subscribers."""
        self.processes[stored.process.rever_process_id] = stored
        self._publish(stored.process)

    def change(self, stored: StoredProcess, **fields: Any) -> ReturnProcess:
        """Give a process new values, remember how it was, and call the subscribers."""
        now = self.clock()
        if stored.changed_in != self._step:
            stored.earlier, stored.changed_in = stored.process, self._step
        stored.changed_at = now
        stored.process = stored.process.model_copy(update={**fields, "updated_at": now})
        self._publish(stored.process)
        return stored.process

    def write_effect(self, before: ReturnProcess, operation: str, by: Actor, **more: Any) -> None:
        """Write an effect in the books; `before` is the process just before it, `more` are further fields of Effect."""
        self.books.write(
            at=self.clock(), process_id=before.rever_process_id, store=before.ecommerce_id, operation=operation,
            by=by, status_before=str(before.rever_process_status), before=before, **more,
        )  # fmt: skip

    def seen(self, stored: StoredProcess, *, stale: bool) -> ReturnProcess:
        """Return the process as a read shows it; a stale read shows it as before a change that is still young."""
        if not stale:
            return stored.process
        young = self.clock() - stored.changed_at < timedelta(seconds=self.options.stale_for)
        return stored.earlier if young else stored.process

    def listed(self, stored: StoredProcess, *, stale: bool) -> ReturnProcess | None:
        """Return the process as a search shows it, None where it does not: a stale one shows no young new process."""
        started = stored.process.started_at
        new = started is not None and self.clock() - started < timedelta(seconds=self.options.stale_for)
        return None if stale and new and stored.scenario == CREATED else self.seen(stored, stale=stale)

    def stored_of(self, order_id: str) -> StoredProcess | None:
        """Return the process of a logistic order, None where none has it."""
        having = (it for it in self.processes.values() if any(order.id == order_id for order in it.orders))
        return next(having, None)

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
