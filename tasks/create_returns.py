"""Make the returns that a file asks for: one createReturn for each, order by order, through the ledger."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tasks.desk import Desk
from tasks.effects.calls import EFFECTS
from tasks.effects.carry_out import AskedReturn, carry_out_asked
from tasks.effects.perform import Outcome, Result
from tasks.fetch_returns import PendingReturn, fetch_order
from tasks.files.new_returns import WantedReturn
from tasks.files.return_verdicts import Came, OrderBounds, ReturnVerdict, judge_order, known_return, with_words
from tasks.ledger import load_records, words_of
from tasks.lookup import bare_order
from tasks.policy.decision import AskedEffect, Decision, Hold, Wait
from tasks.policy.kinds.create_return import asked_for, order_shown
from tasks.policy.order_returns import OrderKey, folded
from tasks.policy.record import IntentKind, IntentState, Record
from tasks.reporting.report import Failure, Mode
from tasks.steps import FATAL, each, failure, step

UNDER_WAY = Came(ReturnVerdict.HELD, "the run was cut off; what was under way is settled by the next run", passes=True)
NOT_BEGUN = Came(ReturnVerdict.HELD, "the run ended before it", passes=True)


@dataclass(slots=True)
class AskedOrder:
    """The returns that a file asks for of one order, and what came of each, by its place."""

    order: OrderKey
    wanted: tuple[WantedReturn, ...]
    came: dict[int, Came] = field(default_factory=dict)
    asked: list[AskedReturn] = field(default_factory=list)
    failure: Failure | None = None

    def give_up(self, why: str) -> None:
        """Say of the returns that nothing came of why that is; the next run takes them again."""
        for place in range(len(self.wanted)):
            self.came.setdefault(place, Came(ReturnVerdict.HELD, why, passes=True))

    def ends(self) -> Iterable[tuple[WantedReturn, Came]]:
        """What became of each; of what the run did not come to nothing did."""
        return ((it, self.came.get(place, NOT_BEGUN)) for place, it in enumerate(self.wanted))


def by_order(wanted: Iterable[WantedReturn], store: str) -> list[AskedOrder]:
    """The returns that are asked for, by their order."""
    orders = defaultdict[str, list[WantedReturn]](list)
    for it in wanted:
        orders[bare_order(it.order_name)].append(it)
    return [AskedOrder(OrderKey(store, its[0].order_name), tuple(its)) for its in orders.values()]


@step("create-returns")
async def create_returns(desk: Desk, batch: Sequence[AskedOrder]) -> None:
    """Make the returns of a batch of orders, each order by itself; a plan only decides.

    What came of each stands at its order from the beginning, so that it is told whatever ends the run.
    """

    async def work(order: AskedOrder) -> None:
        try:
            await _of_order(desk, order)
        except FATAL:
            raise
        except Exception as error:  # noqa: BLE001 - one order's fault must not stop the others
            order.failure = failure(order.order.process_id, error)
            order.give_up(order.failure.why)
        desk.report.progress.finish()

    await each("create-returns", batch, work)


async def _of_order(desk: Desk, order: AskedOrder) -> None:
    """Make the returns of one order, one after another: each changes which units come next."""
    bounds = await order_bounds(desk, order.order)
    while len(order.came) < len(order.wanted):
        pending = await fetch_order(desk, order.order)
        record = await _record(desk, order.order)
        left = {place: it for place, it in enumerate(order.wanted) if place not in order.came}
        judged = dict(
            zip(left, judge_order([*left.values()], order_shown(pending.process), record, bounds), strict=True)
        )
        order.came |= {place: it for place, it in judged.items() if it.new is None}
        due = {at: it for at, it in judged.items() if it.new is not None}
        if not due:
            return
        place = min(due)
        order.came[place] = UNDER_WAY
        order.came[place] = await _make(desk, order, place, pending, due[place])
        if desk.mode is Mode.PLAN:
            # The others are judged as though the first were made: what stops it stops them too.
            made = order.came[place].verdict is ReturnVerdict.CREATE
            order.came |= {at: it if made else order.came[place] for at, it in due.items() if at != place}
            return


async def _make(desk: Desk, order: AskedOrder, place: int, pending: PendingReturn, came: Came) -> Came:
    wanted, new = order.wanted[place], came.new
    asked = await carry_out_asked(desk, EFFECTS[IntentKind.CREATE_RETURN], pending, new)
    order.asked.append(asked)
    if asked.outcome is None:
        return await _not_claimed(desk, order.order, asked.decided.decision, wanted, came)
    outcome = _carried_out(asked.outcome)
    if asked.outcome.result is not Result.REFUSED:
        return outcome
    kept = await desk.ledger.aread(words_of, order.order.process_id)
    said = (it.text for it in kept if it.intent_id == asked.outcome.claim.intent.id)
    return with_words(outcome, next(said, ""))


async def _not_claimed(desk: Desk, order: OrderKey, decision: Decision, wanted: WantedReturn, came: Came) -> Came:
    """What becomes of one that was not claimed: a plan would, a person is asked, it waits, or another was faster."""
    if isinstance(decision, AskedEffect):
        return came
    if isinstance(decision, Hold):
        return Came(ReturnVerdict.HELD, f"a person is asked: {decision.why}")
    record = await _record(desk, order)
    intent = asked_for(record, wanted.source)
    if intent is not None:
        return known_return(wanted, intent, record)
    if isinstance(decision, Wait):
        return Came(ReturnVerdict.HELD, decision.why, passes=True)
    return Came(ReturnVerdict.REFUSED, decision.why)


def _carried_out(outcome: Outcome) -> Came:
    if outcome.result in {Result.DONE, Result.COUNTED}:
        return Came(ReturnVerdict.CREATE, "")
    if outcome.result is Result.UNKNOWN:
        return Came(
            ReturnVerdict.HELD, "it was sent, and whether REVER made it is not known; the next run looks", passes=True
        )
    why = outcome.why or str(outcome.result)
    if outcome.result is Result.REFUSED:
        return Came(ReturnVerdict.REFUSED, why)
    return Came(ReturnVerdict.HELD, why, passes=True)


async def note_settled(desk: Desk, orders: Iterable[AskedOrder]) -> None:
    """Look which of the returns that were left unknown, by this run or another one, are known by now."""
    for order in orders:
        held = [place for place, it in order.came.items() if it.verdict is ReturnVerdict.HELD]
        if not held or desk.mode is Mode.PLAN:
            continue
        record = await _record(desk, order.order)
        mine = {it.outcome.claim.intent.id for it in order.asked if it.outcome}
        for place in held:
            intent = asked_for(record, order.wanted[place].source)
            if intent is not None and intent.state is IntentState.DONE:
                verdict = ReturnVerdict.CREATE if intent.id in mine else ReturnVerdict.ALREADY
                order.came[place] = Came(verdict, intent.made)


async def order_bounds(desk: Desk, order: OrderKey) -> OrderBounds:
    """What the store offers, and what was bought in the order by the policy file's table of orders."""
    rules = await desk.rules(order.store)
    found = desk.facts.side(order.store).orders_by_name.get(bare_order(order.order_name))
    bought: dict[str, int] | None = None
    if found is not None and isinstance(found.items, tuple) and all(item.sku for item in found.items):
        bought = defaultdict(int)
        for item in found.items:
            bought[folded(item.sku)] += item.quantity
    return OrderBounds(frozenset(map(str, rules.settings.refund.methods)), bought)


async def _record(desk: Desk, order: OrderKey) -> Record:
    return (await desk.ledger.aread(load_records, [order.process_id]))[order.process_id]
