"""Read what the daily report is made of: the ledger's effects and holds, and REVER's returns. Writes nothing."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path

from rever_api.models import UnreadableProcess
from tasks.desk import Desk, WrongNameError
from tasks.fetch_returns import BATCH, PendingReturn, UpdatedReturns, fetch_returns, waiting_query
from tasks.files.sales import read_rates, read_sold
from tasks.ledger import Effect, HeldReturn, LedgerError, effects, held_returns, load_records, past_records, returns_of
from tasks.policy.comparison import RefundComparison, beside, differs
from tasks.policy.facts import believed
from tasks.policy.order_returns import OrderKey
from tasks.policy.record import Record
from tasks.reconcile_payouts import Changed, PayoutsAsked, compare_payouts
from tasks.reporting.daily_data import ReportData, StoreWindow
from tasks.reporting.return_rows import ReturnParts, return_parts
from tasks.steps import about, step


@dataclass(frozen=True, slots=True)
class Asked:
    """What a report is asked for: a window (a date is a whole day of each store), and files beside it.

    Without `since` it is yesterday; without `until`, up to now. `payouts` are payout files to be compared, in the
    report's window.
    """

    since: date | datetime | None = None
    until: date | datetime | None = None
    promise_days: int | None = None
    orders: Path | None = None
    rates: Path | None = None
    payouts: PayoutsAsked | None = None
    personal: bool = False


@dataclass(slots=True)
class ReadRows:
    """What was read of REVER, by return; `unread` are those that could not be, with the reason."""

    returns: dict[str, ReturnParts] = field(default_factory=dict)
    comparisons: dict[str, list[RefundComparison]] = field(default_factory=dict)
    differing: dict[str, str] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)


async def window_of(desk: Desk, store: str, asked: Asked) -> StoreWindow:
    """The window of a store: whole days in its own zone. Raises `WrongNameError` where it ends before it begins."""
    zone, now = await desk.zone(store), desk.clock()
    today = zone.day(now)
    since = asked.since if asked.since is not None else today - timedelta(days=1)
    until = asked.until if asked.until is not None else (now if asked.since is not None else today - timedelta(days=1))
    begins, ends = zone.begins(since), zone.begins(_after(until))
    if ends <= begins:
        raise WrongNameError(f"the report ends before it begins: from {since} to {until}; name a later end")
    if begins > now:
        raise WrongNameError(f"the report begins at {since}, which is still to come")
    return StoreWindow(store, begins, ends, zone.zone)


def _after(until: date | datetime) -> date | datetime:
    """A day is in the window to its end."""
    return until if isinstance(until, datetime) else until + timedelta(days=1)


async def gather_report(desk: Desk, stores: Sequence[str], asked: Asked) -> ReportData:
    """Read all that the report needs of these stores. Raises `InputFileError` and `WrongNameError` for wrong files."""
    sold = await asyncio.to_thread(read_sold, asked.orders, stores) if asked.orders else None
    rates = await asyncio.to_thread(read_rates, asked.rates) if asked.rates else ()
    windows = {store: await window_of(desk, store, asked) for store in stores}
    done = {store: await desk.ledger.aread(effects, [store], it.since, it.until) for store, it in windows.items()}
    held = {store: await desk.ledger.aread(held_returns, [store], it.since) for store, it in windows.items()}
    read, payouts = ReadRows(), None
    changed = partial(_read_changed, desk, windows, read, asked.personal)
    if asked.payouts is not None:
        bounds = {store: (window.since, window.until) for store, window in windows.items()}
        payouts = await compare_payouts(desk, stores, replace(asked.payouts, windows=bounds), changed)
    for store, window in windows.items():
        with about(store):
            named = {*_ids(done[store]), *_ids(held[store])}
            await read_returns(desk, window, read, named, None if payouts else changed, personal=asked.personal)
    return ReportData(
        windows=windows,
        now=desk.clock(),
        effects=[it for mine in done.values() for it in mine],
        holds=[it for mine in held.values() for it in mine],
        returns=list(read.returns.values()),
        comparisons=[row for rows in read.comparisons.values() for row in rows],
        differing=read.differing,
        unread=read.unread,
        sold=sold.of(windows) if sold else None,
        rates=rates,
        payouts=payouts,
        carriers={store: desk.policies.for_store(store).labels.carriers for store in stores},
        promise_days=asked.promise_days,
        tracked=any(parts.row.arrived_at for parts in read.returns.values()),
        personal=asked.personal,
    )


def _ids(rows: Sequence[Effect] | Sequence[HeldReturn]) -> set[str]:
    """The returns that these are about; an order of which one was asked for is none."""
    return {it.process_id for it in rows if OrderKey.of(it.process_id) is None}


async def _read_changed(
    desk: Desk, windows: Mapping[str, StoreWindow], read: ReadRows, personal: bool, store: str, since: datetime
) -> AsyncIterator[list[PendingReturn]]:
    """Read a store's returns that changed into `read`, and hand each batch on."""
    changed = UpdatedReturns(desk, store, since)
    async for batch in changed.batches():
        await _take(desk, windows[store], batch, read, personal=personal)
        yield batch
    read.unread |= {item.process_id or item.why: item.why for item in changed.failures}


@step("read-past-returns")
async def read_returns(
    desk: Desk, window: StoreWindow, read: ReadRows, named: set[str], changed: Changed | None, *, personal: bool
) -> None:
    """Read a store's returns that wait, or changed since the window began, and those `named`; into `read`.

    Without `changed` those that changed are there already. One that comes more than once counts once; where one of the
    reads could be made out, it is not unread.
    """
    if changed is not None:
        async for _ in changed(window.store, window.since):
            pass
    async for batch in _waiting(desk, window.store, read):
        await _take(desk, window, batch, read, personal=personal)
    left = sorted(named - read.returns.keys())
    for start in range(0, len(left), BATCH):
        found, failures = await fetch_returns(desk, left[start : start + BATCH])
        read.unread |= {item.process_id: item.why for item in failures}
        await _take(desk, window, found, read, personal=personal)
    read.unread = {name: why for name, why in read.unread.items() if name not in read.returns}


async def _waiting(desk: Desk, store: str, read: ReadRows) -> AsyncIterator[list[PendingReturn]]:
    """A store's returns that are running or on hold and were not read yet, a page at a time."""
    batch: list[PendingReturn] = []
    async for entry in desk.client.walk_return_processes(waiting_query(store)):
        if isinstance(entry, UnreadableProcess):
            read.unread[entry.process_id or entry.why] = f"REVER's answer could not be read: {entry.why}"
        elif entry.rever_process_id not in read.returns:
            batch.append(PendingReturn(store, believed(entry, desk.clock())))
        if len(batch) == BATCH:
            yield batch
            batch = []
    yield batch


async def _take(
    desk: Desk, window: StoreWindow, batch: Sequence[PendingReturn], read: ReadRows, *, personal: bool
) -> None:
    """Make rows of a batch, beside what the ledger knows of it."""
    store = window.store
    read.unread |= {it.process_id: f"REVER's answer could not be read: {it.unread.found}" for it in batch if it.unread}
    readable = [it.process for it in batch if not it.unread and it.process.ecommerce_id in {"", store}]
    ids = [process.rever_process_id for process in readable]
    records = await _records(desk, ids)
    decided = {it.process_id: (it.decision, it.rule) for it in await desk.ledger.aread(returns_of, ids)}
    for process in readable:
        process_id = process.rever_process_id
        record = records[process_id]
        read.returns[process_id] = return_parts(
            process, store, record, decided.get(process_id, ("", "")), personal=personal
        )
        read.comparisons[process_id] = beside(process, record, store)
        read.differing.pop(process_id, None)
        if how := differs(process, record):
            read.differing[process_id] = how
    desk.report.progress.done = desk.report.seen = len(read.returns)


async def _records(desk: Desk, ids: Sequence[str]) -> Mapping[str, Record]:
    """What the ledger knows of these returns, and when their goods moved: of old ones that is in archives.

    Where an archive is not at hand, all but those times is told, and that they are missing.
    """
    try:
        return await desk.ledger.aread(past_records, ids)
    except LedgerError as error:
        records = await desk.ledger.aread(load_records, ids)
        note = f"when goods moved is left out of returns that were archived: {error}"
        desk.report.notes += [] if note in desk.report.notes else [note]
        return records
