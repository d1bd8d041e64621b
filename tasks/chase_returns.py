"""Read a store's returns that wait, find those that have stood still for too long, note of which people are told."""

from dataclasses import dataclass, field, replace

from rever_api.models import ReturnProcess, UnreadableProcess
from tasks.desk import Desk
from tasks.fetch_returns import BATCH, PendingReturn, fetch_returns, taken_in, waiting_query
from tasks.gather_facts import gather_facts
from tasks.ledger import HoldRow, kept_back, load_records, open_holds, remind_once, unfinished
from tasks.policy.facts import incomplete
from tasks.policy.order_returns import OrderKey
from tasks.policy.stale import StaleReturn, StaleStage, coming, stale, stale_hold
from tasks.policy.store import StoreRules
from tasks.reporting.report import Failure
from tasks.steps import step


@dataclass(slots=True)
class Chased:
    """What was found at a store: the returns that were read, those that stand still, and what could not be read."""

    read: set[str] = field(default_factory=set)
    stale: list[StaleReturn] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


@step("read-past-returns")
async def find_stale(desk: Desk, store: str) -> Chased:
    """Find the returns of a store that have stood still for too long, the oldest first. Writes nothing.

    Read are those that run or are on hold at REVER, and those that the ledger has not seen at their end: a refund may
    be on its way when REVER has closed its return. A hold is in the ledger, and needs no read.
    """
    found = Chased()
    held = await desk.ledger.aread(open_holds, [store])
    batch: list[PendingReturn] = []
    async for listed in desk.client.walk_return_processes(waiting_query(store)):
        entry = taken_in(listed, desk.clock())
        if isinstance(entry, UnreadableProcess):
            found.failures.append(Failure(entry.process_id, f"REVER's answer could not be read: {entry.why}"))
        elif entry.ecommerce_id in {"", store} and entry.rever_process_id not in found.read:
            found.read.add(entry.rever_process_id)
            batch.append(PendingReturn(store, entry, searched=True))
        if len(batch) == BATCH:
            await _look(desk, batch, found)
            batch = []
    await _look(desk, batch, found)
    named = {it.process_id for it in await desk.ledger.aread(unfinished, [store])}
    left = sorted(it for it in named - found.read if OrderKey.of(it) is None)
    for start in range(0, len(left), BATCH):
        returns, failures = await fetch_returns(desk, left[start : start + BATCH])
        found.failures += failures
        found.read |= {it.process_id for it in returns}
        await _look(desk, [it for it in returns if it.store == store and it.unread is None], found)
    await _look_at_holds(desk, store, held, found)
    found.stale.sort(key=lambda it: (it.since, it.process_id, it.stage))
    return found


async def _look(desk: Desk, batch: list[PendingReturn], found: Chased) -> None:
    """Find what of a batch stands still, and ask the rules what comes next of that alone.

    A return of which the list leaves something out is read by its id first.
    """
    if not batch:
        return
    rules, now = await desk.rules(batch[0].store), desk.clock()
    partly = {it.process_id for it in batch if it.searched and _left_out(it.process, rules)}
    if partly:
        whole, failures = await fetch_returns(desk, sorted(partly))
        found.failures += failures
        batch = [*(it for it in batch if it.process_id not in partly), *(it for it in whole if it.unread is None)]
    records = await desk.ledger.aread(load_records, [pending.process_id for pending in batch])
    standing = {
        pending.process_id: (pending, those)
        for pending in batch
        if (those := stale(pending.process, rules, records[pending.process_id], now))
    }
    await gather_facts(desk, [pending for pending, _ in standing.values()])
    back = await desk.ledger.aread(kept_back, batch[0].store, now)
    for process_id, (pending, those) in standing.items():
        comes = coming(pending.process, rules, records[process_id], now)
        for it in those:
            ours = back and it.stage in {StaleStage.NOT_PAID, StaleStage.NO_LABEL}
            stopped = f"; nothing is sent now: {back}" if ours else ""
            found.stale.append(
                replace(
                    it,
                    comes_next=f"{comes.words}{stopped}",
                    called_off_by=comes.called_off_by,
                    called_off_on=comes.called_off_on,
                )
            )


def _left_out(process: ReturnProcess, rules: StoreRules) -> bool:
    """Whether a read leaves out what is asked here: inspections, refunds, parcels."""
    untold = process.logistics is None and not rules.omits_empty_fields
    return untold or bool(incomplete(process, rules))


async def _look_at_holds(desk: Desk, store: str, held: list[HoldRow], found: Chased) -> None:
    """Find the holds that nobody has answered."""
    limits, now = desk.policies.for_store(store).stale, desk.clock()
    for hold in held:
        it = stale_hold(hold.process_id, store, hold.order_name, hold.hold_id, hold.since, limits, now)
        if it is not None:
            found.stale.append(replace(it, comes_next=f"nothing until a person answers: {hold.why}"))


async def remind(desk: Desk, found: Chased) -> list[StaleReturn]:
    """Those of which nobody was told before at their stage; it is written down that people are told of them now."""
    return await desk.ledger.awrite(remind_once, found.stale, now=desk.clock()) if found.stale else []
