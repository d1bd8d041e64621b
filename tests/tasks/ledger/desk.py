"""Short words for the ledger's steps, and rules that are as simple as a test needs them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tasks.ledger import (
    Actor,
    Answer,
    Answered,
    Claim,
    Decided,
    DecideRequest,
    Done,
    History,
    HoldRow,
    Ledger,
    Recorded,
    SendVerdict,
    Sent,
    answer_hold,
    decide,
    history,
    load_records,
    mark_sent,
    open_holds,
    record_done,
    record_refused,
    record_unknown,
    settle_hold,
    withdraw,
)
from tasks.policy.decision import (
    Compensate,
    Decision,
    ExchangeDue,
    ExchangeDueItem,
    Hold,
    MakeLabel,
    Nothing,
    RefundDue,
)
from tasks.policy.record import HoldKind, Intent, IntentState, LineTerms, LineUnits, Record
from tasks.policy.store import Guards

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
TODAY = NOON.date()
LEASE = timedelta(seconds=60)
FLOW = Actor("process-pending-returns", "run-1")
CARD = "ORIGINAL_PAYMENT_METHOD"
STORE = "acme"
LINES = {"l1": LineTerms(Decimal("20.00"), 2, "EUR"), "l2": LineTerms(Decimal("9.99"), 1, "EUR")}

Rule = Callable[[Record], Decision]


@dataclass
class Clock:
    """Stands still until it is moved."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> datetime:
        """Move on, and answer the time."""
        self.now += timedelta(**by)
        return self.now


def units(*numbers: int, line: str = "l1") -> tuple[LineUnits, ...]:
    return (LineUnits(line, numbers),)


def refund(
    amount: str = "10.00",
    *,
    items: tuple[LineUnits, ...] = units(1),
    gross: str = "",
    method: str = CARD,
    currency: str = "EUR",
) -> RefundDue:
    return RefundDue(method, Decimal(amount), Decimal(gross or amount), currency, items)


def pay(*refunds: RefundDue, costs: str = "0", exchange: ExchangeDue | None = None) -> Rule:
    """Rules that pay these, method after method, as long as their units are not taken; and respect an open hold."""

    def rule(record: Record) -> Decision:
        held = next((hold for hold in record.holds if not hold.label), None)
        if held is not None:
            return Hold(held.rule, held.why, held.kind, amount=held.amount, currency=held.currency)
        left = tuple(due for due in refunds if not taken(record, due.items))
        goods = exchange
        if goods is not None and taken(record, tuple(LineUnits(i.line_id, i.units) for i in goods.items)):
            goods = None
        if not left and goods is None:
            return Nothing("all_settled", "every unit has its outcome", final=not any(i.open for i in record.intents))
        return Compensate("refund_on_verified", "2 units are approved", Decimal(costs), left, goods)

    return rule


def taken(record: Record, items: tuple[LineUnits, ...]) -> bool:
    live = {(i.line_id, n) for intent in record.intents if intent.live for i in intent.items for n in i.units}
    return any((item.line_id, n) in live for item in items for n in item.units)


def always(decision: Decision) -> Rule:
    return lambda record: decision


EXCHANGE = ExchangeDue((ExchangeDueItem("l1", "v-blue", "p-shirt", (1, 2)),), Decimal("20.00"), "EUR")
LABEL = MakeLabel("label_due", "no label yet", 1, "GLS", "GLS_ES", "HOME_PICK_UP")
APPROVAL = Hold(
    "not_received", "a person must approve", HoldKind.APPROVAL, {"lines": "1"}, Decimal("10.00"), "EUR", units(1)
)


def request(
    process_id: str = "p1",
    rule: Rule | None = None,
    *,
    store: str = STORE,
    guards: Guards | None = None,
    email: str = "ann@example.test",
    day: date = TODAY,
    now: datetime = NOON,
    lines: Mapping[str, LineTerms] = LINES,
    without_costs: frozenset[str] = frozenset(),
    received: Callable[[Record], Mapping[str, Decimal]] = lambda _: {},
    ended: Callable[[Record], Mapping[str, str]] = lambda _: {},
) -> DecideRequest:
    return DecideRequest(
        process_id=process_id,
        store=store,
        order_name=f"#{process_id}",
        day=day,
        decide=rule or pay(refund()),
        guards=guards or Guards(),
        shopper_email=email,
        next_look_at=now + timedelta(minutes=10),
        lines=lines,
        without_costs=lambda _: without_costs,
        received=received,
        ended=ended,
    )


@dataclass
class LedgerDesk:
    """One ledger and its clock."""

    ledger: Ledger
    clock: Clock = field(default_factory=Clock)

    def decide(self, *requests: DecideRequest, actor: Actor = FLOW) -> list[Decided]:
        return self.ledger.write(decide, requests, actor=actor, now=self.clock(), lease=LEASE)

    def one(self, process_id: str = "p1", rule: Rule | None = None, **more: Any) -> Decided:
        return self.decide(request(process_id, rule, **more))[0]

    def claim(self, process_id: str = "p1", rule: Rule | None = None, **more: Any) -> Claim:
        claim = self.one(process_id, rule, **more).claim
        assert claim is not None
        return claim

    def send(self, claim: Claim, **seen: Any) -> SendVerdict:
        now = self.clock()
        sent = Sent(claim, seen, now + timedelta(seconds=15), now + timedelta(minutes=15), now, FLOW)
        return self.ledger.write(mark_sent, [sent])[0]

    def sent(self, process_id: str = "p1", rule: Rule | None = None, **more: Any) -> Claim:
        claim = self.claim(process_id, rule, **more)
        assert self.send(claim).sending == "sent"
        return claim

    def done(self, claim: Claim) -> Recorded:
        return self.ledger.write(record_done, [Done(claim, {"answer": "200"}, self.clock(), FLOW)])[0]

    def refused(self, claim: Claim, code: str = "9") -> Recorded:
        return self.ledger.write(record_refused, claim, code=code, why="not now", now=self.clock(), actor=FLOW)

    def unknown(self, claim: Claim) -> Recorded:
        return self.ledger.write(record_unknown, claim, why="no answer", now=self.clock(), actor=FLOW)

    def withdraw(self, claim: Claim) -> Recorded:
        return self.ledger.write(withdraw, claim, why="no longer due", now=self.clock(), actor=FLOW)

    def ask(self, claim: Claim) -> str:
        return self.ledger.write(
            settle_hold, claim.intent.id, why="not seen", evidence={"refunds": "0"}, now=self.clock(), actor=FLOW
        )

    def held(self, process_id: str = "p1", rule: Rule | None = None, **more: Any) -> Claim:
        """A claim whose outcome is unknown and asked about."""
        claim = self.sent(process_id, rule, **more)
        self.unknown(claim)
        assert self.ask(claim)
        return claim

    def answer(self, answer: Answer, hold: HoldRow | None = None, **more: Any) -> Answered:
        hold = hold or self.holds()[0]
        return self.ledger.write(
            answer_hold,
            **{
                "hold_id": hold.hold_id,
                "version": hold.version,
                "answer": answer,
                "by": "olga",
                "why": "looked at it",
                "now": self.clock(),
                "actor": Actor("answer-hold", "run-2"),
                "lease": LEASE,
                **more,
            },
        )

    def record(self, process_id: str = "p1") -> Record:
        return self.ledger.read(load_records, [process_id])[process_id]

    def intent(self, process_id: str = "p1") -> Intent:
        return self.record(process_id).intents[-1]

    def state(self, process_id: str = "p1") -> IntentState:
        return self.intent(process_id).state

    def holds(self) -> list[HoldRow]:
        return self.ledger.read(open_holds)

    def history(self, process_id: str = "p1") -> History:
        found = self.ledger.read(history, process_id)
        assert found is not None
        return found

    def events(self, process_id: str = "p1") -> list[str]:
        return [row.event for row in self.history(process_id).audit]
