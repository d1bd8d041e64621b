"""Read what is compared four ways: payout files, REVER's statement, the ledger and REVER. Writes nothing."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

from rever_api.models import Refund, ReturnProcess
from tasks.desk import Desk, WrongNameError
from tasks.fetch_returns import BATCH, PendingReturn, UpdatedReturns, fetch_returns
from tasks.files.dates import zone_named
from tasks.files.expense_statement import MonthSum, Statement, read_statement
from tasks.files.payout_file import PayoutFile, read_order_references, read_payout_file
from tasks.files.payout_formats import FORMATS
from tasks.files.table import InputFileError
from tasks.ledger import Effect, effects, history, load_records
from tasks.lookup import bare_order
from tasks.policy.comparison import Comparison, compare
from tasks.policy.facts import counted, paid_of, refunds_shown, strange
from tasks.policy.money import ZERO
from tasks.policy.order_returns import OrderKey
from tasks.policy.payouts import (
    ADVANCED,
    EARLY,
    REACH,
    Book,
    BookedRefund,
    Expected,
    FileRow,
    Reconciled,
    Source,
    reconcile,
)
from tasks.policy.record import BY_A_PERSON, OPEN_STATES, REFUNDED, Intent, IntentKind, IntentState, Record
from tasks.steps import about, step


@dataclass(frozen=True, slots=True)
class PayoutsAsked:
    """What is compared.

    A date of the window is a whole day of each store; None is the day of the files' first row, or their last row.
    `orders` is a shop's table of which order a provider's reference is of. `zone` is that of times whose file does not
    say theirs, `days` in how many days a refund usually is in a payout. `windows` bound the window of each store, in
    place of `since` and `until`.
    """

    files: Sequence[Path]
    days: int
    statement: Path | None = None
    mapping: Path | None = None
    orders: Path | None = None
    zone: str = ""
    since: date | datetime | None = None
    until: date | datetime | None = None
    windows: Mapping[str, tuple[datetime, datetime]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MonthCompared:
    """What REVER's statement has for a month beside the ledger's refunds of the methods that it covers."""

    month: MonthSum
    count: int
    amount: Decimal


@dataclass(frozen=True)
class PayoutsFound:
    """The books beside each other. `since` and `until` bound the refunds that should be in the files."""

    files: tuple[PayoutFile, ...]
    since: datetime
    until: datetime
    found: Reconciled
    months: tuple[MonthCompared, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _ReadReturns:
    """What was read of REVER: of each refund of the ledger how much it shows and has paid, and refunds of its own."""

    shown: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    foreign: list[BookedRefund] = field(default_factory=list)
    done: set[str] = field(default_factory=set)
    unread: dict[str, str] = field(default_factory=dict)


_SHOWN = 3
"""Rows that could not be read of which is said why, where no other was."""

Changed = Callable[[str, datetime], AsyncIterator[list[PendingReturn]]]
"""Reads the returns of a store that changed at a time or later, batch by batch."""


async def compare_payouts(
    desk: Desk, stores: Sequence[str], asked: PayoutsAsked, changed: Changed | None = None
) -> PayoutsFound:
    """Read the files, the ledger and REVER, and match them. Raises `InputFileError` and `WrongNameError`.

    With `changed` a caller who needs the returns that changed too has them read once, and tells by itself of those that
    could not be.
    """
    files, statement = await asyncio.to_thread(_read_files, asked)
    orders = await asyncio.to_thread(read_order_references, asked.orders) if asked.orders else {}
    rows = [_of_order(row, orders) for file in files for row in file.rows]
    zones = {store: await desk.zone(store) for store in stores}
    months = statement.months if statement else ()
    starts = [*(row.at for row in rows), *(month.since for month in months)]
    ends = _ends(files)
    if not starts:
        refused = [row for file in files for row in file.refused]
        sentences = "; ".join(f"{row.file} row {row.number}: {row.why}" for row in refused[:_SHOWN])
        why = (
            f"{counted(len(refused), 'row')} could not be read, {sentences}"
            if refused
            else "Below their headers is none"
        )
        raise InputFileError(f"the files have no row that could be read; nothing can be compared. {why}.")
    until = {store: zone.begins(_after(asked.until)) for store, zone in zones.items() if asked.until is not None}
    since = {store: zone.begins(asked.since) for store, zone in zones.items() if asked.since is not None}
    if asked.windows:
        since = {store: asked.windows[store][0] for store in stores}
        until = {store: asked.windows[store][1] for store in stores}
    days = [zone.begins(zone.day(min(starts))) for zone in zones.values()]
    first = min(since.values(), default=min(days))
    last = max(until.values(), default=max(it.ends for it in files if it.ends) + timedelta(microseconds=1))
    if first >= last:
        words = f"from {asked.since or 'the start of the files'} to {asked.until or 'the end of the files'}"
        raise WrongNameError(f"the window ends before it begins: {words}")
    bounds = {store: (since.get(store, first), until.get(store, last)) for store in stores}
    named = {bare_order(row.order) for row in rows if row.order}
    ids = {reference for row in rows for reference in row.references}
    booked: list[BookedRefund] = []
    read = _ReadReturns()
    changed = changed or partial(_read_changed, desk, read)
    sums: dict[int, tuple[int, Decimal]] = {}
    for store in stores:
        with about(store):
            begin, end = bounds[store]
            oldest = min([begin - REACH, *(month.since for month in months)])
            made = await desk.ledger.aread(effects, [store], oldest, None)
            refunds = [it for it in made if _is_refund(it)]
            near = [
                it
                for it in refunds
                if begin <= _at(it) < end
                or bare_order(it.order) in named
                or {it.id, it.process_id} & ids
                or it.state is IntentState.DONE_BY_HAND  # whose reference is in the audit
            ]
            await read_refunds(desk, store, (begin, end), read, {it.process_id for it in near}, changed)
            references = await _typed_references(desk, near)
            booked += [_booked(it, read, references.get(it.id, ()), begin <= _at(it) < end) for it in near]
            for place, month in enumerate(months):
                mine = [it for it in refunds if statement and _in_month(it, month, statement.methods)]
                many, amount = sums.get(place, (0, ZERO))
                sums[place] = many + len(mine), amount + sum((it.amount for it in mine), ZERO)
    booked += [it for it in read.foreign if it.wanted or bare_order(it.order) in named]
    if months:  # its sums are compared by month: no single refund can be looked for in them
        ends.pop(Book.STATEMENT, None)
    expected = Expected(
        ends=ends,
        days=timedelta(days=asked.days),
        in_statement=statement.methods if statement else ADVANCED,
        since=first if since else None,
        until=last if until else None,
    )
    compared = tuple(MonthCompared(month, *sums.get(place, (0, ZERO))) for place, month in enumerate(months))
    return PayoutsFound(tuple(files), first, last, reconcile(booked, rows, expected), compared, read.unread)


def _read_files(asked: PayoutsAsked) -> tuple[list[PayoutFile], Statement | None]:
    """The files, each once. Raises `InputFileError` and `WrongNameError`."""
    zone = zone_named(asked.zone) if asked.zone else None
    if asked.zone and zone is None:
        raise WrongNameError(f"{asked.zone!r} is no zone; write one such as Europe/Madrid")
    if bool(asked.statement) != bool(asked.mapping):
        raise WrongNameError("REVER's statement needs its mapping, and a mapping its statement: name both")
    if not asked.files and not asked.statement:
        raise WrongNameError("name a payout file, or REVER's statement with its mapping")
    files = [read_payout_file(path, FORMATS, zone, asked.zone) for path in asked.files]
    statement = read_statement(asked.statement, asked.mapping) if asked.statement and asked.mapping else None
    files += [statement.file] if statement else []
    for place, file in enumerate(files):
        if same := next((it for it in files[:place] if it.digest == file.digest), None):
            raise WrongNameError(f"{file.name} has the same content as {same.name}; name each file once")
    return files, statement


def _of_order(row: FileRow, orders: Mapping[str, str]) -> FileRow:
    """A row with the order that its references lead to, where they all lead to one."""
    found = {orders[each] for each in (row.order, *row.references) if each in orders}
    return replace(row, order=found.pop()) if len(found) == 1 else row


def _ends(files: Sequence[PayoutFile]) -> dict[Book, datetime]:
    """Until when there are files: of providers the one that ends first counts, for nobody knows whose a refund is."""
    by_source: dict[Source, datetime] = {}
    for file in files:
        if file.ends is not None:
            by_source[file.source] = max(file.ends, by_source.get(file.source, file.ends))
    statement = [at for source, at in by_source.items() if source == Source.STATEMENT]
    payouts = [at for source, at in by_source.items() if source != Source.STATEMENT]
    return {
        **({Book.PAYOUT: min(payouts)} if payouts else {}),
        **({Book.STATEMENT: min(statement)} if statement else {}),
    }


def _after(until: date | datetime) -> date | datetime:
    """A day is in the window to its end."""
    return until if isinstance(until, datetime) else until + timedelta(days=1)


def _is_refund(effect: Effect) -> bool:
    """Whether it moved money, or may have."""
    about_return = OrderKey.of(effect.process_id) is None
    return about_return and effect.kind is IntentKind.REFUND and effect.state in REFUNDED and effect.amount > 0


def _at(effect: Effect) -> datetime:
    """When it was paid as far as the ledger knows: when it was sent, else when it was closed or made."""
    return effect.sent_at or effect.closed_at or effect.created_at


def _in_month(effect: Effect, month: MonthSum, methods: Collection[str]) -> bool:
    return (
        effect.state is IntentState.DONE
        and effect.method in methods
        and effect.currency == month.currency
        and month.since <= _at(effect) < month.until
    )


def _booked(effect: Effect, read: _ReadReturns, references: tuple[str, ...], wanted: bool) -> BookedRefund:
    by_hand, still_open = effect.state is IntentState.DONE_BY_HAND, effect.state in OPEN_STATES
    shown = read.shown.get(effect.id)
    at = _at(effect)
    return BookedRefund(
        id=effect.id,
        process_id=effect.process_id,
        order=effect.order,
        store=effect.store,
        method=effect.method,
        currency=effect.currency,
        amount=effect.amount,
        ledger=None if still_open else effect.amount,
        rever=None if by_hand or shown is None else shown[0],
        paid=None if by_hand or shown is None else shown[1],
        at=at,
        since=at - (REACH if effect.adopted or by_hand else EARLY),
        references=(effect.id, effect.process_id, *references),
        by_hand=by_hand,
        open=still_open,
        wanted=wanted and (not still_open or bool(shown and shown[0])),
    )


async def _typed_references(desk: Desk, made: Sequence[Effect]) -> dict[str, tuple[str, ...]]:
    """The references that people gave for what they paid by hand, by effect."""
    found: dict[str, tuple[str, ...]] = {}
    for effect in made:
        if effect.state is IntentState.DONE_BY_HAND:
            told = await desk.ledger.aread(history, effect.process_id)
            steps = told.audit if told else ()
            given = {str(it.evidence.get("reference") or "") for it in steps if it.intent_id == effect.id}
            found[effect.id] = tuple(sorted(given - {""}))
    return found


async def _read_changed(
    desk: Desk, read: _ReadReturns, store: str, since: datetime
) -> AsyncIterator[list[PendingReturn]]:
    changed = UpdatedReturns(desk, store, since)
    async for batch in changed.batches():
        yield batch
    read.unread |= {item.process_id or item.why: item.why for item in changed.failures}


@step("read-past-returns")
async def read_refunds(
    desk: Desk,
    store: str,
    window: tuple[datetime, datetime],
    read: _ReadReturns,
    named: set[str],
    changed: Changed,
) -> None:
    """Read what REVER shows of the refunds of these returns, and of all that changed in the window; into `read`."""
    async for batch in changed(store, window[0]):
        await _take(desk, store, window, batch, read)
    left = sorted(named - read.done)
    for start in range(0, len(left), BATCH):
        found, failures = await fetch_returns(desk, left[start : start + BATCH])
        read.unread |= {item.process_id: item.why for item in failures}
        await _take(desk, store, window, found, read)


async def _take(
    desk: Desk,
    store: str,
    window: tuple[datetime, datetime],
    batch: Sequence[PendingReturn],
    read: _ReadReturns,
) -> None:
    read.unread |= {it.process_id: f"REVER's answer could not be read: {it.unread.found}" for it in batch if it.unread}
    fresh = [
        it.process
        for it in batch
        if not it.unread and it.process_id not in read.done and it.process.ecommerce_id in {"", store}
    ]
    records = await desk.ledger.aread(load_records, [process.rever_process_id for process in fresh])
    for process in fresh:
        record = as_shown(process, records[process.rever_process_id])
        read.done.add(process.rever_process_id)
        found = compare(process, record)
        read.shown |= {intent.id: (ZERO, ZERO) for intent in record.intents if intent.open}
        read.shown |= {intent.id: (ZERO, ZERO) for intent in found.unshown}
        read.shown |= {it.intent.id: (it.amount, it.paid) for it in found.standings}
        read.foreign += foreign_refunds(process, record, found, store, window)
    desk.report.progress.done = desk.report.seen = len(read.done)


def as_shown(process: ReturnProcess, record: Record) -> Record:
    """The record as it will be once its open effects are settled: a refund that REVER shows whole counts as done.

    So that it is in the books once: as the ledger's, and not as another's beside it.
    """
    if not any(map(_sent, record.intents)):
        return record
    done = [replace(it, state=IntentState.DONE) if _sent(it) else it for it in record.intents]
    found = compare(process, replace(record, intents=tuple(done)))
    whole = {it.intent.id for it in found.standings if it.amount == it.intent.amount}
    settled = [one if one.id in whole else it for it, one in zip(record.intents, done, strict=True)]
    return replace(record, intents=tuple(settled))


def _sent(intent: Intent) -> bool:
    """Whether it is a refund that may have been made, and of which nobody knows yet."""
    return intent.kind is IntentKind.REFUND and intent.open and intent.state in REFUNDED


def foreign_refunds(
    process: ReturnProcess, record: Record, found: Comparison, store: str, window: tuple[datetime, datetime]
) -> list[BookedRefund]:
    """The refunds that by `found` only REVER has, one by one where that can be told, else the sum of each method.

    `record` is the one that `found` was made with (`as_shown`).

    One of which REVER names no time is only there to explain a row, and so is one that is not of the window.
    """
    ours = Counter(
        (str(it.method), it.amount, it.currency)
        for it in record.intents
        if it.kind is IntentKind.REFUND and (it.state is IntentState.DONE or it.state in BY_A_PERSON)
    )
    booked: list[BookedRefund] = []
    for (method, currency), amount in found.foreign.items():
        if amount <= 0:
            continue
        left, rest = Counter(ours), list[Refund]()
        for it in refunds_shown(process):
            shape = (str(it.type), it.amount, it.currency)
            if (shape[0], shape[2]) != (method, currency):
                continue
            if left[shape] > 0:
                left[shape] -= 1
            else:
                rest.append(it)
        each = rest if sum((it.amount for it in rest), ZERO) == amount and all(it.amount > 0 for it in rest) else []
        parts = [(it.amount, ZERO if strange(it) else paid_of(it), it.refunded_at) for it in each]
        for place, (part, paid, at) in enumerate(parts or [(amount, amount, None)], 1):
            booked.append(
                BookedRefund(
                    id=f"{process.rever_process_id}:{method}:{currency}:{place}",
                    process_id=process.rever_process_id,
                    order=process.order_name,
                    store=store,
                    method=method,
                    currency=currency,
                    amount=part,
                    ledger=None,
                    rever=part,
                    paid=paid,
                    at=at or window[1],
                    since=(at or window[0]) - EARLY,
                    references=(process.rever_process_id,),
                    wanted=at is not None and window[0] <= at < window[1],
                )
            )
    return booked
