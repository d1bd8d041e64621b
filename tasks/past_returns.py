"""Read the returns of a past window: from REVER's search, or from an export of what REVER showed. Writes nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from rever_api.messages import read_json
from rever_api.models import ReturnProcess, SearchQuery, UnreadableProcess
from rever_api.operations import entry as read_entry
from tasks.desk import Desk, WrongNameError
from tasks.fetch_returns import BATCH, Entry
from tasks.ledger import past_records
from tasks.policy.backtest.past import PastReturn
from tasks.policy.facts import believed
from tasks.policy.record import Record
from tasks.policy.tracking import goods_moved
from tasks.steps import step

AT_ONCE = 500
"""Returns whose records are loaded from the ledger by one question."""


@dataclass(frozen=True, slots=True)
class Window:
    """Returns that began at `since` or later and before `before`; None is without a bound."""

    since: datetime | None = None
    before: datetime | None = None

    def holds(self, process: ReturnProcess) -> bool:
        """Whether a return began in it, as far as REVER tells: one without a start is taken in, never left out."""
        began = process.started_at
        if began is None:
            return True
        return (self.since is None or began >= self.since) and (self.before is None or began < self.before)


@dataclass(slots=True)
class ReadReturns:
    """What was read of a store: the returns of the window, those that count as earlier ones alone, and what could not
    be read, with the reason, by its id or its place. Without a `window` all count as earlier ones alone.
    """

    store: str
    window: Window | None
    found: dict[str, ReturnProcess] = field(default_factory=dict)
    others: dict[str, ReturnProcess] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)

    def take(self, entry: Entry, now: datetime, place: str = "") -> None:
        """Take an entry in, whichever it is."""
        if isinstance(entry, UnreadableProcess):
            self.unread[entry.process_id or place] = f"it cannot be read: {entry.why}"
            return
        process = believed(entry, now)
        if process.ecommerce_id not in {"", self.store}:
            self.unread[process.rever_process_id] = f"it belongs to store {process.ecommerce_id!r}, not {self.store!r}"
            return
        which = self.found if self.window is not None and self.window.holds(process) else self.others
        which[process.rever_process_id] = process


@step("read-past-returns")
async def search_past(desk: Desk, store: str, window: Window | None, history: datetime | None) -> ReadReturns:
    """A store's returns of a window from REVER's search, and as earlier ones those from `history` on (None: all).

    The newest come first; the walk ends where a page of entries is older than asked for.
    """
    read, now, older = ReadReturns(store, window), desk.clock(), 0
    query = SearchQuery(ecommerce_id=store, sortby="started_at", order="desc", limit=BATCH)
    number = 0
    async for entry in desk.client.walk_return_processes(query):
        number += 1
        began = entry.started_at if isinstance(entry, ReturnProcess) else None
        if history is not None and began is not None and began < history:
            older += 1
            if older >= BATCH:
                break
            continue
        older = 0
        read.take(entry, now, f"entry {number} of {store}")
        desk.report.progress.done = len(read.found)
    return read


def read_export(path: Path, windows: Mapping[str, Window | None], now: datetime) -> list[ReadReturns]:
    """Returns of a file, each as REVER's API shows it: one in a line (JSON Lines), or in one list of JSON.

    `windows` are those of each store. Returns of other stores are passed over. One that names no store is of the one
    store that has a window, if only one has.

    Raises `WrongNameError` where the file cannot be read, or is of no such form.
    """
    reads = {store: ReadReturns(store, window) for store, window in windows.items()}
    stores = [store for store, window in windows.items() if window is not None]
    for place, document in _documents(path):
        entry = read_entry(document)
        named = entry.ecommerce_id or (stores[0] if len(stores) == 1 else "")
        if named in reads:
            reads[named].take(entry, now, place)
        elif isinstance(entry, UnreadableProcess):
            reads[stores[0]].take(entry, now, place)
        elif not named:
            reads[stores[0]].unread[entry.rever_process_id] = "it does not say of which store it is"
    return list(reads.values())


def _documents(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise WrongNameError(f"{path}: the export cannot be read ({error.strerror or type(error).__name__})") from None
    if text.lstrip()[:1] == b"[":
        listed = _parsed(path, 0, text)
        for number, document in enumerate(listed if isinstance(listed, list) else [], start=1):
            yield f"{path.name}, entry {number}", document
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield f"{path.name}, line {number}", _parsed(path, number, line)


def _parsed(path: Path, line: int, text: bytes) -> Any:
    try:
        return read_json(text)
    except ValueError:
        where = f", line {line}" if line else ""
        words = "is not JSON; right would be one return in a line, as REVER's API shows it, or a list of them"
        raise WrongNameError(f"{path}{where}: {words}") from None


@step("read-past-returns")
async def with_records(desk: Desk, read: ReadReturns) -> list[PastReturn]:
    """The returns of the window, each with what the ledger knows of it, and when a run saw its goods move."""
    ids, records = list(read.found), dict[str, Record]()
    for start in range(0, len(ids), AT_ONCE):
        records |= await desk.ledger.aread(past_records, ids[start : start + AT_ONCE])
    return [_past_return(read.store, process, records[name]) for name, process in read.found.items()]


def _past_return(store: str, process: ReturnProcess, record: Record) -> PastReturn:
    """A return with what the ledger knows of it. What was seen to move only after the inspection had moved before it,
    nobody knows when.
    """
    moved = goods_moved(record.parcels or ())
    reviewed = min((at for review in process.reviews or () if (at := review.review_date)), default=None)
    scanned, arrived = (
        None if at is None or (reviewed is not None and at > reviewed) else at
        for at in (moved.scanned_at, moved.arrived_at)
    )
    return PastReturn(store, process, record, scanned, arrived)
