"""Compare what our ledger says was paid with what REVER shows, return by return. Sends nothing, corrects nothing."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from rever_api.models import ReturnProcess
from tasks.check_inspection import check_inspections
from tasks.decide_returns import DecidedReturn, note_returns
from tasks.desk import Desk
from tasks.fetch_pending_returns import fetch_returns
from tasks.fetch_updated_returns import fetch_updated
from tasks.ledger import done_between, final_returns, load_records, unfinished
from tasks.policy.reading import refunds_shown
from tasks.policy.record import IntentKind, IntentState, Record
from tasks.report import Failure

Amounts = dict[str, Decimal]


@dataclass(slots=True)
class Compared:
    """The returns that were compared. `ours` and `theirs` are the refunds of these returns, per currency."""

    decided: list[DecidedReturn] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    ours: Amounts = field(default_factory=lambda: defaultdict(Decimal))
    theirs: Amounts = field(default_factory=lambda: defaultdict(Decimal))
    differing: list[str] = field(default_factory=list)


async def to_compare(desk: Desk, stores: Sequence[str], window: timedelta) -> tuple[list[str], list[Failure]]:
    """The returns to read, and the entries of REVER's list that could not be read.

    All that are not at their end; those on which something was done in the window; and all that changed at REVER in
    it and are not at their end in the ledger, which is how a return is found that no search for running ones shows.
    """
    now = desk.clock()
    waiting = await desk.ledger.aread(unfinished, stores)
    done = await desk.ledger.aread(done_between, now - window, now + timedelta(seconds=1), stores)
    changed: set[str] = set()
    failures: list[Failure] = []
    for store in stores:
        found, unread = await fetch_updated(desk, store, now - window)
        changed |= {pending.process_id for pending in found}
        failures += unread
    changed -= await desk.ledger.aread(final_returns, changed)
    return sorted({item.process_id for item in (*waiting, *done)} | changed), failures


async def compare_returns(desk: Desk, process_ids: Sequence[str]) -> Compared:
    """Read these returns at REVER and compare each with the ledger.

    A return of which both show the same and every unit has its outcome is closed in the ledger; one that differs is
    held by the rules, or waits while REVER's view may be stale.
    """
    result = Compared()
    found, result.failures = await fetch_returns(desk, process_ids)
    inspected, unread = await check_inspections(desk, found)
    pending = [item.pending for item in inspected]
    result.failures += unread
    records = await desk.ledger.aread(load_records, [item.process_id for item in pending])
    for item in pending:
        _compare(result, item.process, records[item.process_id])
    result.decided, failed = await note_returns(desk, pending)
    result.failures += failed
    return result


def paid_by_us(record: Record) -> Amounts:
    """The refunds that our ledger holds for done at REVER, per currency; those made by hand are not REVER's."""
    amounts: Amounts = defaultdict(Decimal)
    for intent in record.intents:
        if intent.kind is IntentKind.REFUND and intent.state is IntentState.DONE and not intent.nothing_sent:
            amounts[intent.currency] += intent.amount
    return amounts


def _compare(result: Compared, process: ReturnProcess, record: Record) -> None:
    theirs: Amounts = defaultdict(Decimal)
    for refund in refunds_shown(process):
        theirs[refund.currency] += refund.amount
    ours = paid_by_us(record)
    if {key: amount for key, amount in ours.items() if amount} != {
        key: amount for key, amount in theirs.items() if amount
    }:
        result.differing.append(process.rever_process_id)
    for total, amounts in ((result.ours, ours), (result.theirs, theirs)):
        for currency, amount in amounts.items():
            total[currency] += amount
