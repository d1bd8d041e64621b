"""What `decide` claims, holds and writes down."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import insert, select

from tasks.ledger import Answer, Decided, check, load_records, stop_switch, unfinished
from tasks.ledger.records import terms_of
from tasks.ledger.schema import holds as hold_table
from tasks.ledger.schema import shopper_refunds
from tasks.ledger.schema import units as unit_table
from tasks.policy.decision import Adopt, Compensate, Decision, Hold, Nothing, Wait
from tasks.policy.record import IntentKind, IntentState, LineTerms, LineUnits, Record
from tests.tasks.ledger.desk import (
    APPROVAL,
    EXCHANGE,
    LABEL,
    LEASE,
    LINES,
    NOON,
    LedgerDesk,
    always,
    pay,
    refund,
    request,
    units,
)

LATER = NOON + timedelta(minutes=10)
LOST = Wait("lost_claim", "another run was first with these units", LATER)


def why_of(desk: LedgerDesk) -> list[tuple[str, str]]:
    """By which rule each effect was meant, and why."""
    return [(row.rule, row.why) for row in desk.history().intents]


def test_a_return_never_seen_has_an_empty_record(desk: LedgerDesk) -> None:
    assert desk.record("nobody") == Record("nobody", parcels=())


def test_a_refund_is_claimed_with_its_units_costs_and_terms(desk: LedgerDesk) -> None:
    claim = desk.claim(rule=pay(refund("15.00", gross="20.00", items=units(1, 2)), costs="5.00"))
    record = desk.record()
    assert record.costs == Decimal("5.00")
    assert record.lines == {"l1": LINES["l1"]}
    assert record.intents == (claim.intent,)
    assert claim.intent.state is IntentState.INTENDED
    assert claim.intent.look_at == NOON + LEASE
    assert (claim.intent.amount, claim.intent.gross) == (Decimal("15.00"), Decimal("20.00"))
    assert claim.token not in repr(claim)
    assert why_of(desk) == [("refund_on_verified", "2 units are approved")]
    assert desk.events() == ["decided", "intended"]


def test_an_open_money_intent_lets_no_other_be_claimed(desk: LedgerDesk) -> None:
    first = desk.claim(rule=pay(refund()))
    again = desk.one(rule=always(Compensate("r", "w", Decimal(0), (refund(items=units(2)),))))
    assert again.claim is None
    assert first.intent.look_at is not None
    why = "the outcome of its refund is still to come (intended)"
    assert again.decision == Wait("open_intent", why, first.intent.look_at)


def test_methods_are_paid_one_after_another(desk: LedgerDesk) -> None:
    rule = pay(refund(), refund("9.99", items=units(1, line="l2"), method="GIFT_CARD"))
    first = desk.sent(rule=rule)
    desk.done(first)
    second = desk.claim(rule=rule)
    assert (first.intent.method, second.intent.method) == ("ORIGINAL_PAYMENT_METHOD", "GIFT_CARD")
    desk.send(second)
    desk.done(second)
    assert desk.one(rule=rule).decision == Nothing("all_settled", "every unit has its outcome", final=True)
    assert desk.history().record.final


def test_what_comes_to_nothing_is_closed_at_once_and_the_next_is_claimed(desk: LedgerDesk) -> None:
    nothing = refund("0", gross="10.00")
    decided = desk.one(rule=pay(nothing, refund("7.99", items=units(1, line="l2"), method="GIFT_CARD"), costs="12.00"))
    assert decided.claim is not None
    assert decided.claim.intent.method == "GIFT_CARD"
    closed = desk.record().intents[0]
    assert (closed.state, closed.nothing_sent, closed.amount) == (IntentState.DONE, True, Decimal(0))
    assert desk.record().costs == Decimal("12.00")
    assert why_of(desk) == [("refund_on_verified", "2 units are approved")] * 2


@pytest.mark.parametrize("items", [(), units(1, 1)])
def test_what_names_no_units_or_one_twice_is_not_claimed(desk: LedgerDesk, items: tuple[LineUnits, ...]) -> None:
    for amount in ("0", "10.00"):
        due = Compensate("r", "w", Decimal(0), (refund(amount, items=items),))
        assert desk.one(rule=always(due)).decision == LOST
    assert desk.record().intents == ()


def test_an_exchange_carries_its_variants(desk: LedgerDesk) -> None:
    claim = desk.claim(rule=pay(exchange=EXCHANGE))
    assert claim.intent.kind is IntentKind.EXCHANGE
    assert claim.content == EXCHANGE.items
    assert claim.intent.look_at == NOON + LEASE
    assert why_of(desk) == [("refund_on_verified", "2 units are approved")]
    assert desk.record().costs is None


def test_a_unit_is_refunded_or_exchanged_never_both(desk: LedgerDesk) -> None:
    desk.done(desk.sent(rule=pay(exchange=EXCHANGE)))
    other = desk.one(rule=always(Compensate("r", "w", Decimal(0), (refund(items=units(2)),))))
    assert other.claim is None
    assert other.decision.rule == "lost_claim"


def test_a_label_is_claimed_beside_an_open_refund_but_only_once(desk: LedgerDesk) -> None:
    desk.claim(rule=pay(refund()))
    claim = desk.claim(rule=always(LABEL))
    assert claim.content == LABEL
    assert claim.intent.look_at == NOON + LEASE
    assert desk.one(rule=always(LABEL)).decision.rule == "open_intent"
    desk.send(claim)
    desk.done(claim)
    assert desk.one(rule=always(LABEL)).decision.rule == "lost_claim"
    assert desk.claim(rule=always(replace(LABEL, generation=2))).intent.generation == 2


def test_what_rever_paid_itself_is_adopted_as_done(desk: LedgerDesk) -> None:
    two = (refund(), refund("9.99", items=units(1, line="l2"), method="GIFT_CARD"))
    decided = desk.one(rule=always(Adopt("adopted", "REVER paid", Decimal("1.00"), two)))
    assert decided.claim is None
    record = desk.record()
    assert [(i.state, i.adopted) for i in record.intents] == [(IntentState.DONE, True)] * 2
    assert record.costs == Decimal("1.00")
    assert set(record.lines) == {"l1", "l2"}
    assert why_of(desk) == [("adopted", "REVER paid")] * 2


def test_a_hold_is_opened_once(desk: LedgerDesk) -> None:
    first, second = desk.one(rule=always(APPROVAL)), desk.one(rule=always(APPROVAL))
    assert (first.new_hold, second.new_hold) == (True, False)
    assert first.hold is not None
    assert second.hold == first.hold == desk.record().holds[0]
    assert len(desk.holds()) == 1
    assert desk.events() == ["decided", "held"]


def test_a_label_hold_stands_beside_a_money_hold_of_the_same_rule(desk: LedgerDesk) -> None:
    desk.one(rule=always(APPROVAL))
    assert desk.one(rule=always(replace(APPROVAL, label=True))).new_hold
    assert len(desk.holds()) == 2


def test_terms_and_costs_hold_only_while_a_live_intent_stands_on_them(desk: LedgerDesk) -> None:
    desk.withdraw(desk.claim(rule=pay(refund(), costs="5.00")))
    assert desk.record().costs is None
    assert desk.record().lines == {}
    dearer = {"l1": LineTerms(Decimal("30.00"), 2, "EUR")}
    desk.claim(rule=pay(refund("15.00"), costs="2.00"), lines=dearer)
    assert desk.record().costs == Decimal("2.00")
    assert desk.record().lines == dearer


def test_terms_of_the_first_live_intent_stay(desk: LedgerDesk) -> None:
    rule = pay(refund(), refund(items=units(2), method="GIFT_CARD"), costs="5.00")
    desk.done(desk.sent(rule=rule))
    desk.claim(rule=pay(refund(items=units(2)), costs="9.00"), lines={"l1": LineTerms(Decimal("99.00"), 9, "EUR")})
    assert desk.record().costs == Decimal("5.00")
    assert desk.record().lines == {"l1": LINES["l1"]}


def test_the_rounding_rule_is_fixed_with_the_terms(desk: LedgerDesk) -> None:
    """A line that an older rule valued keeps that rule, whatever the next intent of it says."""
    older = {"l1": replace(LINES["l1"], rounding="older")}
    desk.done(desk.sent(rule=pay(refund()), lines=older))
    desk.claim(rule=pay(refund(items=units(2))), lines=LINES)
    assert desk.record().lines["l1"].rounding == "older"
    desk.one("p2", rule=always(APPROVAL), lines=older)
    held = desk.ledger.read(lambda conn: conn.execute(select(hold_table.c.details)).scalars().one())
    assert terms_of(held)["l1"].rounding == "older"


def test_a_refused_or_withdrawn_intent_gives_its_units_up(desk: LedgerDesk) -> None:
    desk.refused(desk.sent())
    desk.withdraw(desk.claim())
    third = desk.claim()
    assert [i.state for i in desk.record().intents] == ["refused", "withdrawn", "intended"]
    rows = desk.ledger.read(lambda conn: conn.execute(select(unit_table.c.intent_id)).scalars().all())
    assert rows == [third.intent.id]


def test_one_loser_does_not_sink_the_batch(desk: LedgerDesk) -> None:
    # A unit that is taken without the record telling so: only the unique key can refuse it.
    stolen = {"process_id": "p2", "space": "compensation", "line_id": "l1", "n": 1, "intent_id": "somebody"}
    desk.ledger.write(lambda conn: conn.execute(insert(unit_table).values(**stolen)) and None)
    found = desk.decide(*(request(f"p{n}") for n in (3, 1, 2)))
    assert [d.process_id for d in found] == ["p3", "p1", "p2"]
    assert [d.claim is not None for d in found] == [True, True, False]
    assert found[2] == Decided("p2", LOST, None, None)
    assert desk.record("p2").intents == ()
    assert desk.history("p2").record.rule == "lost_claim"
    kept = desk.ledger.read(lambda conn: len(conn.execute(select(shopper_refunds)).all()))
    assert kept == 2


def test_a_return_twice_in_a_batch_is_claimed_once(desk: LedgerDesk) -> None:
    first, second = desk.decide(request("p1"), request("p1", always(APPROVAL)))
    assert first.claim is not None
    twice = Wait("twice_in_batch", "the return is in this batch twice; its first place counts", LATER)
    assert second == Decided("p1", twice, None, None)
    assert len(desk.record().intents) == 1


def test_the_decision_is_written_down_and_audited_when_it_changes(desk: LedgerDesk) -> None:
    until = NOON + timedelta(hours=1)
    for _ in range(2):
        desk.one(rule=always(Wait("inspection", "1 unit is not inspected", until)))
    row = desk.history().record
    assert (row.decision, row.rule, row.why) == ("wait", "inspection", "1 unit is not inspected")
    assert (row.looked_at, row.next_look_at, row.final) == (NOON, until, False)
    assert desk.events() == ["decided"]
    desk.one(rule=always(Wait("inspection", "2 units are not inspected", until)))
    assert desk.events() == ["decided", "decided"]


def test_an_end_stays_one_whatever_an_older_view_says(desk: LedgerDesk) -> None:
    desk.one(rule=always(Nothing("all_settled", "done", final=True)))
    desk.one(rule=always(Wait("inspection", "an older view", NOON)))
    assert desk.history().record.final
    desk.one(rule=always(APPROVAL))
    assert not desk.history().record.final


def test_nothing_is_claimed_while_all_is_stopped(desk: LedgerDesk) -> None:
    desk.ledger.write(stop_switch, on=True, by="olga", why="a test", now=NOON)
    decided = desk.one()
    assert decided.claim is None
    assert decided.decision == Wait("store_stopped", "all effects are stopped by olga: a test", LATER)
    assert isinstance(desk.one("p2", always(APPROVAL)).decision, Hold)
    desk.ledger.write(stop_switch, on=False, by="olga", why="over", now=NOON)
    assert desk.one().claim is not None


def test_the_rules_are_told_the_store_and_all_that_is_known(desk: LedgerDesk) -> None:
    told: list[Record] = []

    def rule(record: Record) -> Decision:
        told.append(record)
        return pay(refund())(record)

    for _ in range(2):
        desk.one(rule=rule, store="other")
    assert told == [Record("p1", "other", parcels=()), desk.record()]


def test_many_records_are_loaded_at_once(desk: LedgerDesk) -> None:
    desk.decide(*(request(f"p{n}") for n in range(1, 8)))
    found = desk.ledger.read(load_records, [f"p{n}" for n in range(10)])
    assert [len(found[f"p{n}"].intents) for n in range(10)] == [0] + [1] * 7 + [0] * 2


@pytest.mark.parametrize("amount", ["10.00", "0.00"])
def test_units_that_are_taken_are_lost_whether_a_call_would_follow_or_not(desk: LedgerDesk, amount: str) -> None:
    desk.done(desk.sent())
    again = Compensate("r", "w", Decimal(0), (refund(amount, gross="10.00"),))
    assert desk.one(rule=always(again)).decision == LOST


def test_what_comes_to_nothing_fixes_the_costs_too(desk: LedgerDesk) -> None:
    desk.one(rule=pay(refund("0.00", gross="10.00"), costs="12.50"))
    assert desk.record().costs == Decimal("12.50")


def test_the_rules_are_told_the_store_at_the_first_sight_of_a_return(desk: LedgerDesk) -> None:
    stores: list[str] = []

    def rule(record: Record) -> Decision:
        stores.append(record.store)
        return Nothing("r", "w")

    desk.one(rule=rule, store="nordic")
    assert stores == ["nordic"]


def test_a_hold_whose_subject_is_gone_closes_with_its_reason_before_anything_is_decided(desk: LedgerDesk) -> None:
    desk.one(rule=always(APPROVAL))
    (hold,) = desk.holds()
    now = desk.clock.forward(minutes=5)
    decided = desk.one(rule=pay(), ended=lambda record: {it.id: "it was cancelled" for it in record.holds})
    assert decided.decision.rule == "all_settled"
    assert desk.holds() == []
    (past,) = desk.history().holds
    assert (past.state, past.closed_why, past.answered_at) == ("closed", "it was cancelled", now)
    (row,) = [row for row in desk.history().audit if row.event == "hold_closed"]
    assert (row.hold_id, row.evidence, row.rule) == (hold.hold_id, {"why": "it was cancelled"}, "not_received")
    assert desk.history().record.final


def test_a_hold_of_the_same_rule_can_follow_one_that_closed_itself(desk: LedgerDesk) -> None:
    desk.one(rule=always(APPROVAL))
    decided = desk.one(rule=always(APPROVAL), ended=lambda record: {it.id: "gone" for it in record.holds})
    assert decided.new_hold
    assert [past.state for past in desk.history().holds] == ["closed", "open"]


def test_a_return_with_an_open_hold_is_never_at_its_end(desk: LedgerDesk) -> None:
    desk.one(rule=always(replace(APPROVAL, label=True, items=())))
    desk.one(rule=pay())
    assert not desk.history().record.final
    assert [item.process_id for item in desk.ledger.read(unfinished)] == ["p1"]


def test_an_end_is_none_any_more_when_a_late_answer_asks_a_person(desk: LedgerDesk) -> None:
    claim = desk.held(rule=pay(refund()))
    desk.answer(Answer.DROP)
    desk.one(rule=pay(refund()))
    assert desk.history().record.final
    desk.done(claim)
    assert [hold.rule for hold in desk.holds()] == ["late_answer"]
    assert not desk.history().record.final


def test_a_refund_that_bears_no_costs_fixes_none(desk: LedgerDesk) -> None:
    free = replace(refund(), exempt=Decimal(10))
    desk.done(desk.sent("p1", pay(free, costs="2.00")))
    assert desk.record("p1").costs is None
    bearing = refund("7.00", items=units(2), gross="10.00")
    desk.done(desk.sent("p1", pay(free, bearing, costs="3.00")))
    assert desk.record("p1").costs == Decimal("3.00")
    assert desk.ledger.read(check, now=NOON).findings == ()
