"""Whatever happens in whatever order: a unit is in one live intent at most, and one effect of a return is open."""

from collections import Counter
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import Connection, func, select

from tasks.ledger import Answer, Claim, Recorded, Sending, expire, put_back, settle_done
from tasks.ledger.guards import e4
from tasks.ledger.schema import intents, store_days, units
from tasks.policy.decision import Compensate
from tasks.policy.record import IntentState, LineTerms, LineUnits
from tests.tasks.ledger.desk import FLOW, LedgerDesk, always, refund

LINES = {"l1": LineTerms(Decimal("40.00"), 4, "EUR")}
NUMBERS = st.sets(st.integers(1, 4), min_size=1).map(lambda found: tuple(sorted(found)))
RETURNS = count()


class OneReturn(RuleBasedStateMachine):
    """One return of four units; rules that ask for any units at any time; owners of claims that are long lost."""

    desk: LedgerDesk

    def __init__(self) -> None:
        super().__init__()
        self.process_id = f"h{next(RETURNS)}"
        self.claims: list[Claim] = []
        self.sent: list[tuple[str, int]] = []

    def pick(self, number: int) -> Claim:
        return self.claims[number % len(self.claims)]

    @rule(numbers=NUMBERS)
    def decide(self, numbers: tuple[int, ...]) -> None:
        due = Compensate("r", "w", Decimal(0), (refund(items=(LineUnits("l1", numbers),)),))
        decided = self.desk.one(self.process_id, always(due), lines=LINES, store=self.process_id)
        if decided.claim is not None:
            self.claims.append(decided.claim)

    @precondition(lambda self: self.claims)
    @rule(number=st.integers(0, 9), step=st.sampled_from(("send", "done", "refused", "unknown", "withdraw")))
    def step(self, number: int, step: str) -> None:
        claim = self.pick(number)
        answer = getattr(self.desk, step)(claim)
        if step == "send" and answer.sending is Sending.SENT:
            self.sent.append((claim.token, answer.attempt))

    @precondition(lambda self: self.claims)
    @rule(number=st.integers(0, 9))
    def put_back(self, number: int) -> None:
        self.desk.ledger.write(put_back, self.pick(number), why="", now=self.desk.clock(), actor=FLOW)

    @rule(seconds=st.sampled_from((16, 61)))
    def expire(self, seconds: int) -> None:
        self.desk.clock.forward(seconds=seconds)
        self.desk.ledger.write(expire, now=self.desk.clock(), actor=FLOW, stores=[self.process_id])

    @precondition(lambda self: self.claims)
    @rule(number=st.integers(0, 9), seen=st.booleans())
    def settle(self, number: int, seen: bool) -> None:
        claim = self.pick(number)
        if seen:
            self.desk.ledger.write(settle_done, claim.intent.id, evidence={}, now=self.desk.clock(), actor=FLOW)
        else:
            self.desk.ask(claim)

    @rule(answer=st.sampled_from((Answer.RETRY, Answer.DONE_BY_HAND, Answer.DROP)))
    def answer(self, answer: Answer) -> None:
        held = [hold for hold in self.desk.holds() if hold.process_id == self.process_id]
        if held:
            claim = self.desk.answer(answer, held[0]).claim
            if claim is not None:
                self.claims.append(claim)

    @invariant()
    def a_unit_is_in_one_live_intent(self) -> None:
        live = [intent for intent in self.desk.record(self.process_id).intents if intent.live]
        taken = Counter(n for intent in live for item in intent.items for n in item.units)
        assert max(taken.values(), default=0) <= 1
        rows = self.desk.ledger.read(
            lambda conn: conn.execute(
                select(units.c.n, units.c.intent_id).where(units.c.process_id == self.process_id)
            ).all()
        )
        assert {(n, i.id) for i in live for item in i.items for n in item.units} <= {tuple(row) for row in rows}

    @invariant()
    def one_effect_is_open(self) -> None:
        assert sum(intent.open for intent in self.desk.record(self.process_id).intents) <= 1

    @invariant()
    def counters_hold_what_is_live_and_ours(self) -> None:
        def sums(conn: Connection) -> tuple[int, int]:
            day = select(func.sum(store_days.c.amount_e4)).where(store_days.c.store == self.process_id)
            ours = select(intents.c.state).where(intents.c.process_id == self.process_id, intents.c.counted)
            states = conn.execute(ours).scalars().all()
            live = sum(s not in {IntentState.REFUSED, IntentState.WITHDRAWN} for s in states)
            return conn.execute(day).scalar() or 0, live * e4(Decimal("10.00"))

        counted, expected = self.desk.ledger.read(sums)
        assert counted == expected

    @invariant()
    def each_attempt_was_sent_by_one(self) -> None:
        tokens: dict[str, set[int]] = {}
        for token, attempt in self.sent:
            assert attempt not in tokens.setdefault(token, set())
            tokens[token].add(attempt)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_unit_is_never_in_two_live_intents(desk: LedgerDesk) -> None:
    machine = type("OneReturnHere", (OneReturn,), {"desk": desk})
    run_state_machine_as_test(machine, settings=settings(max_examples=20, stateful_step_count=16, deadline=None))


def test_what_is_put_back_does_not_lose_its_number(desk: LedgerDesk) -> None:
    claim = desk.sent()
    for attempt in (2, 3):
        assert desk.ledger.write(put_back, claim, why="", now=desk.clock(), actor=FLOW) is Recorded.TAKEN
        assert desk.send(claim).attempt == attempt
