"""The stages that flows share: settle what is open, then take batches through inspection, decision and effects."""

import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from functools import partial

from tasks.check_inspections import check_inspections
from tasks.decide_returns import DecidedReturn, decide_returns
from tasks.desk import Desk
from tasks.effects.carry_out import Carried
from tasks.effects.exchange import issue_exchanges
from tasks.effects.label import generate_labels
from tasks.effects.perform import Result
from tasks.effects.refund import issue_refunds
from tasks.failures import presentable
from tasks.fetch_returns import PendingReturns
from tasks.ledger import LedgerError
from tasks.policy.record import IntentKind
from tasks.reporting.report import Mode, Report
from tasks.reporting.tally import count_carried, count_decisions, count_settled, forget_unknown
from tasks.returns import PendingReturn
from tasks.settle_outcomes import Settled, settle_outcomes
from tasks.steps import Stage

log = logging.getLogger(__name__)


async def store_by_store(
    desk: Desk, report: Report, stores: Iterable[str], work: Callable[[str], Awaitable[None]]
) -> tuple[str, ...]:
    """Do the work for each store by itself; answers the stores at which it came to its end.

    What goes wrong at one store stops no other: it is that store's failure, and the report names it. Only what would
    stop an effect anywhere ends the run: a ledger that fails, or a set-up for which an effect was refused.
    """
    through: list[str] = []
    for store in stores:
        try:
            await work(store)
        except LedgerError:
            raise
        except Exception as error:
            if desk.halted is not None:
                raise
            log.debug("the work at store %r was given up", store, exc_info=error)
            report.fail_store(store, str(presentable(error)))
        else:
            through.append(store)
    return tuple(through)


async def settle(
    desk: Desk, stage: Stage, report: Report, stores: Sequence[str], process_ids: Collection[str] | None = None
) -> None:
    """Settle the effects of unknown outcome, store by store, and count what was found."""

    async def at(store: str) -> None:
        settled: list[Settled] = []
        try:
            await stage("settle-outcomes", lambda: settle_outcomes(desk, [store], process_ids, settled), store)
        finally:
            count_settled(report, settled)

    await store_by_store(desk, report, stores, at)


async def settle_own(desk: Desk, stage: Stage, report: Report, stores: Sequence[str]) -> None:
    """Look once more, at the end of a run, at the outcomes that this run left unknown."""
    own = dict(desk.unknown)
    if not own:
        return

    async def at(store: str) -> None:
        settled: list[Settled] = []
        label = f"{len(own)} of this run, {store}"
        try:
            await stage("settle-outcomes", lambda: settle_outcomes(desk, [store], set(own.values()), settled), label)
        finally:
            count_settled(report, settled)
            forget_unknown(report, settled, set(own))

    await store_by_store(desk, report, stores, at)


async def take_through(desk: Desk, stage: Stage, report: Report, batch: Sequence[PendingReturn], label: str) -> None:
    """Take a batch of returns through inspection, decision, refunds, exchanges and labels."""
    inspected, unread = await stage("check-inspections", lambda: check_inspections(desk, batch), label)
    report.failures += unread
    pending = [item.pending for item in inspected]
    decided, failed = await stage("decide-returns", lambda: decide_returns(desk, pending), label)
    report.failures += failed
    count_decisions(report, decided)
    if desk.mode is Mode.ACT:
        await act(desk, stage, report, decided, label)


async def act(desk: Desk, stage: Stage, report: Report, decided: Sequence[DecidedReturn], label: str) -> None:
    """Carry out what was claimed for a batch: refunds first, then exchanges, then labels.

    Whatever ends a stage, what was done is counted, and what stayed unknown is kept for the run's last look.
    """
    carried: list[Carried] = []
    todo = list(decided)
    try:
        for kind, step, issue in (
            (IntentKind.REFUND, "issue-refunds", issue_refunds),
            (IntentKind.EXCHANGE, "issue-exchanges", issue_exchanges),
            (IntentKind.LABEL, "generate-labels", generate_labels),
        ):
            mine = [item for item in todo if item.decided.claim and item.decided.claim.intent.kind is kind]
            if mine:
                done = await stage(step, partial(issue, desk, todo, carried), label, len(mine))
                todo += [item.left for item in done if item.left]
    finally:
        count_carried(report, carried)
        for item in carried:
            for outcome in item.outcomes:
                if outcome.result is Result.UNKNOWN:
                    desk.unknown[outcome.claim.intent.id] = outcome.claim.process_id


async def named_through(desk: Desk, stage: Stage, report: Report, pending: Sequence[PendingReturn], label: str) -> None:
    """Take returns that were read by their ids through, those of each store by themselves."""

    async def at(store: str) -> None:
        await desk.rules(store)
        mine = [item for item in pending if item.store == store]
        await take_through(desk, stage, report, mine, f"{label} {store}".strip())

    await store_by_store(desk, report, dict.fromkeys(item.store for item in pending), at)


async def batches_through(desk: Desk, stage: Stage, report: Report, pending: PendingReturns) -> None:
    """Take a store's returns through, batch by batch as REVER hands them out."""
    number = 0
    try:
        while batch := await stage("fetch-pending-returns", pending.next_batch, f"{pending.store} {number + 1}"):
            number += 1
            await take_through(desk, stage, report, batch, f"{pending.store} {number} ({len(batch)} returns)")
    finally:
        report.failures += pending.failures
