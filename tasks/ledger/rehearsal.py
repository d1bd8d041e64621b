"""What `act` would do now with the returns of a plan, guard by guard. Reads only, and judges by the same code."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection, select

from tasks.database.engines import chunks
from tasks.ledger.claim import Batch
from tasks.ledger.guards import Guard, shopper_hashes
from tasks.ledger.records import look
from tasks.ledger.schema import shopper_refunds, store_days
from tasks.ledger.stops import Gate
from tasks.ledger.types import Actor, DecideRequest, Sending
from tasks.ledger.writing import PendingWrite
from tasks.policy.decision import Compensate, Decision, Hold, RefundDue, refunds_of


@dataclass(slots=True)
class Rehearsal:
    """The counters of one plan, which go on from batch to batch as those of the ledger would."""

    guard: Guard | None = None
    hashes: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Rehearsed:
    """What `act` would pay, per currency, and how many holds it would open, by rule.

    `decisions` are what `act` would decide about each return first, by id, and `pays` what it would refund of each.
    `open_outcomes` are returns about which it would first look at what became of an earlier effect; `kept_back` says
    why nothing at all would be sent at a store, by store.
    """

    would_pay: dict[str, Decimal] = field(default_factory=dict)
    would_hold: Counter[str] = field(default_factory=Counter)
    decisions: dict[str, Decision] = field(default_factory=dict)
    pays: dict[str, Decimal] = field(default_factory=dict)
    open_outcomes: int = 0
    kept_back: dict[str, str] = field(default_factory=dict)


def rehearse(
    conn: Connection,
    requests: Sequence[DecideRequest],
    *,
    so_far: Rehearsal,
    actor: Actor,
    now: datetime,
    lease: timedelta,
) -> Rehearsed:
    """Decide about a batch as `deciding.decide` does, and carry it out in memory alone.

    Every return's first refund is judged in order of id, then the further ones of those whose first may be paid: so
    `act` claims them. Each is taken to be paid, as without a fault it would be; where the rules may ask what was paid,
    they are asked again after each.
    """
    ordered = sorted(
        {request.process_id: request for request in reversed(requests)}.values(), key=lambda it: it.process_id
    )
    loaded = look(conn, [request.process_id for request in ordered])
    gate = Gate.look(conn, {request.store for request in ordered})
    batch = Batch(conn, actor, now, lease)
    found = Rehearsed()
    drafts = batch.drafted(ordered, loaded)
    for draft in drafts:
        batch.propose(draft, gate)
        _note_waiting(draft, gate, found, now)
    guard = so_far.guard = so_far.guard or Guard(now, gate.ledger.shopper_key, {}, {})
    _count_known(conn, guard, so_far, drafts, now)
    further: list[tuple[PendingWrite, Iterator[Decision]]] = []
    for draft in drafts:
        due, record = draft.decision, draft.record
        batch.carry_out(draft, guard)
        if isinstance(due, Compensate) and isinstance(draft.decision, Compensate):
            if due.refunds:
                _pay(found, draft, due.refunds[0])
            asked_again = draft.request.after_payment
            further.append((draft, asked_again(record, due) if asked_again else _rest(due)))
        found.decisions[draft.request.process_id] = draft.decision
    for draft, decisions in further:
        for decision in decisions:
            if isinstance(decision, Hold):
                draft.stop(decision)
            if not isinstance(decision, Compensate):
                break
            if not decision.refunds or not decision.refunds[0].amount:
                continue
            refund, tripped = decision.refunds[0], guard.judge(draft, decision)
            if tripped is not None:
                draft.stop(tripped, refund)
                break
            guard.count(draft, refund, "")
            _pay(found, draft, refund)
    found.would_hold.update(str(row["rule"]) for draft in drafts for row in draft.holds)
    guard.refunds.clear()
    return found


def _rest(due: Compensate) -> Iterator[Decision]:
    """What is still due after each refund, where the rules go on saying the same."""
    return (replace(due, refunds=due.refunds[place:]) for place in range(1, len(due.refunds)))


def _pay(found: Rehearsed, draft: PendingWrite, refund: RefundDue) -> None:
    process_id = draft.request.process_id
    found.pays[process_id] = found.pays.get(process_id, Decimal(0)) + refund.amount
    found.would_pay[refund.currency] = found.would_pay.get(refund.currency, Decimal(0)) + refund.amount


def _note_waiting(draft: PendingWrite, gate: Gate, found: Rehearsed, now: datetime) -> None:
    if draft.decision.rule == "open_intent":
        found.open_outcomes += 1
    verdict = gate.verdict(draft.request.store, now)
    if verdict.sending is not Sending.SENT:
        found.kept_back[draft.request.store] = verdict.why


def _count_known(
    conn: Connection, guard: Guard, so_far: Rehearsal, drafts: Sequence[PendingWrite], now: datetime
) -> None:
    """Read the counters of the ledger that this batch needs and no earlier one has read."""
    asked = [(draft, refunds) for draft in drafts if (refunds := refunds_of(draft.decision))]
    for draft, refunds in asked:
        for refund in refunds:
            day = (draft.request.store, draft.request.day, refund.currency)
            if day not in guard.days:
                query = select(store_days.c.amount_e4).where(
                    store_days.c.store == day[0], store_days.c.day == day[1], store_days.c.currency == day[2]
                )
                guard.days[day] = conn.execute(query).scalar() or 0
    capped = [draft.request for draft, _ in asked if draft.request.guards.max_refunds_per_shopper]
    widest = max((request.guards.shopper_window_days for request in capped), default=0)
    new = {it for request in capped for it in shopper_hashes(guard.key, request.shopper_email)} - so_far.hashes
    for piece in chunks(new):
        query = select(shopper_refunds.c.hash, shopper_refunds.c.at).where(
            shopper_refunds.c.hash.in_(piece), shopper_refunds.c.at >= now - timedelta(days=widest)
        )
        for row in conn.execute(query):
            guard.shoppers.setdefault(row.hash, []).append(row.at)
    so_far.hashes |= new
