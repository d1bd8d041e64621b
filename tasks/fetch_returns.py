"""Fetch the returns that may have to move, by search over a store, batch by batch, or by id; and check inspections.

A `PendingReturn` is what passes from step to step from then on: a return as it was read, with its store.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Self

from rever_api import AsyncReverClient
from rever_api.errors import NotFound, OutcomeUnknown, ReverError, Unreadable, WrongSetup
from rever_api.limits import AsyncSlot
from rever_api.models import ProcessStatus, ReturnProcess, ReturnStatus, SearchQuery, UnreadableProcess
from tasks.desk import Desk
from tasks.ledger import held_by, order_spellings
from tasks.lookup import KeyKind, Lookup, order_names
from tasks.policy.comparison import READS_DIFFER, differences
from tasks.policy.decide import Unread
from tasks.policy.facts import believed, incomplete, incomplete_label
from tasks.policy.order_returns import OrderKey, OrderReturns
from tasks.reporting.report import Failure
from tasks.steps import about, each, step

BATCH = 100
"""Returns in one batch: one page of REVER's search, and one transaction of the ledger's claims."""


Entry = ReturnProcess | UnreadableProcess


@dataclass(frozen=True, slots=True)
class PendingReturn:
    """A return as REVER last answered it, and the store it was asked for.

    `searched` says that a search brought it; `differ` in what two reads of this run contradict each other; `agreed`
    that a search and a read by id of this run agree, where those of an earlier run did not; `read_again` that one which
    a search brought was read by its id too; `claimed` that money was
    claimed by the first of two such reads, so that a person must hear of it whatever the second asks for.
    Where it is `unread`, `process` holds its id and nothing else, and is no ground for anything but a hold. `unasked`
    says why facts that rules may need of it could not be asked for in this run, and may be in the next.
    """

    store: str
    process: ReturnProcess
    searched: bool = False
    differ: tuple[str, ...] = ()
    agreed: bool = False
    read_again: bool = False
    claimed: bool = False
    unread: Unread | None = None
    unasked: str = ""

    @property
    def process_id(self) -> str:
        """REVER's id of the return."""
        return self.process.rever_process_id


def taken_in(entry: Entry, now: datetime) -> Entry:
    """An entry of a list as it is worked with: a return without times that cannot be."""
    return believed(entry, now) if isinstance(entry, ReturnProcess) else entry


def unread_return(store: str, found: UnreadableProcess) -> PendingReturn:
    """A return that cannot be read, of which no more than its id is known."""
    stub = ReturnProcess(
        rever_process_id=found.process_id,
        rever_process_status="UNREADABLE",
        return_line_items=(),
        order_name=found.order_name,
    )
    return PendingReturn(store, stub, unread=Unread(found.why))


def denied_return(pending: PendingReturn) -> PendingReturn:
    """A return that REVER's list shows, and its read by id denies."""
    found = UnreadableProcess(process_id=pending.process_id, why="", order_name=pending.process.order_name)
    return unread_return(pending.store, found)


def pending_query(store: str, *, labels_only: bool = False) -> SearchQuery:
    """The search for a store's running returns, oldest first, so that the list moves as little as it can."""
    return SearchQuery(
        ecommerce_id=store,
        status=(ProcessStatus.RUNNING,),
        return_status=(ReturnStatus.STARTED,) if labels_only else (),
        sortby="started_at",
        order="asc",
        limit=BATCH,
    )


def waiting_query(store: str) -> SearchQuery:
    """The search for a store's returns that are not at their end, running or on hold, oldest first."""
    return pending_query(store).model_copy(update={"status": (ProcessStatus.RUNNING, ProcessStatus.ON_HOLD)})


class PendingReturns:
    """A store's running returns, handed out batch by batch as the pages come in; never all in memory.

    With `labels_only` they are those that may wait for a label. `failures` are the entries of pages that could not be
    read or are not the store's. `came` counts those that were handed out, in `number` batches.
    """

    def __init__(
        self, desk: Desk, store: str, *, started_since: datetime | None = None, labels_only: bool = False
    ) -> None:
        self.store = store
        self.labels_only = labels_only
        self.failures: list[Failure] = []
        self.came = self.number = 0
        self._desk = desk
        self._entries: AsyncIterator[Entry] = desk.client.walk_return_processes(
            pending_query(store, labels_only=labels_only), self._counted
        )
        self._since = started_since
        self._left: int | None = None
        self._broken: ReverError | None = None
        self._over = False
        self._matches: int | None = None
        self._told = 0

    def allow(self, at_most: int | None) -> Self:
        """Hand out so many more returns at most; None is no bound. The search goes on where it stands."""
        self._left = at_most
        self._tell()
        return self

    @property
    def more(self) -> bool:
        """Whether the search may have more returns than were allowed."""
        return self._left == 0 and not self._over

    async def batches(self) -> AsyncIterator[list[PendingReturn]]:
        """The returns, batch by batch, each fetched by a step of its own."""
        while True:
            with about(f"{self.store} {self.number + 1}"):
                batch = await self.next_batch()
            if not batch:
                self._desk.report.progress.find(self.came - self._told)
                self._told = self.came
                return
            self.came += len(batch)
            self.number += 1
            yield batch

    def _counted(self, matches: int | None) -> None:
        """Note how many returns are to come, by the first page: what is paid leaves the list while it is read."""
        if self._matches is None and matches is not None:
            self._matches = matches
            self._tell()

    def _tell(self) -> None:
        if self._matches is not None:
            expected = self._matches if self._left is None else min(self._matches, self.came + self._left)
            self._desk.report.progress.find(expected - self._told)
            self._told = expected

    @step("fetch-pending-returns")
    async def next_batch(self) -> list[PendingReturn]:
        """The next returns, at most a batch of them; empty at the end."""
        batch: list[PendingReturn] = []
        while len(batch) < BATCH and self._left != 0 and self._broken is None:
            try:
                entry = await anext(self._entries, None)
            except ReverError as error:
                # What was read before the list broke is worked on first; then the error is told.
                self._broken, self._over = error, True
                break
            except asyncio.CancelledError:
                # A walk that was cut off has nothing more to show: a second try must not take that for the list's end.
                why = f"the search for the returns of store {self.store!r} was cut off"
                self._broken, self._over = OutcomeUnknown(why, operation="searchReturnProcesses"), True
                raise
            if entry is None:
                self._over = True
                break
            pending = self._accept(taken_in(entry, self._desk.clock()))
            if pending is not None:
                batch.append(pending)
                self._left = None if self._left is None else self._left - 1
        if self._broken is not None and not batch:
            raise self._broken
        return batch

    def _accept(self, entry: Entry) -> PendingReturn | None:
        if isinstance(entry, UnreadableProcess):
            return self._unread(entry)
        if entry.ecommerce_id and entry.ecommerce_id != self.store:
            why = f"it belongs to store {entry.ecommerce_id!r}, though {self.store!r} was asked for"
            self.failures.append(Failure(entry.rever_process_id, why))
            return None
        if self._since and entry.started_at and entry.started_at < self._since:
            return None
        return PendingReturn(self.store, entry, searched=True)

    def _unread(self, entry: UnreadableProcess) -> PendingReturn | None:
        """A return to be held, where it has an id that can be read; else no more can be done than to tell of it."""
        if entry.process_id and entry.ecommerce_id in {"", self.store}:
            return unread_return(self.store, entry)
        self.failures.append(Failure(entry.process_id, f"REVER's answer could not be read: {entry.why}"))
        return None


async def since_at(desk: Desk, store: str, asked: date | datetime | None) -> datetime | None:
    """From when on a store's returns are asked for: a date is the start of that day at the store."""
    return None if asked is None else (await desk.zone(store)).begins(asked)


async def read_now(desk: Desk, process_id: str, *, slot: AsyncSlot | None = None) -> ReturnProcess:
    """What REVER shows now of a return, or of the order that stands for one to be made.

    Of a `slot` the reads take no more than one prepaid call. Raises a `ReverError`.
    """
    order = OrderKey.of(process_id)
    return await (read_return(desk, process_id, slot=slot) if order is None else _read_order(desk, order, slot))


async def read_return(desk: Desk, process_id: str, *, slot: AsyncSlot | None = None) -> ReturnProcess:
    """What REVER shows now of a return. Raises a `ReverError`."""
    return believed(await desk.client.get_return_process(process_id, slot=slot), desk.clock())


async def _read_order(desk: Desk, order: OrderKey, slot: AsyncSlot | None = None) -> OrderReturns:
    """The order, searched for by this spelling of its name and by each under which a return of it was asked for.

    REVER may show a return under just one of them, and what stands for the order in the ledger has lost its capitals.
    """
    spelled = (order.order_name, *await desk.ledger.aread(order_spellings, order.process_id))
    return await search_order(desk.client, order, spelled, desk.clock(), slot=slot)


async def search_order(
    client: AsyncReverClient, order: OrderKey, spelled: Sequence[str], now: datetime, *, slot: AsyncSlot | None = None
) -> OrderReturns:
    """The order, searched for by these spellings of its name. Raises a `ReverError`."""
    names = tuple(dict.fromkeys(name for each in spelled for name in order_names(Lookup(each, (KeyKind.ORDER,)))))
    if slot is not None:
        await slot.prepay(len(names) - 1)
    pages = []
    for name in names:
        query = SearchQuery(
            ecommerce_id=order.store, customer_printed_order_id=name, sortby="started_at", order="desc", limit=BATCH
        )
        page = await client.search_return_processes(query, slot=slot)
        entries = tuple(taken_in(entry, now) for entry in page.processes)
        pages.append(page.model_copy(update={"processes": entries}))
    return OrderReturns.found(order, pages, most=BATCH)


async def fetch_order(desk: Desk, order: OrderKey) -> PendingReturn:
    """An order of which a return is asked for, by its name as REVER spells it. Raises a `ReverError`."""
    return PendingReturn(order.store, await _read_order(desk, order))


async def fetch_return(desk: Desk, process_id: str) -> PendingReturn | Failure:
    """One return by its id; a failure where REVER does not know it, cannot tell, or it is of a store not ours.

    Raises `WrongSetup` where nothing else could be read either.
    """
    if OrderKey.of(process_id):
        return Failure(process_id, "it stands for an order of which a return was asked for, and is no return")
    try:
        process = await read_return(desk, process_id)
    except WrongSetup:
        raise
    except NotFound:
        return Failure(process_id, "REVER knows no return of this id", unknown=True)
    except Unreadable as error:
        store = _store_of(desk, error.process.ecommerce_id)
        return unread_return(store, error.process) if store in desk.stores else _not_ours(desk, process_id, store)
    except ReverError as error:
        return Failure(process_id, f"it could not be read: {error}")
    return _of_our_stores(desk, process)


def _of_our_stores(desk: Desk, process: ReturnProcess) -> PendingReturn | Failure:
    store = _store_of(desk, process.ecommerce_id)
    return PendingReturn(store, process) if store in desk.stores else _not_ours(desk, process.rever_process_id, store)


def _store_of(desk: Desk, told: str) -> str:
    return told or (desk.stores[0] if len(desk.stores) == 1 else "")


def _not_ours(desk: Desk, process_id: str, store: str) -> Failure:
    why = (
        f"it belongs to store {store!r}; this desk's stores are {', '.join(desk.stores)} (REVER_STORES or REVER_GROUP)"
    )
    return Failure(process_id, why)


@step("fetch-pending-returns")
async def fetch_returns(desk: Desk, process_ids: Sequence[str]) -> tuple[list[PendingReturn], list[Failure]]:
    """Returns by their ids, each read by itself; the ids that gave none come back as failures.

    Beside returns, an order of which one was asked for is left out.
    """
    unique = list(dict.fromkeys(process_ids))
    unique = [process_id for process_id in unique if OrderKey.of(process_id) is None] or unique
    answers = await each("check-inspections", unique, lambda process_id: fetch_return(desk, process_id))
    found = [answer for answer in answers if isinstance(answer, PendingReturn)]
    failures = [answer for answer in answers if isinstance(answer, Failure)]
    return sorted(found, key=lambda pending: pending.process_id), failures


# Fetch all returns of a store that changed lately, whatever their status: also those no search for running ones
# shows.
#
# REVER's `updated_since` is only assumed, so the list is asked newest change first, each entry's `updated_at` is
# looked at here too, and the walk ends once a whole page of entries is older than asked for.


class UpdatedReturns:
    """A store's returns that changed at `since` or later, batch by batch as the pages come in; never all in memory.

    A return that changes during the walk moves to the front of the list, where the walk has been; so what changed
    since the walk began is asked for once more, and may come twice. `failures` are entries that could not be read.
    """

    def __init__(self, desk: Desk, store: str, since: datetime) -> None:
        self.store = store
        self.failures: list[Failure] = []
        self._desk = desk
        self._since = since

    async def batches(self) -> AsyncIterator[list[PendingReturn]]:
        """The returns, at most a page at a time. Raises the `ReverError` that broke the list, after what was read."""
        began = self._desk.clock()
        for since in (self._since, max(began, self._since)):
            batch: list[PendingReturn] = []
            walk, broken = self._walk(since), None
            while broken is None:
                try:
                    pending = await anext(walk, None)
                except ReverError as error:
                    # What was read before the list broke is compared first; then the error is told.
                    broken, pending = error, None
                if pending is not None:
                    batch.append(pending)
                if batch and (pending is None or len(batch) == BATCH):
                    yield batch
                    batch = []
                if pending is None:
                    break
            if broken is not None:
                raise broken

    async def _walk(self, since: datetime) -> AsyncIterator[PendingReturn]:
        older = 0
        query = SearchQuery(
            ecommerce_id=self.store, updated_since=since, sortby="updated_at", order="desc", limit=BATCH
        )
        async for found in self._desk.client.walk_return_processes(query):
            entry = taken_in(found, self._desk.clock())
            if isinstance(entry, ReturnProcess) and not _changed_since(entry, since):
                older += 1
                if older >= BATCH:
                    return
                continue
            older = 0
            pending = self._accept(entry)
            if pending is not None:
                yield pending

    def _accept(self, entry: Entry) -> PendingReturn | None:
        if isinstance(entry, UnreadableProcess):
            if entry.process_id and entry.ecommerce_id in {"", self.store}:
                return unread_return(self.store, entry)
            self.failures.append(Failure(entry.process_id, f"REVER's answer could not be read: {entry.why}"))
            return None
        if entry.ecommerce_id and entry.ecommerce_id != self.store:
            why = f"it belongs to store {entry.ecommerce_id!r}, though {self.store!r} was asked for"
            self.failures.append(Failure(entry.rever_process_id, why))
            return None
        return PendingReturn(self.store, entry)


def _changed_since(process: ReturnProcess, since: datetime) -> bool:
    """Whether it changed since then, as far as REVER tells: one without a date is taken in, never left out."""
    return process.updated_at is None or process.updated_at >= since


async def check_inspection(
    desk: Desk, pending: PendingReturn, *, disputed: bool = False, again: bool = False
) -> PendingReturn | Failure:
    """See to it that a return is read well enough for its reviews to be judged.

    A search page that left out what no payment, or no label, can do without is no ground to act, so the return is
    then read again by id; what that read leaves out too, or what cannot be read by id either, the rules hold. So is one
    whose reads by search and by id contradicted each other in an earlier run (`disputed`), to see whether they agree.
    So is any return with `again`.
    """
    rules = await desk.rules(pending.store)
    disputed = disputed and pending.searched
    left_out = incomplete(pending.process, rules) or incomplete_label(pending.process, rules)
    if pending.unread or disputed or left_out or again:
        try:
            process = await read_return(desk, pending.process_id)
        except WrongSetup:
            raise
        except NotFound:
            pending = denied_return(pending)
        except Unreadable as error:
            pending = unread_return(pending.store, error.process)
        except ReverError as error:
            return Failure(pending.process_id, f"it could not be read again: {error}")
        else:
            if not pending.unread:
                differ = differences(pending.process, process)
                agreed = disputed and not differ
                pending = replace(pending, process=process, differ=differ, agreed=agreed, read_again=True)
            elif process.ecommerce_id in {"", pending.store}:
                pending = PendingReturn(pending.store, process)
            else:
                why = f"it belongs to store {process.ecommerce_id!r}, though {pending.store!r} was asked for"
                return Failure(pending.process_id, why)
    return pending


@step("check-inspections")
async def check_inspections(desk: Desk, batch: Sequence[PendingReturn]) -> tuple[list[PendingReturn], list[Failure]]:
    """Check a batch. The returns that could not be read come back as failures; the others go on, in order of id."""
    ids = [pending.process_id for pending in batch]
    disputed = await desk.ledger.aread(held_by, READS_DIFFER, ids)

    async def check(pending: PendingReturn) -> PendingReturn | Failure:
        return await check_inspection(desk, pending, disputed=pending.process_id in disputed)

    answers = await each("check-inspections", batch, check)
    checked = [answer for answer in answers if isinstance(answer, PendingReturn)]
    checked.sort(key=lambda pending: pending.process_id)
    return checked, [answer for answer in answers if isinstance(answer, Failure)]
