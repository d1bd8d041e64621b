"""Decide about a batch of returns and carry the decisions out in the ledger, in one transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from tasks.ledger import guards
from tasks.ledger.guards import Guard
from tasks.ledger.records import LedgerRecord
from tasks.ledger.stops import STOP_RULES, Gate, note_paid_elsewhere
from tasks.ledger.types import Actor, Decided, DecideRequest, Sending
from tasks.ledger.writing import LostClaim, PendingWrite, lock_and_load, write
from tasks.policy.clocks import believed
from tasks.policy.decision import Adopt, AskedEffect, Compensate, Hold, MakeLabel, Wait, refunds_of
from tasks.policy.kinds import EXCHANGE, KINDS, LABEL, REFUND, Kind

LOST = "another run was first with these units"
TWICE = "the return is in this batch twice; its first place counts"


def decide(
    conn: Connection, requests: Sequence[DecideRequest], *, actor: Actor, now: datetime, lease: timedelta
) -> list[Decided]:
    """Decide, write down, claim and hold for a whole batch; the answers are in the order of the requests.

    Each return's row is locked, in order of id, and its record loaded; holds whose subject is gone are closed, the
    rules asked, and what they say is
    carried out: a refund (after the guards), exchange or label is claimed, a hold opened, an adoption written. Nothing
    is claimed while the switch is off, the store paused, or an effect of that return open: the answer is a `Wait` then.
    A return whose units another run has taken gets a `Wait` too, and does not touch the others.
    """
    batch = Batch(conn, actor, now, lease)
    ordered = sorted({request.process_id: request for request in reversed(requests)}.values(), key=_by_id)
    if not ordered:
        return []
    try:
        with conn.begin_nested():
            found = batch.run(ordered)
    except IntegrityError:
        found = [batch.alone(request) for request in ordered]
    return _in_order(requests, {each.process_id: each for each in found})


def _by_id(request: DecideRequest) -> str:
    return request.process_id


def _in_order(requests: Sequence[DecideRequest], found: dict[str, Decided]) -> list[Decided]:
    answers: list[Decided] = []
    given: set[str] = set()
    for request in requests:
        process_id = request.process_id
        twice = Decided(
            process_id, Wait("twice_in_batch", TWICE, request.next_look_at, for_another_run=True), None, None
        )
        answers.append(twice if process_id in given else found[process_id])
        given.add(process_id)
    return answers


@dataclass(frozen=True, slots=True)
class Batch:
    """One transaction's returns. `rehearsing` takes the same steps without writing."""

    conn: Connection
    actor: Actor
    now: datetime
    lease: timedelta

    def run(self, requests: Sequence[DecideRequest]) -> list[Decided]:
        """Decide about these returns and write it down."""
        loaded = lock_and_load(self.conn, requests)
        gate = Gate.read(self.conn, {request.store for request in requests})
        drafts = self.drafted(requests, loaded)
        for draft in drafts:
            self._guarded(draft, lambda draft: self.propose(draft, gate))
        guard = self._lock_guard(drafts, gate)
        for draft in drafts:
            self._guarded(draft, lambda draft: self.carry_out(draft, guard))
        write(self.conn, drafts)
        guards.add(self.conn, guard.spent, guard.refunds)
        elsewhere = {draft.request.process_id: at for draft in drafts if (at := _paid_elsewhere(draft)) is not None}
        if elsewhere:
            note_paid_elsewhere(self.conn, elsewhere, now=self.now, actor=self.actor)
        return [Decided(d.request.process_id, d.decision, d.claim, d.hold, d.new_hold) for d in drafts]

    def drafted(self, requests: Sequence[DecideRequest], loaded: Mapping[str, LedgerRecord]) -> list[PendingWrite]:
        """What the rules say of each return by its record, with the holds closed whose subject is gone."""
        drafts = []
        for request in requests:
            record = replace(loaded[request.process_id].record, store=request.store)
            ended = request.ended(record)
            record = replace(record, holds=tuple(hold for hold in record.holds if hold.id not in ended))
            decision = request.decide(record)
            draft = PendingWrite(request, loaded[request.process_id], record, self.actor, self.now, decision)
            draft.close_holds(ended)
            drafts.append(draft)
        return drafts

    def alone(self, request: DecideRequest) -> Decided:
        """Decide about one return, so that a loser sinks only itself."""
        try:
            with self.conn.begin_nested():
                return self.run([request])[0]
        except IntegrityError:
            lost = Wait("lost_claim", LOST, request.next_look_at, for_another_run=True)
            return self.run([replace(request, decide=lambda _: lost)])[0]

    def _guarded(self, draft: PendingWrite, step: Callable[[PendingWrite], None]) -> None:
        try:
            step(draft)
        except LostClaim:
            draft.decision = Wait("lost_claim", LOST, draft.request.next_look_at, for_another_run=True)

    def propose(self, draft: PendingWrite, gate: Gate) -> None:
        """Turn a decision that cannot be begun into a wait, and close at once what comes to nothing after costs."""
        while isinstance(draft.decision, Compensate | Adopt | MakeLabel | AskedEffect):
            wait = self._must_wait(draft, draft.decision, gate)
            if wait is not None:
                draft.decision = wait
                return
            due = draft.decision
            if not isinstance(due, Compensate) or not due.refunds or due.refunds[0].amount:
                return
            draft.close_without_call(due.refunds[0], due.costs, due.rule, due.why)
            draft.decision = draft.request.decide(draft.record)

    def _must_wait(
        self, draft: PendingWrite, decision: Compensate | Adopt | MakeLabel | AskedEffect, gate: Gate
    ) -> Wait | None:
        until = draft.request.next_look_at
        before = draft.open_intent(_kind_due(decision))
        if before is not None:
            why = f"the outcome of its {KINDS[before.kind].noun} is still to come ({before.state})"
            return Wait("open_intent", why, believed(before.look_at, self.now) if before.look_at else until)
        if isinstance(decision, Adopt):
            return None
        verdict = gate.verdict(draft.request.store, self.now)
        if verdict.sending is Sending.SENT:
            return None
        return Wait(STOP_RULES[verdict.sending], verdict.why, verdict.until or until, for_another_run=True)

    def _lock_guard(self, drafts: Sequence[PendingWrite], gate: Gate) -> Guard:
        asked = [(draft, due[0]) for draft in drafts if (due := refunds_of(draft.decision))]
        return Guard.lock(self.conn, asked, now=self.now, key=gate.ledger.shopper_key)

    def carry_out(self, draft: PendingWrite, guard: Guard) -> None:
        """Claim, adopt or hold, in the draft: nothing is written yet."""
        match draft.decision:
            case Compensate():
                self._compensate(draft, draft.decision, guard)
            case Adopt(rule=rule, why=why, costs=costs, refunds=refunds):
                for refund in refunds:
                    draft.adopt(refund, costs, rule, why)
            case MakeLabel(rule=rule, why=why):
                draft.claim_effect(LABEL, draft.decision, rule, why, self.lease)
            case AskedEffect():
                self._asked(draft, draft.decision, guard)
            case Hold():
                draft.stop(draft.decision)

    def _asked(self, draft: PendingWrite, due: AskedEffect, guard: Guard) -> None:
        """Claim what was asked for; where money goes out because of it, it meets the guards and is counted."""
        tripped = guard.judge(draft, due) if due.stake else None
        if tripped is not None:
            draft.stop(tripped, due.stake)
            return
        intent = draft.claim_effect(KINDS[due.kind], due, due.rule, due.why, self.lease, counted=due.stake is not None)
        if due.stake is not None:
            guard.count(draft, due.stake, intent.id)

    def _compensate(self, draft: PendingWrite, due: Compensate, guard: Guard) -> None:
        if due.refunds:
            refund = due.refunds[0]
            tripped = guard.judge(draft, due)
            if tripped is not None:
                draft.stop(tripped, refund)
                return
            intent_id = draft.claim_refund(due, self.lease)
            guard.count(draft, refund, intent_id)
        elif due.exchange is not None:
            draft.claim_effect(EXCHANGE, due.exchange, due.rule, due.why, self.lease)


def _paid_elsewhere(draft: PendingWrite) -> datetime | None:
    """When somebody else has paid what this desk would have paid, or has, as far as that is new."""
    decision = draft.decision
    new = isinstance(decision, Adopt) or (isinstance(decision, Hold) and draft.new_hold)
    return decision.paid_elsewhere if new and isinstance(decision, Adopt | Hold) else None


def _kind_due(decision: Compensate | Adopt | MakeLabel | AskedEffect) -> Kind[Any, Any]:
    """The kind of the first effect that a decision asks for."""
    match decision:
        case AskedEffect(kind=kind):
            return KINDS[kind]
        case MakeLabel():
            return LABEL
        case Compensate(refunds=()):
            return EXCHANGE
        case _:
            return REFUND
