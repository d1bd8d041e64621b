"""Fetch the returns that the rows of a file name, whatever their status: a finished one may have been meant too."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field

from rever_api import AsyncReverClient
from rever_api.errors import Refused, Unreadable
from rever_api.models import ReturnProcess, SearchQuery, UnreadableProcess
from rever_api.models.inputs import MOST_PER_PAGE
from tasks.desk import Desk
from tasks.fetch_returns import Entry
from tasks.files.inspections import Inspection
from tasks.files.matching import comparable, names_in, names_of, without_zeros
from tasks.lookup import KeyKind, Lookup, order_names
from tasks.policy.facts import believed
from tasks.steps import step

Name = tuple[str, str]
"""A field that names a return, and the text as it is compared."""


@dataclass(slots=True)
class NamedReturns:
    """What was found: id -> the return, and the store at which it was found.

    `unreadable` are the ids of returns that REVER shows and that cannot be read, `unread_orders` their orders, as they
    are compared.
    """

    returns: dict[str, ReturnProcess] = field(default_factory=dict)
    stores: dict[str, str] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    unread_orders: set[str] = field(default_factory=set)


def wanted_names(rows: Iterable[object]) -> dict[Name, str]:
    """All names in the rows of a file, as they are compared -> as they were written."""
    return {
        (key, plain): text
        for row in rows
        if isinstance(row, Inspection)
        for key, text in row.keys.items()
        for plain in names_in(key, text)
    }


async def fetch_named(client: AsyncReverClient, stores: Sequence[str], names: dict[Name, str]) -> NamedReturns:
    """The returns of these stores that have any of these names. Raises a `ReverError` where REVER cannot be asked.

    A store's returns are all walked through, unless a few searches for orders and ids tell the same: what REVER's free
    text search looks at is not known, so that return numbers and tracking numbers are only found by walking.
    """
    found = NamedReturns()
    short = {(key, zeros) for key, text in names if (zeros := without_zeros(text))}
    for store in stores:
        async for entry in await _entries(client, store, names):
            if isinstance(entry, UnreadableProcess):
                found.unreadable.append(entry.process_id)
                found.unread_orders |= {comparable("order", entry.order_name)} if entry.order_name else set()
            elif any(
                (key, plain) in names or (key, without_zeros(plain)) in short
                for key, plain in ((key, comparable(key, text)) for key, text in names_of(entry))
            ):
                found.returns[entry.rever_process_id] = entry
                found.stores[entry.rever_process_id] = store
    for process in list(found.returns.values()):
        if process.reviews is None:  # lists may leave out what a read by id has
            try:
                found.returns[process.rever_process_id] = await client.get_return_process(process.rever_process_id)
            except Refused:
                continue  # its reviews stay unknown, and its rows come back
            except Unreadable:
                del found.returns[process.rever_process_id]
                found.unreadable.append(process.rever_process_id)
                found.unread_orders.add(comparable("order", process.order_name))
    return found


@step("find-returns")
async def fetch_named_returns(desk: Desk, stores: Sequence[str], names: dict[Name, str]) -> NamedReturns:
    """As `fetch_named`, at a desk: without times that cannot be."""
    found = await fetch_named(desk.client, stores, names)
    now = desk.clock()
    found.returns = {process_id: believed(process, now) for process_id, process in found.returns.items()}
    return found


async def _entries(client: AsyncReverClient, store: str, names: dict[Name, str]) -> AsyncIterator[Entry]:
    """The entries of a store among which are all that have one of these names."""
    walk = SearchQuery(ecommerce_id=store, sortby="started_at", order="asc", limit=MOST_PER_PAGE)
    searches: list[SearchQuery] = []
    ids: list[str] = []
    for (key, _), text in names.items():
        if key == "order":
            spelled = order_names(Lookup(text, (KeyKind.ORDER,)))
            searches += [walk.model_copy(update={"customer_printed_order_id": name}) for name in spelled]
        elif key == "process_id":
            ids.append(text)
        else:
            return client.walk_return_processes(walk)
    all_of_them = (await client.search_return_processes(walk.model_copy(update={"limit": 1}))).rowcount
    if all_of_them is None or len(searches) + len(ids) >= all_of_them / MOST_PER_PAGE:
        return client.walk_return_processes(walk)
    return _searched(client, store, searches, ids)


async def _searched(
    client: AsyncReverClient, store: str, searches: Sequence[SearchQuery], ids: Sequence[str]
) -> AsyncIterator[Entry]:
    for query in searches:
        async for entry in client.walk_return_processes(query):
            yield entry
    for process_id in ids:
        try:
            process = await client.get_return_process(process_id)
        except Refused:
            continue
        except Unreadable as error:
            yield error.process
            continue
        if process.ecommerce_id in {"", store}:
            yield process
