"""Look where the parcels of a store's returns are, with as few calls as can be, and write down what has moved.

REVER's list shows a hundred returns with their parcels in one call. So it is asked for what has changed since the last
time; a parcel that it has not shown for a while is asked about by itself, or, where those are many, looked for in the
list of returns whose goods have not arrived. What has arrived or was cancelled is not asked about again.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from rever_api.errors import NotFound, ReverError, WrongSetup
from rever_api.models import ProcessStatus, ReturnProcess, ReturnStatus, SearchQuery, UnreadableProcess
from tasks.desk import Desk
from tasks.fetch_returns import BATCH, Entry, taken_in
from tasks.ledger import (
    Moved,
    Sighting,
    StandingParcel,
    last_looks,
    moves,
    note_looks,
    note_parcels,
    note_tracked,
    parcels_due,
    replaced_labels,
    standing_parcels,
    tell_once,
    tracked_until,
)
from tasks.policy.clocks import DIFFER
from tasks.policy.facts import PARCEL_MOVED, believed
from tasks.policy.label_case import NEEDS_LABEL
from tasks.policy.record import ParcelChange, Record
from tasks.policy.replaced import replaced_as_seen
from tasks.policy.store import ParcelLimits
from tasks.policy.tracking import GIVEN_UP, view_of, view_of_shipping
from tasks.reporting.report import Failure, Mode
from tasks.steps import each, step

_GOING_ON = (ProcessStatus.RUNNING, ProcessStatus.ON_HOLD, ProcessStatus.COMPLETED)
_ON_THE_WAY = (ReturnStatus.STARTED, ReturnStatus.COLLECTED)


@dataclass(slots=True)
class Tracked:
    """What was seen at a store: the returns that were looked at, what has moved, what has stopped, and what could not
    be read. `told` are the stopped parcels of which nobody was told before, `replaced` what the ledger knows of the
    returns of which a label was replaced.
    """

    looked_at: set[str] = field(default_factory=set)
    moved: list[Moved] = field(default_factory=list)
    stopped: list[StandingParcel] = field(default_factory=list)
    told: list[StandingParcel] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    replaced: dict[str, Record] = field(default_factory=dict)

    def gone(self, parcel: StandingParcel) -> bool:
        """Whether it stands since its label was replaced, and nobody need wait for it."""
        record = self.replaced.get(parcel.process_id)
        return (
            record is not None
            and parcel.status not in PARCEL_MOVED
            and parcel.parcel in replaced_as_seen(record).numbers
        )


def _unwritten(record: Record, moved: Sequence[Moved]) -> list[ParcelChange]:
    """The changes of this return's parcels that a plan has seen and nobody has written down."""
    known = {(it.parcel, it.n) for it in record.parcels or ()}
    mine = (it.change for it in moved if it.process_id == record.process_id)
    return [it for it in mine if (it.parcel, it.n) not in known]


@step("track-parcels")
async def track_store(desk: Desk, store: str, found: Tracked) -> None:
    """Look at the parcels of a store that can have moved; what is found stands in `found` at once.

    In `act` it is written down, a page at a time. Raises the `ReverError` that broke a list, after what was read.
    """
    await _Tracking(desk, store, found).track()


class _Tracking:
    def __init__(self, desk: Desk, store: str, found: Tracked) -> None:
        self.desk, self.store, self.found = desk, store, found
        self.names: dict[str, str] = {}
        self.untold: dict[str, datetime | None] = {}
        self.shipping_only = False

    async def track(self) -> None:
        """Read the list of changes, then ask about what it has not shown for too long."""
        ledger, began = self.desk.ledger, self.desk.clock()
        since = await ledger.aread(tracked_until, self.store, began)
        pages = self._on_the_way() if since is None else self._changed_since(since - 2 * DIFFER)
        async for page in pages:
            await self._take(page)
        await self._ask(await self._news())
        due, moving = await ledger.aread(parcels_due, self.store, self.desk.clock())
        due -= self.found.looked_at
        if len(due) > 1 + moving // BATCH and since is not None and not self.shipping_only:
            async for page in self._on_the_way():
                await self._take(page)
                if due <= self.found.looked_at:
                    break
            due -= self.found.looked_at
        await self._ask(due)
        if self.desk.mode is Mode.ACT:
            await ledger.awrite(note_tracked, self.store, at=began)

    async def _on_the_way(self) -> AsyncIterator[Sequence[Entry]]:
        """The returns whose goods have not arrived, as far as REVER knows, page by page."""
        query = SearchQuery(
            ecommerce_id=self.store,
            status=_GOING_ON,
            return_status=_ON_THE_WAY,
            sortby="started_at",
            order="asc",
            limit=BATCH,
        )
        page: list[Entry] = []
        async for entry in self.desk.client.walk_return_processes(query):
            page.append(entry)
            if len(page) == BATCH:
                yield page
                page = []
        yield page

    async def _changed_since(self, since: datetime) -> AsyncIterator[Sequence[Entry]]:
        """The returns that changed since then, newest first, page by page.

        What changes meanwhile moves to the front, where the next time finds it; nothing behind it is passed over. That
        REVER knows `updated_since` is only assumed: a page of older ones is the last.
        """
        seen: set[str] = set()
        for offset in range(0, 1000 * BATCH, BATCH):
            query = SearchQuery(
                ecommerce_id=self.store,
                updated_since=since,
                sortby="updated_at",
                order="desc",
                limit=BATCH,
                offset=offset,
            )
            page = await self.desk.client.search_return_processes(query)
            yield page.processes
            new = {_id_of(entry) for entry in page.processes} - seen
            older = all(_is_older(entry, since) for entry in page.processes)
            whole = len(page.processes) < BATCH or page.rowcount == offset + len(page.processes)
            if older or whole or not new:
                return
            seen |= new

    async def _take(self, page: Iterable[Entry]) -> None:
        """Take in a page of a list. What it leaves out of a return is asked for later."""
        seen = []
        for found in page:
            entry = taken_in(found, self.desk.clock())
            if isinstance(entry, UnreadableProcess):
                self._fail(entry.process_id, f"REVER's answer could not be read: {entry.why}")
            elif entry.ecommerce_id not in {"", self.store}:
                why = f"it belongs to store {entry.ecommerce_id!r}, though {self.store!r} was asked for"
                self._fail(entry.rever_process_id, why)
            elif entry.rever_process_id not in self.found.looked_at:
                seen.append(self._sighting(entry))
                if entry.logistics is None and _has_parcels(entry) and not self.desk.settings.omits_empty_fields:
                    self.untold[entry.rever_process_id] = entry.updated_at
                else:
                    self.found.looked_at.add(entry.rever_process_id)
        await self._note(seen)

    async def _news(self) -> set[str]:
        """The returns of whose parcels the list says nothing, but for those that have not changed since they were
        asked about.
        """
        looked = await self.desk.ledger.aread(last_looks, list(self.untold))
        return {
            process_id
            for process_id, changed in self.untold.items()
            if changed is None or process_id not in looked or changed + DIFFER > looked[process_id]
        }

    def _sighting(self, process: ReturnProcess) -> Sighting:
        self.names[process.rever_process_id] = process.order_name
        return Sighting(process.rever_process_id, self.store, process.order_name, view_of(process))

    def _fail(self, process_id: str, why: str) -> None:
        self.found.failures.append(Failure(process_id, why))

    async def _ask(self, process_ids: Collection[str]) -> None:
        """Ask about returns one by one, and write down that they were asked about, whatever was told."""
        ids = sorted(set(process_ids) - self.found.looked_at)
        for start in range(0, len(ids), BATCH):
            some = ids[start : start + BATCH]
            # The first by itself: it shows whether a read by id tells of parcels at all.
            first = await self._read(some[0])
            answers = [first, *await each("track-parcels", some[1:], self._read)]
            self.found.looked_at |= set(some)
            await self._note([it for it in answers if it is not None])
            if self.desk.mode is Mode.ACT:
                await self.desk.ledger.awrite(note_looks, some, now=self.desk.clock(), every=timedelta(0))

    async def _read(self, process_id: str) -> Sighting | None:
        """A return by its id, and where that does not tell of its parcels either, REVER's word on its shipping."""
        try:
            if not self.shipping_only:
                process = believed(await self.desk.client.get_return_process(process_id), self.desk.clock())
                if process.logistics is not None or self.desk.settings.omits_empty_fields:
                    return self._sighting(process)
                self.names[process_id] = process.order_name
            shipping = await self.desk.client.get_shipping_status(process_id)
        except WrongSetup:
            raise
        except NotFound:
            self._fail(process_id, "REVER knows no return of this id, or tells nothing of its shipping")
            return None
        except ReverError as error:
            self._fail(process_id, f"it could not be read: {error}")
            return None
        self.shipping_only = True
        return Sighting(process_id, self.store, self.names.get(process_id, ""), view_of_shipping(shipping))

    async def _note(self, seen: Sequence[Sighting]) -> None:
        """Write down what a page or a batch showed, or in a plan only say it."""
        ledger, now = self.desk.ledger, self.desk.clock()
        if not seen:
            return
        if self.desk.mode is Mode.ACT:
            self.found.moved += await ledger.awrite(note_parcels, seen, now=now, actor=self.desk.actor)
        else:
            self.found.moved += await ledger.aread(moves, seen, now)


@step("track-parcels")
async def find_stopped(desk: Desk, store: str, found: Tracked) -> None:
    """Find the parcels that have not moved for so long as the store's policy says, those that stood longest first.

    In `act` it is written down of which of them people are told now: of each once, as long as it stands.
    """
    now, limits = desk.clock(), desk.policies.for_store(store).parcels
    standing = await desk.ledger.aread(standing_parcels, store)
    ids = {it.process_id for it in standing} | {it.process_id for it in found.moved}
    found.replaced = {
        process_id: replace(record, parcels=(*(record.parcels or ()), *_unwritten(record, found.moved)))
        for process_id, record in (await desk.ledger.aread(replaced_labels, ids)).items()
    }
    moved = {(it.process_id, it.change.parcel) for it in found.moved}
    found.stopped = [
        it
        for it in standing
        if (it.process_id, it.parcel) not in moved and _has_stopped(it, limits, now) and not found.gone(it)
    ]
    if desk.mode is Mode.ACT and found.stopped:
        found.told = await desk.ledger.awrite(tell_once, found.stopped)


def _has_stopped(parcel: StandingParcel, limits: ParcelLimits, now: datetime) -> bool:
    stands = now - parcel.since
    return limits.of(parcel.status) <= stands < GIVEN_UP


def _id_of(entry: Entry) -> str:
    return entry.rever_process_id if isinstance(entry, ReturnProcess) else entry.process_id


def _is_older(entry: Entry, since: datetime) -> bool:
    """Whether it changed before then; one that does not say when is taken for new."""
    return isinstance(entry, ReturnProcess) and entry.updated_at is not None and entry.updated_at < since


def _has_parcels(process: ReturnProcess) -> bool:
    """Whether a return may have a parcel that goes on moving."""
    return process.return_method in NEEDS_LABEL and process.rever_process_status in _GOING_ON
