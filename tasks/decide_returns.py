"""Decide what is to be done about returns, and in `act` claim it: one transaction of the ledger for a whole batch."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from rever_api.models import ReturnProcess
from tasks.crash_points import CrashPoint, reached
from tasks.desk import Desk
from tasks.fetch_returns import PendingReturn, check_inspection
from tasks.gather_facts import gather_facts, in_force
from tasks.ledger import Decided, DecideRequest, decide, load_records, rehearse
from tasks.policy import decide as money
from tasks.policy.actions import Alarm
from tasks.policy.case import Case, ruling_of, stated_terms
from tasks.policy.comparison import reads_differ, received
from tasks.policy.decide import ended_holds, unread_hold
from tasks.policy.decision import Adopt, AskedEffect, Compensate, Decision, Hold, MakeLabel, Wait, refunds_of
from tasks.policy.kinds import Content, Kind
from tasks.policy.once_done import decided_after_payment, with_first_done
from tasks.policy.order_returns import OrderReturns
from tasks.policy.parcel import parcel_of
from tasks.policy.record import Record
from tasks.policy.return_facts import facts_of
from tasks.policy.rules import at_rever
from tasks.policy.rules.gates import held_already
from tasks.policy.rules.payment import NEEDS_FACTS
from tasks.policy.rules.reissue import label_or_reissue
from tasks.policy.side_facts import left_out
from tasks.policy.store import StoreRules
from tasks.policy.tracking import view_of
from tasks.reporting.report import Failure, Mode, ReturnsReport
from tasks.steps import FATAL, each, failure, step

Decide = Callable[[ReturnProcess, StoreRules, Record, datetime], Decision]
Review = Callable[[ReturnProcess, StoreRules, Record, Decision], Decision]


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked, and with what: the store's rules, the ledger's record without holds that are over, the time.

    `rule` is what decided: the whole rules, or those of labels alone.
    """

    rules: StoreRules
    record: Record
    now: datetime
    rule: Decide


@dataclass(frozen=True, slots=True)
class DecidedReturn:
    """A return and what the rules, and the ledger where they asked for an effect, said.

    In a plan `decided` is what `act` would decide now; `by_rules` is what the rules ask for alone, before guards, stop
    switch and open outcomes, and `pays` how much `act` would refund. `asked` is what the rules were asked with, kept
    only where a candidate policy decides beside the live one.
    """

    pending: PendingReturn
    decided: Decided
    by_rules: Decision | None = None
    pays: Decimal | None = None
    asked: Asked | None = None

    @property
    def process_id(self) -> str:
        """REVER's id of the return."""
        return self.pending.process_id

    @property
    def decision(self) -> Decision:
        """The rules' answer."""
        return self.decided.decision


ASKED_AGAIN_FOR = timedelta(days=1)
"""How long after REVER's last news of a return it waits for facts that could not be asked for, before it is held."""

MOST = 100
"""Returns decided about in one transaction."""

DecideBatch = Callable[[Desk, Sequence[PendingReturn]], Awaitable[list[DecidedReturn]]]


@step("decide-returns")
async def decide_returns(desk: Desk, batch: Sequence[PendingReturn]) -> tuple[list[DecidedReturn], list[Failure]]:
    """Decide about a batch by the whole rules: money first, then the label.

    In `act` each decision is written down, each hold opened and each effect claimed, all in one transaction. Where a
    fault spoils the batch, each return is decided about by itself, and the guilty one comes back as a failure.
    """
    decided = await _or_one_by_one(desk, batch, _by_whole_rules)
    await _raise_alarms(desk, batch)
    return decided


@step("decide-returns")
async def decide_labels(desk: Desk, batch: Sequence[PendingReturn]) -> tuple[list[DecidedReturn], list[Failure]]:
    """Decide about the labels of a batch alone.

    Only what has to be done or held is written: where a label just waits, the money's decision stays the return's.
    """
    return await _or_one_by_one(desk, batch, _by_label_rules)


def as_decided(process: ReturnProcess, rules: StoreRules, record: Record, decision: Decision) -> Decision:  # noqa: ARG001 - the shape of a review
    """Leave a decision as it is."""
    return decision


@step("decide-returns")
async def note_returns(
    desk: Desk, batch: Sequence[PendingReturn], review: Review = as_decided
) -> tuple[list[DecidedReturn], list[Failure]]:
    """Decide about a batch and write down what needs no effect: ends, waits, holds, what REVER paid itself.

    An effect that is due is left to the next run that acts. `review` has the last word on each decision.
    """

    def rule(process: ReturnProcess, rules: StoreRules, record: Record, now: datetime) -> Decision:
        return review(process, rules, record, _left_to_the_next_run(process, rules, record, now))

    return await _or_one_by_one(desk, batch, partial(_without_effects, rule=rule))


async def _or_one_by_one(
    desk: Desk, batch: Sequence[PendingReturn], decide_batch: DecideBatch
) -> tuple[list[DecidedReturn], list[Failure]]:
    try:
        return await decide_batch(desk, batch), []
    except FATAL:
        raise
    except Exception as error:  # noqa: BLE001 - the fault is one return's; found by deciding one at a time
        if len(batch) == 1:
            return [], [failure(batch[0].process_id, error)]
    decided, failures = [], []
    for pending in batch:
        good, bad = await _or_one_by_one(desk, [pending], decide_batch)
        decided += good
        failures += bad
    return decided, failures


async def _by_whole_rules(desk: Desk, batch: Sequence[PendingReturn]) -> list[DecidedReturn]:
    return await _decide(desk, batch, money.decide)


async def _without_effects(desk: Desk, batch: Sequence[PendingReturn], *, rule: Decide) -> list[DecidedReturn]:
    decided: list[DecidedReturn] = []
    for start in range(0, len(batch), MOST):
        decided += await _decide(desk, batch[start : start + MOST], rule)
    return decided


def _left_to_the_next_run(process: ReturnProcess, rules: StoreRules, record: Record, now: datetime) -> Decision:
    decision = money.decide(process, rules, record, now)
    if isinstance(decision, Compensate | MakeLabel | AskedEffect):
        why = f"{decision.why}; the next run that acts does it"
        return Wait("left_to_next_run", why, now + rules.look_again, for_another_run=True)
    return decision


async def _raise_alarms(desk: Desk, batch: Sequence[PendingReturn]) -> None:
    """Enter into the report what the merchant's rules raise an alarm about."""
    asked: list[tuple[PendingReturn, StoreRules]] = []
    for pending in batch:
        rules = await desk.rules(pending.store)
        if pending.unread is None and any(isinstance(it, Alarm) for rule in rules.merchant_rules for it in rule.then):
            asked.append((pending, rules))
    if not asked or not isinstance(desk.report, ReturnsReport):
        return
    records = await desk.ledger.aread(load_records, [pending.process_id for pending, _ in asked])
    for pending, rules in asked:
        alarm = ruling_of(pending.process, rules, records[pending.process_id], desk.clock()).alarm()
        if alarm:
            desk.report.alarms.setdefault(alarm, {})[pending.process_id] = pending.process.order_name


async def _by_label_rules(desk: Desk, batch: Sequence[PendingReturn]) -> list[DecidedReturn]:
    planned = await _plan(desk, batch, label_or_reissue)
    if desk.mode is Mode.PLAN:
        return planned
    due = [item.pending for item in planned if isinstance(item.decision, MakeLabel | Hold)]
    waiting = [item for item in planned if not isinstance(item.decision, MakeLabel | Hold)]
    return waiting + await _decide(desk, due, label_or_reissue)


async def decide_again(desk: Desk, pending: PendingReturn, *, label: bool = False) -> DecidedReturn:
    """Decide about one return that has just been read or acted on."""
    return (await _decide(desk, [pending], label_or_reissue if label else money.decide))[0]


async def decide_asked(desk: Desk, pending: PendingReturn, kind: Kind[Any, Content], wanted: Content) -> DecidedReturn:
    """Decide about one effect that a person or a file asked for, and in `act` claim it.

    Returns the decision `AskedEffect` where it is still to be done; with a claim where nothing stands against it.
    """

    def rule(process: ReturnProcess, rules: StoreRules, record: Record, now: datetime) -> Decision:
        return kind.decide(process, rules, record, now, wanted)

    return (await _decide(desk, [pending], rule))[0]


async def ask_person(desk: Desk, pending: PendingReturn, hold: Callable[[Case], Hold]) -> DecidedReturn:
    """Hold a return for what no rule sees, whatever else is held of it: the same hold where one of its rule is open."""

    def rule(process: ReturnProcess, rules: StoreRules, record: Record, now: datetime) -> Decision:
        return hold(Case(process, rules, record, now))

    return (await _decide(desk, [pending], rule))[0]


async def _decide(desk: Desk, batch: Sequence[PendingReturn], rule: Decide) -> list[DecidedReturn]:
    if desk.mode is Mode.PLAN:
        return await _plan(desk, batch, rule)
    if not batch:
        return []
    batch = await _with_facts(desk, batch, rule)
    now = desk.clock()
    asked: dict[str, Asked] = {}
    requests = [await _request(desk, pending, rule, now, asked) for pending in batch]
    reached(CrashPoint.BEFORE_INTENT)
    # To note a return, or to decide about its label alone, is not to take it as far as it can go.
    actor = desk.actor if rule is money.decide else replace(desk.actor, run_began_at=None)
    decided = await desk.ledger.awrite(decide, requests, actor=actor, now=now, lease=desk.settings.lease_duration)
    if desk.budget is not None:
        desk.budget.claim(item.process_id for item in decided if item.claim)
    by_id = {item.process_id: item for item in decided}
    return [DecidedReturn(pending, by_id[pending.process_id], asked=asked.get(pending.process_id)) for pending in batch]


async def _with_facts(desk: Desk, batch: Sequence[PendingReturn], rule: Decide) -> list[PendingReturn]:
    """Learn what the stores' own rules ask for about these returns; where there are none, nothing is.

    One that would be held for a fact which REVER tells, and its list has left out, is read by its id first.
    """
    stores = [await desk.rules(store) for store in dict.fromkeys(pending.store for pending in batch)]
    if not any(rules.merchant_rules for rules in stores):
        return list(batch)
    batch, now = await gather_facts(desk, batch), desk.clock()
    listed: list[tuple[PendingReturn, StoreRules]] = []
    for pending in batch:
        rules = await desk.rules(pending.store)
        only_listed = pending.searched and not pending.read_again and pending.unread is None
        if only_listed and not pending.unasked and rules.merchant_rules:
            facts = facts_of(pending.process, Record(pending.process_id), rules, now, rules.zone)
            if left_out(in_force(rules.merchant_rules, facts.today), facts):
                listed.append((pending, rules))
    if not listed:
        return batch
    records = await desk.ledger.aread(load_records, [pending.process_id for pending, _ in listed])
    held = [
        pending
        for pending, rules in listed
        if not any(hold.rule == NEEDS_FACTS for hold in records[pending.process_id].holds)
        and decided_by(pending, rules, records[pending.process_id], now, rule).rule == NEEDS_FACTS
    ]

    async def read_again(pending: PendingReturn) -> PendingReturn:
        found = await check_inspection(desk, pending, again=True)
        return replace(pending, unasked=found.why) if isinstance(found, Failure) else found

    read = await each("check-inspections", held, read_again)
    known = {pending.process_id: pending for pending in await gather_facts(desk, read)}
    known |= {pending.process_id: pending for pending in read if pending.unasked}
    return [known.get(pending.process_id, pending) for pending in batch]


async def _plan(desk: Desk, batch: Sequence[PendingReturn], rule: Decide) -> list[DecidedReturn]:
    batch = await _with_facts(desk, batch, rule)
    now = desk.clock()
    records = await desk.ledger.aread(load_records, [pending.process_id for pending in batch])
    found: dict[str, DecidedReturn] = {}
    for pending in sorted(batch, key=lambda it: it.process_id):  # as `act` claims them
        rules = await desk.rules(pending.store)
        record = records[pending.process_id]
        ended = _ended(pending, rules, record, now)
        record = replace(record, holds=tuple(hold for hold in record.holds if hold.id not in ended))
        decision = decided_by(pending, rules, record, now, rule)
        decision = _within_budget(desk, pending, decision, now + rules.look_again)
        for refund in refunds_of(decision):
            if refund.shipping is not None:
                desk.facts.plan_shipping(pending.store, pending.process_id, refund.shipping)
        asked = Asked(rules, record, now, rule) if desk.candidate else None
        decided = Decided(pending.process_id, decision, None, None)
        found[pending.process_id] = DecidedReturn(pending, decided, asked=asked)
    planned = [found[pending.process_id] for pending in batch]
    if desk.mode is Mode.PLAN and batch:
        return await _rehearsed(desk, planned, rule, now)
    return planned


def decided_by(pending: PendingReturn, rules: StoreRules, record: Record, now: datetime, rule: Decide) -> Decision:
    """What these rules say of a return, once refunds that come to nothing after costs are closed. Pure."""
    return _on_both_reads(pending, _planned(pending.process, rules, record, now, _rule_of(pending, rule)), record)


def _on_both_reads(pending: PendingReturn, decision: Decision, record: Record) -> Decision:
    """Hold where one of two reads that contradict each other would pay, be taken for paid, or hold for what it shows.

    That the second asks for nothing is no answer where money was claimed by the first: the next run would do the same.
    A hold that is open goes on holding as it is.
    """
    if not pending.differ or not (pending.claimed or isinstance(decision, Compensate | Adopt | AskedEffect | Hold)):
        return decision
    if isinstance(decision, Hold) and (decision.label or any(hold.rule == decision.rule for hold in record.holds)):
        return decision
    return reads_differ(pending.differ)


async def _rehearsed(desk: Desk, planned: Sequence[DecidedReturn], rule: Decide, now: datetime) -> list[DecidedReturn]:
    """Decide as `act` would now, guard by guard, and enter what it would pay and hold into the plan's report."""
    requests = [await _request(desk, item.pending, rule, now) for item in planned]
    lease = desk.settings.lease_duration
    async with desk.rehearsing:
        found = await desk.ledger.aread(
            rehearse, requests, so_far=desk.rehearsal, actor=desk.actor, now=now, lease=lease
        )
    if desk.budget is not None:
        desk.budget.claim(it for it, decision in found.decisions.items() if refunds_of(decision))
    report = desk.report
    rehearsed = []
    for item in planned:
        decided = replace(item.decided, decision=found.decisions[item.process_id])
        pays = found.pays.get(item.process_id)
        rehearsed.append(replace(item, decided=decided, by_rules=item.decision, pays=pays))
    if not isinstance(report, ReturnsReport):  # it says nothing of money
        return rehearsed
    for currency, amount in found.would_pay.items():
        report.would_pay[currency] = report.would_pay.get(currency, Decimal(0)) + amount
    report.would_hold += found.would_hold
    report.open_outcomes += found.open_outcomes
    report.kept_back |= found.kept_back
    return rehearsed


def _planned(process: ReturnProcess, rules: StoreRules, record: Record, now: datetime, rule: Decide) -> Decision:
    """The decision once refunds that come to nothing after costs are closed, as the ledger does it in `act`."""
    decision = rule(process, rules, record, now)
    while isinstance(decision, Compensate) and decision.refunds and not decision.refunds[0].amount:
        record = with_first_done(record, decision, stated_terms(process), now)
        decision = rule(process, rules, record, now)
    return decision


async def _request(
    desk: Desk, pending: PendingReturn, rule: Decide, now: datetime, asked: dict[str, Asked] | None = None
) -> DecideRequest:
    """The request to the ledger. Where a candidate decides too, `asked` is told what the rules are asked with."""
    rules = await desk.rules(pending.store)
    process, shopper = pending.process, pending.process.shopper
    until = now + rules.look_again

    def by_rule(record: Record) -> Decision:
        decision = _on_both_reads(pending, _rule_of(pending, rule)(process, rules, record, now), record)
        return _within_budget(desk, pending, decision, until)

    def again(shown: ReturnProcess, record: Record) -> Decision:
        return _within_budget(desk, pending, rule(shown, rules, record, now), until)

    def ended(record: Record) -> dict[str, str]:
        # The ledger asks this once, of the record by which it then decides; anew where it has to begin again.
        over = _ended(pending, rules, record, now)
        if asked is not None and desk.candidate:
            going_on = tuple(hold for hold in record.holds if hold.id not in over)
            asked[pending.process_id] = Asked(rules, replace(record, holds=going_on), now, rule)
        return over

    return DecideRequest(
        process_id=pending.process_id,
        store=pending.store,
        order_name=process.order_name,
        day=now.astimezone(rules.zone).date(),
        decide=by_rule,
        guards=rules.policy.guards,
        shopper_email=shopper.email if shopper else "",
        next_look_at=until,
        lines=stated_terms(process),
        without_costs=lambda record: (
            frozenset() if pending.unread else Case(process, rules, record, now).lines_without_costs
        ),
        received=partial(received, process),
        ended=ended,
        parcel=partial(parcel_of, process),
        view=None if pending.unread or isinstance(process, OrderReturns) else view_of(process),
        paid=lambda record: {} if pending.unread else at_rever.news(Case(process, rules, record, now)),
        after_payment=partial(decided_after_payment, process, again, now) if rules.merchant_rules else None,
    )


def _within_budget(desk: Desk, pending: PendingReturn, decision: Decision, until: datetime) -> Decision:
    """The decision, or a wait where the run has a cap on money and too little is left of it."""
    return decision if desk.budget is None else desk.budget.within(pending.store, pending.process_id, decision, until)


def _rule_of(pending: PendingReturn, rule: Decide) -> Decide:
    """The rule that decides about a return: one that cannot be read is held, whatever the rule."""
    unread = pending.unread
    if unread is None:
        return _or_ask_again(pending.unasked, rule) if pending.unasked else rule

    def hold(process: ReturnProcess, rules: StoreRules, record: Record, now: datetime) -> Decision:
        return held_already(Case(process, rules, record, now)) or unread_hold(unread)

    return hold


def _or_ask_again(unasked: str, rule: Decide) -> Decide:
    """The rule, but for a return that it would hold for facts that could not be asked for just now: it waits.

    For a day after REVER's last news of it; what is still missing then, a person must hear of.
    """

    def decide_or_wait(process: ReturnProcess, rules: StoreRules, record: Record, now: datetime) -> Decision:
        decision = rule(process, rules, record, now)
        new = process.updated_at is not None and abs(now - process.updated_at) < ASKED_AGAIN_FOR
        if new and isinstance(decision, Hold) and decision.rule == NEEDS_FACTS:
            why = f"{unasked}: what the store's own rules need of this return is asked for again by the next run"
            return Wait("facts_later", why, now + rules.look_again, for_another_run=True)
        return decision

    return decide_or_wait


def _ended(pending: PendingReturn, rules: StoreRules, record: Record, now: datetime) -> dict[str, str]:
    return {} if pending.unread else ended_holds(pending.process, rules, record, now, agreed=pending.agreed)
