"""What flows share: settle what is open, then take batches through inspection, decision and effects."""

import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from flows.parameters import SearchParameters
from rever_api import share_of
from tasks.answer_hold import end_overdue_approvals
from tasks.decide_returns import DecidedReturn, decide_labels, decide_returns
from tasks.desk import Desk, DeskError, WrongNameError
from tasks.effects.carry_out import (
    AskedReturn,
    ReturnResult,
    cancel_returns,
    generate_labels,
    issue_exchanges,
    issue_refunds,
)
from tasks.effects.perform import Outcome, Result
from tasks.fetch_label_files import note_wanted_files
from tasks.fetch_returns import BATCH, PendingReturn, PendingReturns, check_inspections, fetch_returns, since_at
from tasks.find_returns import NothingFoundError, SeveralStoresError, find_returns
from tasks.ledger import LedgerError, open_holds, to_settle, took_on
from tasks.lookup import read_key
from tasks.policy.approvals import APPROVAL
from tasks.policy.record import IntentKind
from tasks.reporting.report import Failure, Mode, ReturnsReport, RunReport
from tasks.reporting.tally import (
    count_carried,
    count_decisions,
    count_outcome,
    count_settled,
    forget_unknown,
    forget_waits,
)
from tasks.settle_outcomes import Settled, settle_outcomes
from tasks.shadow import compare_with_candidate
from tasks.steps import about, presentable, some

log = logging.getLogger(__name__)


Step = Callable[[str], Awaitable[None]]
"""What is done at one store."""

FEWEST = 10
"""Returns that are claimed at a time at least."""


@contextmanager
def at(desk: Desk, store: str) -> Iterator[None]:
    """Make an error in this block the failure of this store, which the report names, and go on behind the block.

    Its calls are taken from the store's share of the rate. An error that would stop an effect anywhere is raised, and
    ends the work at the other stores too: a ledger that fails, or a set-up for which an effect was refused.
    """
    tally, began = desk.report.at(store), time.monotonic()
    try:
        with share_of(store):
            yield
    except LedgerError as error:
        desk.halted = desk.halted or error
        raise
    except Exception as error:
        if desk.halted is not None:
            raise
        log.debug("the work at store %r was given up", store, exc_info=error)
        desk.report.fail_store(store, str(presentable(error)))
    finally:
        tally.seconds += time.monotonic() - began


async def side_by_side(desk: Desk, stores: Sequence[str], *steps: Step) -> None:
    """Take these steps at each store, one after another, and the stores side by side: `REVER_STORES_AT_ONCE` of them.

    A step that fails is the failure of its store (`at`), and the next step is taken all the same. What would stop an
    effect anywhere is raised once the others have come to a place where they can stop.
    """

    async def work(store: str) -> None:
        desk.working.add(store)
        desk.report.at(store).ended = False
        try:
            for step in steps:
                with at(desk, store):
                    go_on(desk, store)
                    await step(store)
            desk.report.at(store).ended = True
        finally:
            desk.working.discard(store)

    await some(desk.settings.stores_at_once, stores, work)


def go_on(desk: Desk, store: str) -> None:
    """Raise what has ended the run, or the work at this store, meanwhile."""
    if (halted := desk.halted_at(store)) is not None:
        raise halted


async def settle(
    desk: Desk, report: ReturnsReport, stores: Sequence[str], process_ids: Collection[str] | None = None
) -> None:
    """Settle the effects of unknown outcome, the stores side by side, and count what was found."""
    await side_by_side(desk, stores, await settling(desk, report, stores, process_ids))


async def settling(
    desk: Desk, report: ReturnsReport, stores: Sequence[str], process_ids: Collection[str] | None = None
) -> Step:
    """The step that settles what is open at a store; there is nothing to do at most of them, as one look tells."""
    concerned = await desk.ledger.aread(to_settle, stores, process_ids) if report.acts else set()

    async def settle_at(store: str) -> None:
        settled: list[Settled] = []
        if store in concerned:
            with about(store):
                try:
                    await settle_outcomes(desk, store, process_ids, settled)
                finally:
                    count_settled(report, settled)

    return settle_at


async def end_approvals(
    desk: Desk, report: ReturnsReport, stores: Sequence[str], process_ids: Collection[str] = ()
) -> None:
    """Do what the stores' own rules have happen to approvals that nobody gave in time, and tell of it."""
    await side_by_side(desk, stores, await ending_approvals(desk, report, stores, process_ids))


async def ending_approvals(
    desk: Desk, report: ReturnsReport, stores: Sequence[str], process_ids: Collection[str] = ()
) -> Step:
    """The step that ends a store's overdue approvals; most stores have none, as one look tells.

    Without rules of the stores' own none ever ends: they say what happens then.
    """
    held = await desk.ledger.aread(open_holds, stores) if desk.policies.rules else []
    concerned = {hold.store for hold in held if hold.rule == APPROVAL}

    async def end_at(store: str) -> None:
        if store in concerned:
            with about(store):
                report.fail(store, await end_overdue_approvals(desk, store, process_ids, report.notes))

    return end_at


async def settle_own(desk: Desk, report: ReturnsReport, stores: Sequence[str]) -> None:
    """Look once more, at the end of a run, at the outcomes that this run left unknown."""
    own = dict(desk.unknown)
    if not own:
        return
    concerned = await desk.ledger.aread(to_settle, stores, set(own.values()))

    async def settle_at(store: str) -> None:
        settled: list[Settled] = []
        with about(f"{len(own)} of this run, {store}"):
            try:
                await settle_outcomes(desk, store, set(own.values()), settled)
            finally:
                count_settled(report, settled)
                forget_unknown(report, settled, set(own))

    await side_by_side(desk, [store for store in stores if store in concerned], settle_at)


async def named_ids(desk: Desk, report: RunReport, typed: Sequence[str], asked: list[str]) -> list[str]:
    """The ids of the returns that were named, by whatever was typed; what each key found is a note of the report.

    REVER is asked only about what is no id of its own. `asked` are the stores that the form names; none stands for all.
    Raises `NothingFoundError` where a key finds nothing at these stores, and in `act` `SeveralStoresError` where it
    finds returns of several stores and none was named: nothing is begun for the others either.
    """
    keys = [read_key(text) for text in typed]
    found: list[str] = []
    searched = [key for key in keys if not key.is_id]
    stores = desk.chosen(asked)
    with about(f"{len(searched)} not by id"):
        matches = dict(zip(searched, await find_returns(desk, searched, stores) if searched else [], strict=True))
    for key in keys:
        if key.is_id:
            found.append(key.text)
            continue
        report.notes.append(matches[key].words)
        found += [item.process_id for item in matches[key].returns]
        if not asked and len(matches[key].stores) > 1:
            which = SeveralStoresError(matches[key])
            if report.acts:
                raise which
            report.notes.append(str(which))
    return list(dict.fromkeys(found))


async def the_one_named(desk: Desk, report: ReturnsReport, typed: str, asked: list[str]) -> PendingReturn:
    """The one return that was named, settled and read; the report is about its store alone from then on.

    `asked` are the stores that the form names. Raises `WrongNameError` where several returns are meant,
    `NothingFoundError` where none is, and `DeskError` where it cannot be read.
    """
    report.stores = desk.chosen(asked)
    named = await named_ids(desk, report, [typed], asked)
    if len(named) > 1:
        raise WrongNameError(f"{typed} has {len(named)} returns; name one by its id: {', '.join(named)}")
    await settle(desk, report, report.stores, named)
    with about(named[0]):
        found = await fetch_some(desk, report, named)
    if not found:
        raise DeskError("; ".join(f"{failed.process_id}: {failed.why}" for failed in report.failures))
    report.stores = (found[0].store,)
    report.progress.find(1)
    return found[0]


async def fetch_some(desk: Desk, report: ReturnsReport, process_ids: Sequence[str]) -> list[PendingReturn]:
    """As `fetch_named`; those of other stores than the report's are failures: nothing is done at a store not asked for.

    Raises `NothingFoundError` where nothing is left: REVER knows none of them, or they are of other stores.
    """
    found = await fetch_named(desk, report, process_ids)
    asked = ", ".join(report.stores)
    mine = [pending for pending in found if pending.store in report.stores]
    report.failures += [
        Failure(pending.process_id, f"it is of store {pending.store!r}, and {asked} was asked for", unknown=True)
        for pending in found
        if pending.store not in report.stores
    ]
    if not mine and report.failures and all(failed.unknown for failed in report.failures):
        raise NothingFoundError("; ".join(f"{failed.process_id}: {failed.why}" for failed in report.failures))
    return mine


async def fetch_named(desk: Desk, report: ReturnsReport, process_ids: Sequence[str]) -> list[PendingReturn]:
    """The returns of these ids; those that could not be read are failures of the report."""
    with about(f"{len(process_ids)} by id"):
        found, failures = await fetch_returns(desk, process_ids)
    report.failures += failures
    return found


async def named_through(
    desk: Desk, report: ReturnsReport, pending: Sequence[PendingReturn], label: str, *, labels_only: bool = False
) -> None:
    """Take returns that were read by their ids through, those of each store by themselves."""
    report.progress.find(len(pending))

    async def take(store: str) -> None:
        await desk.rules(store)
        mine = [item for item in pending if item.store == store]
        await take_through(desk, report, mine, f"{label} {store}".strip(), labels_only=labels_only)

    await side_by_side(desk, list(dict.fromkeys(item.store for item in pending)), take)


async def searched_through(
    desk: Desk, report: ReturnsReport, parameters: SearchParameters, *before: Step, labels_only: bool = False
) -> None:
    """Take the running returns of the report's stores through, side by side, each after the steps `before`.

    The stores have equal parts of `max_returns`; what one does not need goes to those that have more.
    """
    searches: dict[str, PendingReturns] = {}
    parts: dict[str, int | None] = {}
    left, going, steps = parameters.max_returns, list(report.stores), before

    async def search(store: str) -> None:
        if parts[store] == 0:
            return
        if store not in searches:
            await desk.rules(store)
            since = await since_at(desk, store, parameters.started_since)
            searches[store] = PendingReturns(desk, store, started_since=since, labels_only=labels_only)
        await batches_through(desk, report, searches[store].allow(parts[store]))

    while going:
        parts.update(equal_parts(left, going, first=int(desk.clock().timestamp() // 60)))
        await side_by_side(desk, going, *steps, search)
        if left is not None:
            left = (parameters.max_returns or 0) - sum(found.came for found in searches.values())
        unasked = set(going) - searches.keys()
        more = unasked | {store for store, found in searches.items() if found.more}
        going = [store for store in _not_given_up(desk, report) if left and store in more]
        steps = ()


async def pay_from_the_rest(desk: Desk, report: ReturnsReport) -> None:
    """Take returns through again that found no room in their store's part of `max_amount`, as far as other stores have
    left of theirs.
    """
    while desk.budget is not None:
        going = _not_given_up(desk, report)
        first = int(desk.clock().timestamp() // 60) % max(1, len(going))
        handed_on = desk.budget.hand_on(going[first:] + going[:first])
        if not handed_on:
            return
        await side_by_side(desk, list(handed_on), partial(_once_more, desk, report, handed_on))


async def _once_more(desk: Desk, report: ReturnsReport, handed_on: Mapping[str, Sequence[str]], store: str) -> None:
    """Take these returns of a store through again. Each is read anew: some time may have passed."""
    ids = handed_on[store]
    report.progress.finish(-len(ids))
    for first in range(0, len(ids), BATCH):
        go_on(desk, store)
        label = f"{store} once more ({len(ids[first : first + BATCH])} returns)"
        with about(label):
            found, failures = await fetch_returns(desk, ids[first : first + BATCH])
        report.fail(store, failures)
        report.progress.finish(len(failures))
        if found:
            await take_through(desk, report, found, label, again=True)


def _not_given_up(desk: Desk, report: ReturnsReport) -> list[str]:
    """The report's stores at which the work goes on."""
    return [it for it in report.stores if it not in report.stores_failed and desk.halted_at(it) is None]


def equal_parts(whole: int | None, stores: Sequence[str], first: int = 0) -> dict[str, int | None]:
    """A number in equal parts, one for each store; None is no bound. The odd ones go to those from the `first` on."""
    if whole is None:
        return dict.fromkeys(stores)
    each, odd = divmod(whole, len(stores))
    return {store: each + ((place - first) % len(stores) < odd) for place, store in enumerate(stores)}


async def batches_through(desk: Desk, report: ReturnsReport, pending: PendingReturns) -> None:
    """Take a store's returns through, batch by batch as REVER hands them out."""
    try:
        async for batch in pending.batches():
            go_on(desk, pending.store)
            label = f"{pending.store} {pending.number} ({len(batch)} returns)"
            await take_through(desk, report, batch, label, labels_only=pending.labels_only)
    finally:
        report.fail(pending.store, pending.failures)
        pending.failures = []


async def take_through(
    desk: Desk,
    report: ReturnsReport,
    batch: Sequence[PendingReturn],
    label: str,
    *,
    labels_only: bool = False,
    again: bool = False,
) -> None:
    """Take a batch of returns of one store through inspection, decision and effects, or only through labels.

    In `act` so many are claimed at a time as can be sent within a lease, also where other stores share the rate.
    `again`: this run has decided about them before, that they wait.
    """
    with about(label):
        checked, unread = await check_inspections(desk, batch)
        report.fail(batch[0].store, unread)
        finished = 0
        together = max(FEWEST, BATCH // max(1, len(desk.working))) if report.acts else BATCH
        for first in range(0, len(checked), together):
            some_of_them = checked[first : first + together]
            finished += await _decide_and_act(desk, report, some_of_them, labels_only=labels_only, again=again)
    report.progress.finish(len(batch) - finished)


async def _decide_and_act(
    desk: Desk, report: ReturnsReport, batch: Sequence[PendingReturn], *, labels_only: bool, again: bool
) -> int:
    """Take a batch that was inspected through; of how many returns the progress tells already that they are done."""
    decide = decide_labels if labels_only else decide_returns
    decided, failed = await decide(desk, batch)
    report.fail(batch[0].store, failed)
    if again:
        forget_waits(report, decided)
    count_decisions(report, decided)
    finished = 0
    carried: list[ReturnResult] = []
    if desk.mode is Mode.ACT:
        finished = sum(item.decided.claim is None for item in decided)
        report.progress.finish(finished)
        carried = await act(desk, report, decided)
        finished += sum(item.left is None for item in carried)
        if not labels_only:
            await note_taken_on(desk, carried)
    if labels_only:
        await note_wanted_files(desk, batch, carried)
    if desk.candidate is not None and not again:
        await compare_with_candidate(desk, report, decided)
    return finished


async def note_taken_on(desk: Desk, carried: Sequence[ReturnResult]) -> None:
    """Write down for which of the returns with a claim this run leaves nothing to another: their events are closed."""
    began, done = desk.actor.run_began_at, [item.pending.process_id for item in carried if item.took_on]
    if began is not None and done:
        await desk.ledger.awrite(took_on, done, began=began, now=desk.clock())


async def act(desk: Desk, report: ReturnsReport, decided: Sequence[DecidedReturn]) -> list[ReturnResult]:
    """Carry out what was claimed for a batch: refunds first, then exchanges, cancellations and labels.

    Whatever ends a step, what was done is counted, and what stayed unknown is kept for the run's last look.
    """
    carried: list[ReturnResult] = []
    todo = list(decided)
    try:
        if refunds := _claimed(todo, IntentKind.REFUND):
            todo += _left(await issue_refunds(desk, refunds, carried))
        if exchanges := _claimed(todo, IntentKind.EXCHANGE):
            todo += _left(await issue_exchanges(desk, exchanges, carried))
        if cancelled := _claimed(todo, IntentKind.CANCEL):
            todo += _left(await cancel_returns(desk, cancelled, carried))
        if labels := _claimed(todo, IntentKind.LABEL):
            await generate_labels(desk, labels, carried)
    finally:
        count_carried(report, carried)
        _remember_unknown(desk, [outcome for item in carried for outcome in item.outcomes])
    return carried


def count_asked(desk: Desk, report: ReturnsReport, asked: Sequence[AskedReturn]) -> None:
    """Count what came of effects that were asked for, and keep what stayed unknown for the run's last look."""
    count_decisions(report, [it.decided for it in asked])
    outcomes = [it.outcome for it in asked if it.outcome]
    for outcome in outcomes:
        count_outcome(report, outcome)
    _remember_unknown(desk, outcomes)


def _remember_unknown(desk: Desk, outcomes: Iterable[Outcome]) -> None:
    """Keep the effects whose outcome is unknown for the run's last look at them (`settle_own`)."""
    desk.unknown |= {it.claim.intent.id: it.claim.process_id for it in outcomes if it.result is Result.UNKNOWN}


def _claimed(decided: Sequence[DecidedReturn], kind: IntentKind) -> list[DecidedReturn]:
    """Those for which an effect of this kind was claimed."""
    return [item for item in decided if item.decided.claim and item.decided.claim.intent.kind is kind]


def _left(carried: Sequence[ReturnResult]) -> list[DecidedReturn]:
    """The returns for which an effect of another kind was claimed on the way."""
    return [item.left for item in carried if item.left]
