"""Compare what our ledger says was paid with what REVER shows, return by return. Sends nothing, corrects nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from rever_api.models import ProcessStatus, ReturnProcess
from tasks.decide_returns import DecidedReturn, note_returns
from tasks.desk import Desk
from tasks.fetch_returns import BATCH, PendingReturn, UpdatedReturns, check_inspections, fetch_returns
from tasks.ledger import catch_up, done_between, ended, final_returns, load_records, restored, unfinished
from tasks.policy.clocks import ahead, clock_time
from tasks.policy.comparison import RULE, RefundComparison, Seen, beside, compare, differs, outstanding
from tasks.policy.decision import Decision, Hold, Nothing
from tasks.policy.money import shown
from tasks.policy.order_returns import OrderKey
from tasks.policy.record import HoldKind, IntentKind, IntentState, Record, money_intents
from tasks.policy.rules.gates import REVER_ON_HOLD
from tasks.policy.store import StoreRules
from tasks.reporting.report import Failure, Mode
from tasks.steps import step

PAST_THE_END = timedelta(days=366)
"""How long after a return's end its refunds are still looked at: as far back as `hours` goes."""

LOOK_AGAIN = timedelta(days=7)
"""How long a return that has ended is left alone between two looks."""

MOST_OLD = 300
"""Returns that ended long ago and are read in one run: half a minute at the usual rate, 50,000 in a week of runs."""

REVERSED = "reversed"
"""The rule of the hold for a return that REVER has called off though it was paid."""


@dataclass(slots=True)
class Compared:
    """The returns that were compared: both sides of each, as they were before anything was noted.

    `differing` are the ids of those whose refunds differ, in the words of how.
    """

    beside: dict[str, list[RefundComparison]] = field(default_factory=dict)
    differing: dict[str, str] = field(default_factory=dict)
    decided: dict[str, DecidedReturn] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


@step("compare-with-rever")
async def compare_store(desk: Desk, store: str, window: timedelta, result: Compared) -> None:
    """Compare every return that changed at REVER in the window, that we acted on in it, or that is not at its end.

    The first are found by REVER's list, whatever their status, so that none is missed of which only REVER knows; the
    others, where the list has not shown them, are read by id. So are, some in each run and each about once a week,
    those that ended longer ago: a payment may come back without a change that the list would show. What is found
    stands in `result` at once.
    """
    now = desk.clock()
    changed = UpdatedReturns(desk, store, now - window)
    try:
        async for batch in changed.batches():
            await _compare(desk, batch, result)
    finally:
        result.failures += changed.failures
    ids = sorted(await _ours(desk, [store], now - window, now) - result.beside.keys())
    for start in range(0, len(ids), BATCH):
        found, failures = await fetch_returns(desk, ids[start : start + BATCH])
        result.failures += failures
        await _compare(desk, found, result)
    old = await desk.ledger.aread(
        ended, [store], since=now - PAST_THE_END, looked_before=now - LOOK_AGAIN, now=now, most=MOST_OLD
    )
    ids = sorted(set(old) - result.beside.keys())
    for start in range(0, len(ids), BATCH):
        found, failures = await fetch_returns(desk, ids[start : start + BATCH])
        result.failures += failures
        await _compare(desk, found, result, note_all=True)


async def _ours(desk: Desk, stores: Sequence[str], since: datetime, now: datetime) -> set[str]:
    """The returns of which our ledger has something to tell; an order of which one was asked for is none."""
    waiting = await desk.ledger.aread(unfinished, stores)
    done = await desk.ledger.aread(done_between, since, now + timedelta(seconds=1), stores)
    ids = {item.process_id for item in waiting} | {item.process_id for item in done}
    return {process_id for process_id in ids if OrderKey.of(process_id) is None}


async def _compare(desk: Desk, batch: Sequence[PendingReturn], result: Compared, *, note_all: bool = False) -> None:
    """Compare a batch, and write down what follows for those that differ or are not at their end, or for all.

    A list may be older than a read by id, so a return is read again before its difference counts.
    """
    checked, unread = await check_inspections(desk, batch)
    result.failures += unread
    unreadable = [pending for pending in checked if pending.unread]
    batch = [pending for pending in checked if not pending.unread]
    ids = [pending.process_id for pending in checked]
    records = await desk.ledger.aread(load_records, ids)
    suspects = [each.process_id for each in batch if differs(each.process, records[each.process_id])]
    again, failures = await fetch_returns(desk, suspects)
    result.failures += failures
    fresh = {pending.process_id: pending for pending in again if not pending.unread}
    unreadable += [pending for pending in again if pending.unread]
    final = await desk.ledger.aread(final_returns, ids)
    to_note = [pending for pending in unreadable if pending.process_id not in final]
    for pending in unreadable:
        result.beside.setdefault(pending.process_id, [])
        if pending.process_id in final and pending.unread:
            why = f"it was at its end, and REVER's answer about it cannot be read: {pending.unread.found or 'no such'}"
            result.failures.append(Failure(pending.process_id, why))
    unread_ids = {pending.process_id for pending in unreadable}
    for old in batch:
        if old.process_id in unread_ids:
            continue
        pending, record = fresh.get(old.process_id, old), records[old.process_id]
        result.beside[pending.process_id] = beside(pending.process, record, pending.store)
        result.differing.pop(pending.process_id, None)
        how = differs(pending.process, record)
        if how:
            result.differing[pending.process_id] = how
        open_again = outstanding(pending.process, record) or _called_off(pending.process, record)
        if how or open_again or note_all or pending.process_id not in final:
            to_note.append(pending)
    decided, failed = await note_returns(desk, to_note, hold_differences)
    result.decided |= {item.process_id: item for item in decided}
    result.failures += failed


def hold_differences(process: ReturnProcess, rules: StoreRules, record: Record, decision: Decision) -> Decision:
    """Hold a return that the rules would leave alone though its refunds differ: what differs is never just told.

    Where the rules wait (an older view, REVER still paying) or hold already, their answer stands; but not where they
    wait for REVER's people, who hold a return that we have paid, and have paid it too.
    """
    left_alone = isinstance(decision, Nothing) or (decision.rule == REVER_ON_HOLD and _paid_by_us(record))
    how = differs(process, record) if left_alone else ""
    if not how:
        return _reversed(process, record) or decision if left_alone else decision
    why = f"our ledger and REVER differ about this return: {how}"
    evidence = {"status": str(process.rever_process_status)[:40], "rules": decision.why, "store": rules.store}
    return Hold(RULE, why, HoldKind.CONTRADICTION, evidence, refunds=compare(process, record).others)


def _reversed(process: ReturnProcess, record: Record) -> Hold | None:
    """Ask about a return that was paid and is called off at REVER since; once, and for the amount that was seen."""
    if not _called_off(process, record):
        return None
    paid = [it for it in record.intents if it.kind is IntentKind.REFUND and it.state is IntentState.DONE]
    amount, currency = sum((it.amount for it in paid), Decimal(0)), next((it.currency for it in paid), "")
    stake, of = (amount, currency) if amount else (None, "")
    if record.waived(REVERSED, stake, of):
        return None
    status = str(process.rever_process_status)[:40]
    why = f"REVER shows the return as {status}, and {shown(amount, currency) if amount else 'goods'} went out for it"
    return Hold(REVERSED, why, HoldKind.CONTRADICTION, {"status": status}, stake, of)


def _called_off(process: ReturnProcess, record: Record) -> bool:
    """Whether REVER has cancelled a return, or failed in it, for which money or goods went out."""
    gone = process.rever_process_status in {ProcessStatus.CANCELED, ProcessStatus.FAILED}
    return gone and any(it.state is IntentState.DONE and not it.nothing_sent for it in money_intents(record))


def _paid_by_us(record: Record) -> bool:
    """Whether a refund of ours is done."""
    return any(it.kind is IntentKind.REFUND and it.state is IntentState.DONE for it in record.intents)


# After a restore from a backup: how far back reconcile must read, and when effects may go again.


MARGIN = timedelta(hours=1)
"""Clocks of two machines differ; what the backup knew last is looked at again from a little before."""


async def since_backup(desk: Desk, stores: Sequence[str], asked: timedelta) -> timedelta:
    """The window that was asked for, or a longer one that reaches back to the backup the ledger came from."""
    mark = await desk.ledger.aread(restored, stores)
    return asked if mark is None else max(asked, desk.clock() - mark.since + MARGIN)


async def after_restore(desk: Desk, stores: Sequence[str], began: datetime, *, failures: int) -> list[str]:
    """Let effects go again where REVER was read whole since `began`; return the notes for the report."""
    mark = await desk.ledger.aread(restored, stores)
    if mark is None:
        return []
    names, settled = ", ".join(mark.stores), mark.at + desk.settings.settle_delay
    still = f"the ledger was restored; nothing is sent to {names}"
    if desk.mode is Mode.PLAN:
        return [f"{still} until reconcile has run with mode=act"]
    if failures:
        return [
            f"{still} until a reconcile reads every return ({failures} could not be read), or a person says"
            " `rever-returns ledger caught-up`"
        ]
    if began < settled and not ahead(mark.at, desk.clock()):
        return [f"{still} until a reconcile that begins at {clock_time(settled, seconds=True)} or later"]
    delay = desk.settings.settle_delay
    await desk.ledger.awrite(catch_up, stores, read_since=began, settle_after=delay, now=desk.clock(), actor=desk.actor)
    return [
        f"reconcile has caught up with the restore at {names}. Effects are still stopped: look at what is held, then"
        " let them go (rever-returns start)"
    ]


# The comparison as rows for people: a table in the UI, and a CSV file for finance.

COMPARISON_COLUMNS = (
    "process_id",
    "order",
    "store",
    "status",
    "currency",
    "ours",
    "rever",
    "on_its_way",
    "difference",
    "by_hand",
    "seen",
    "decision",
    "why",
)

_AGREED = {Seen.SAME, Seen.NEITHER, Seen.BY_HAND, Seen.ONLY_BY_HAND}
"""There is nothing to look into."""


def comparison_rows(compared: Sequence[Compared]) -> list[dict[str, str]]:
    """A row for each return and currency, those that differ first. Amounts are decimal strings."""
    rows = [(row, found) for found in compared for rows in found.beside.values() for row in rows]
    rows.sort(key=lambda it: (it[0].seen in _AGREED, it[0].store, it[0].process_id, it[0].currency))
    return [_cells(row, found) for row, found in rows]


def _cells(row: RefundComparison, compared: Compared) -> dict[str, str]:
    decided = compared.decided.get(row.process_id)
    return {
        "process_id": row.process_id,
        "order": row.order_name,
        "store": row.store,
        "status": row.status,
        "currency": row.currency,
        "ours": str(row.ours),
        "rever": str(row.theirs),
        "on_its_way": str(row.on_its_way),
        "difference": str(row.difference),
        "by_hand": str(row.by_hand),
        "seen": str(row.seen),
        "decision": decided.decision.rule if decided else "at its end",
        "why": decided.decision.why if decided else "",
    }
