"""The stages that flows share: settle what is open, then take batches through inspection, decision and effects."""

from collections.abc import Collection, Sequence
from functools import partial

from tasks.carry_out import Carried
from tasks.check_inspection import check_inspections
from tasks.decide_returns import DecidedReturn, decide_returns
from tasks.desk import Desk
from tasks.effects import Result
from tasks.fetch_pending_returns import PendingReturns
from tasks.generate_label import generate_labels
from tasks.issue_exchange import issue_exchanges
from tasks.issue_refund import issue_refunds
from tasks.policy.record import IntentKind
from tasks.report import Mode, Report
from tasks.returns import PendingReturn
from tasks.settle_outcome import settle_outcomes
from tasks.steps import Stage
from tasks.tally import count_carried, count_decisions, count_settled, forget_unknown


async def settle(
    desk: Desk, stage: Stage, report: Report, stores: Sequence[str], process_ids: Collection[str] | None = None
) -> None:
    """Settle the effects of unknown outcome, and count what was found."""
    settled = await stage("settle-outcomes", lambda: settle_outcomes(desk, stores, process_ids), ", ".join(stores))
    count_settled(report, settled)


async def settle_own(desk: Desk, stage: Stage, report: Report, stores: Sequence[str], carried: list[Carried]) -> None:
    """Look once more, at the end of a run, at the outcomes that this run left unknown."""
    own = {
        outcome.claim.intent.id: outcome.claim.process_id
        for item in carried
        for outcome in item.outcomes
        if outcome.result is Result.UNKNOWN
    }
    if not own:
        return
    ids = set(own.values())
    settled = await stage("settle-outcomes", lambda: settle_outcomes(desk, stores, ids), f"{len(own)} of this run")
    count_settled(report, settled)
    forget_unknown(report, settled, set(own))


async def take_through(
    desk: Desk, stage: Stage, report: Report, batch: Sequence[PendingReturn], label: str
) -> list[Carried]:
    """Take a batch of returns through inspection, decision, refunds, exchanges and labels."""
    inspected, unread = await stage("check-inspections", lambda: check_inspections(desk, batch), label)
    report.failures += unread
    pending = [item.pending for item in inspected]
    decided, failed = await stage("decide-returns", lambda: decide_returns(desk, pending), label)
    report.failures += failed
    count_decisions(report, decided)
    if desk.mode is Mode.PLAN:
        return []
    return await act(desk, stage, report, decided, label)


async def act(desk: Desk, stage: Stage, report: Report, decided: Sequence[DecidedReturn], label: str) -> list[Carried]:
    """Carry out what was claimed for a batch: refunds first, then exchanges, then labels."""
    carried: list[Carried] = []
    todo = list(decided)
    for kind, step, issue in (
        (IntentKind.REFUND, "issue-refunds", issue_refunds),
        (IntentKind.EXCHANGE, "issue-exchanges", issue_exchanges),
        (IntentKind.LABEL, "generate-labels", generate_labels),
    ):
        if claimed := sum(item.decided.claim is not None and item.decided.claim.intent.kind is kind for item in todo):
            done = await stage(step, partial(issue, desk, todo), label, claimed)
            carried += done
            todo += [item.left for item in done if item.left]
    count_carried(report, carried)
    return carried


async def batches_through(desk: Desk, stage: Stage, report: Report, pending: PendingReturns) -> list[Carried]:
    """Take a store's returns through, batch by batch as REVER hands them out. Keeps what may still be unknown."""
    unknown: list[Carried] = []
    number = 0
    while batch := await stage("fetch-pending-returns", pending.next_batch, f"{pending.store} {number + 1}"):
        number += 1
        carried = await take_through(desk, stage, report, batch, f"{pending.store} {number} ({len(batch)} returns)")
        unknown += [item for item in carried if any(done.result is Result.UNKNOWN for done in item.outcomes)]
    report.failures += pending.failures
    return unknown
