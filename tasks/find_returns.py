"""Find returns by whatever a person knows of them: an id, an order number, a hold, a tracking number, an e-mail.

How far each kind is searched, and what REVER's search is known to take: docs/find.md. An e-mail address is only asked
from REVER and compared with what comes back; it is kept nowhere.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from rever_api import AsyncReverClient
from rever_api.errors import NotFound, NotSent, Refused, Unreadable, WrongRoute
from rever_api.models import ReturnProcess, SearchQuery, UnreadableProcess
from tasks.desk import Desk, WrongNameError
from tasks.fetch_returns import Entry
from tasks.ledger import Ledger, RecordRow, find_hold, returns_of, returns_of_order
from tasks.lookup import KeyKind, Lookup, hold_id, order_names, same_email, same_order, same_tracking
from tasks.policy.facts import counted, status_in_words
from tasks.policy.money import shown
from tasks.policy.order_returns import OrderKey
from tasks.steps import step

LOOKED_THROUGH = 2_000
"""Returns of a store, the newest first, that are looked through where REVER's search finds nothing by its text."""

_SHORTEST_TEXT = 3
"""Letters that REVER's free text search takes at least (observed)."""


class NothingFoundError(WrongNameError):
    """No return was found by what was typed; the sentence says where it was looked for."""


class SeveralStoresError(WrongNameError):
    """What was typed names returns of several stores, and nobody has said which are meant; nothing was begun."""

    def __init__(self, match: "Match") -> None:
        names = f"{match.kind.noun} {match.key.text} names returns of several stores: {', '.join(match.stores)}"
        choice = f"stores={match.stores[0]}, or stores={','.join(match.stores)} for all"
        super().__init__(f"{names}. A run with mode=act begins only where `stores` says which are meant: {choice}")


@dataclass(frozen=True, slots=True)
class FoundReturn:
    """A return that was found. `process` is what REVER says of it; None where REVER does not show it.

    `searched` says that it is an entry of REVER's list, which may leave fields out that a read by id has.
    """

    process_id: str
    store: str
    order_name: str
    process: ReturnProcess | None = field(default=None, repr=False)
    problem: str = ""
    """Why nothing more is known of it: REVER does not show it, or it cannot be read."""
    searched: bool = False

    @property
    def state(self) -> str:
        """How it stands at REVER, in words."""
        if self.process is None:
            return self.problem or "not read at REVER"
        return status_in_words(self.process)

    @property
    def worth(self) -> dict[str, Decimal]:
        """What the goods that come back cost, per currency, as REVER shows it."""
        sums: dict[str, Decimal] = {}
        for line in self.process.return_line_items if self.process else ():
            if line.total_price is not None and line.currency:
                sums[line.currency] = sums.get(line.currency, Decimal(0)) + line.total_price
        return sums

    @property
    def words(self) -> str:
        """Which return it is: order, store, state, amount."""
        goods = " and ".join(shown(amount, currency) for currency, amount in sorted(self.worth.items()))
        parts = [
            f"order {self.order_name}" if self.order_name else "no order number",
            f"store {self.store}",
            self.state,
        ]
        parts += [f"goods worth {goods}"] if goods else []
        return f"{self.process_id} ({', '.join(parts)})"


@dataclass(frozen=True, slots=True)
class Match:
    """What was found by a key, oldest return first, and as which kind of key it was taken."""

    key: Lookup
    kind: KeyKind
    returns: tuple[FoundReturn, ...]

    @property
    def stores(self) -> tuple[str, ...]:
        """The stores of the returns, by name."""
        return tuple(sorted({found.store for found in self.returns}))

    @property
    def by(self) -> str:
        """By what it was found; never an e-mail address itself."""
        return f"found by {self.key.shown if self.kind is KeyKind.EMAIL else f'{self.kind.noun} {self.key.text}'}"

    @property
    def words(self) -> str:
        """What was found, in a sentence."""
        many = f"{counted(len(self.returns), 'return')}: " if len(self.returns) > 1 else ""
        return f"{self.by}: {many}{'; '.join(found.words for found in self.returns)}"


@dataclass(frozen=True, slots=True)
class Finder:
    """Where returns are looked for: at REVER, among these stores, and in the ledger."""

    client: AsyncReverClient
    ledger: Ledger
    stores: tuple[str, ...]

    async def find(self, key: Lookup) -> Match:
        """The returns of a key: by the first of its kinds that finds any.

        Raises `NothingFoundError`, and a `ReverError` where REVER could not be asked.
        """
        looked = list[str]()
        for kind in key.kinds:
            found = await self._by(kind, key, looked)
            if found:
                ours = [item for item in found if item.store in self.stores]
                if not ours:
                    raise NothingFoundError(_of_others(key, found, self.stores))
                return Match(key, kind, tuple(sorted(ours, key=_age)))
        raise NothingFoundError(f"no return was found by {key.shown}: {'; '.join(looked)}")

    async def _by(self, kind: KeyKind, key: Lookup, looked: list[str]) -> list[FoundReturn]:
        """The returns that this kind of key finds; where nothing is found, `looked` says where it was looked for."""
        match kind:
            case KeyKind.ID:
                looked.append(f"{key.text} is no id of a return at REVER")
                return await self._read([key.text], certain=key.is_id)
            case KeyKind.HOLD:
                looked.append(f"the ledger has no hold {hold_id(key)}")
                hold = await self.ledger.aread(find_hold, hold_id(key))
                return [] if hold is None else await self._read([hold.hold.process_id])
            case KeyKind.ORDER:
                looked.append(f"no return of an order {key.text}, in the ledger or in REVER's search")
                return await self._of_order(key)
            case KeyKind.TRACKING:
                return await self._by_text(key, looked, _has_parcel(key.text))
            case KeyKind.EMAIL:
                return await self._by_text(key, looked, _has_shopper(key.text))

    async def _of_order(self, key: Lookup) -> list[FoundReturn]:
        """All returns of an order: those REVER's search shows, and those the ledger knows besides."""
        found: dict[str, FoundReturn] = {}
        for store in self.stores:
            for name in order_names(key):
                query = SearchQuery(ecommerce_id=store, customer_printed_order_id=name)
                async for entry in self._entries(query):
                    if same_order(entry.order_name, key.text):
                        found.setdefault(_id(entry), self._found(entry, store))
        known = await self.ledger.aread(returns_of_order, order_names(key))
        rest = await self._read([row.process_id for row in known if row.process_id not in found])
        return [*found.values(), *rest]

    async def _by_text(self, key: Lookup, looked: list[str], has: Callable[[Entry], bool]) -> list[FoundReturn]:
        """What REVER's free text search finds and really has it, else what the newest returns of each store have."""
        found: dict[str, FoundReturn] = {}
        for store in self.stores if len(key.text) >= _SHORTEST_TEXT else ():
            async for entry in self._entries(SearchQuery(ecommerce_id=store, freetext=key.text)):
                if has(entry):
                    found.setdefault(_id(entry), self._found(entry, store))
        if found:
            return [*found.values()]
        seen = dict.fromkeys(self.stores, 0)
        for store in self.stores:
            async for entry in self._entries(SearchQuery(ecommerce_id=store)):
                seen[store] += 1
                if has(entry):
                    found.setdefault(_id(entry), self._found(entry, store))
        kind = KeyKind.EMAIL if KeyKind.EMAIL in key.kinds else KeyKind.TRACKING
        looked.append(f"no {kind.noun} like it, in REVER's search or in {_seen(seen)}")
        return [*found.values()]

    async def _entries(self, query: SearchQuery) -> AsyncIterator[Entry]:
        """What REVER's list shows, newest first, at most `LOOKED_THROUGH`: it may not know the filter and show all."""
        newest = query.model_copy(update={"sortby": "started_at", "order": "desc", "limit": 100})
        left = LOOKED_THROUGH
        async for entry in self.client.walk_return_processes(newest):
            if _id(entry):
                yield entry
            left -= 1
            if not left:
                return

    async def _read(self, process_ids: Sequence[str], *, certain: bool = True) -> list[FoundReturn]:
        """Read returns by their ids. One that only the ledger knows is found too, and says that REVER does not show it.

        Unless it is `certain` that these are ids, one that REVER refuses for what it looks like just finds nothing.
        """
        known = {row.process_id: row for row in await self.ledger.aread(returns_of, process_ids)}
        found: list[FoundReturn] = []
        for process_id in process_ids:
            if OrderKey.of(process_id):
                found += [_from_ledger(known[process_id])] if process_id in known else []
                continue
            try:
                found.append(self._found(await self.client.get_return_process(process_id), ""))
            except Unreadable as error:
                found.append(self._found(error.process, known[process_id].store if process_id in known else ""))
            except NotFound:
                found += [_from_ledger(known[process_id])] if process_id in known else []
            except (Refused, WrongRoute, NotSent):
                if certain:
                    raise
        return found

    def _found(self, entry: Entry, asked: str) -> FoundReturn:
        """A return of this entry; its store is the one it names, else the one asked for, else the only one there is."""
        store = entry.ecommerce_id or asked or (self.stores[0] if len(self.stores) == 1 else "")
        if isinstance(entry, UnreadableProcess):
            return FoundReturn(entry.process_id, store, entry.order_name, problem="cannot be read")
        return FoundReturn(entry.rever_process_id, store, entry.order_name, entry, searched=bool(asked))


@step("find-returns")
async def find_returns(desk: Desk, keys: Sequence[Lookup], stores: Sequence[str]) -> list[Match]:
    """What each of these keys finds among these stores. Raises `NothingFoundError` for the first that finds nothing."""
    finder = Finder(desk.client, desk.ledger, tuple(stores))
    return [await finder.find(key) for key in keys]


def found_in_ledger(ledger: Ledger, key: Lookup, *, problem: str = "") -> Match | None:
    """What the ledger alone finds by a key, where REVER cannot be asked, which is the `problem`; None for nothing."""
    for kind in key.kinds:
        rows: list[RecordRow] = []
        if kind is KeyKind.ID:
            rows = ledger.read(returns_of, [key.text])
        elif kind is KeyKind.HOLD and (hold := ledger.read(find_hold, hold_id(key))) is not None:
            rows = ledger.read(returns_of, [hold.hold.process_id])
        elif kind is KeyKind.ORDER:
            rows = ledger.read(returns_of_order, order_names(key))
        if rows:
            found = (FoundReturn(row.process_id, row.store, row.order_name, problem=problem) for row in rows)
            return Match(key, kind, tuple(found))
    return None


def _id(entry: Entry) -> str:
    return entry.process_id if isinstance(entry, UnreadableProcess) else entry.rever_process_id


def _has_parcel(number: str) -> Callable[[Entry], bool]:
    return lambda entry: (
        isinstance(entry, ReturnProcess)
        and any(same_tracking(parcel.tracking_number, number) for parcel in entry.logistics or ())
    )


def _has_shopper(email: str) -> Callable[[Entry], bool]:
    return lambda entry: (
        isinstance(entry, ReturnProcess) and entry.shopper is not None and same_email(entry.shopper.email, email)
    )


def _from_ledger(row: RecordRow) -> FoundReturn:
    gone = "REVER does not show it any more"
    problem = "its order, of which a return was asked for" if OrderKey.of(row.process_id) else gone
    return FoundReturn(row.process_id, row.store, row.order_name, problem=problem)


def _age(found: FoundReturn) -> tuple[float, str]:
    started = found.process.started_at if found.process else None
    return (started.timestamp() if started else 0.0, found.process_id)


def _seen(seen: dict[str, int]) -> str:
    """How far each store was looked through."""
    said = []
    for store, many in seen.items():
        far = f"the newest {many:,} returns" if many >= LOOKED_THROUGH else f"all {counted(many, 'return')}"
        said.append(f"{far} of {store}")
    return ", ".join(said)


def _of_others(key: Lookup, found: Sequence[FoundReturn], stores: Sequence[str]) -> str:
    theirs = ", ".join(sorted({repr(item.store) for item in found}))
    ours = f"it was looked for at {', '.join(stores)} (the stores asked for, or REVER_STORES or REVER_GROUP)"
    return f"what was found by {key.shown} is of store {theirs}; {ours}"
