"""What is recorded of a call, and what a late answer may still change."""

from decimal import Decimal

import pytest

from tasks.ledger import (
    Answer,
    Done,
    Recorded,
    check,
    expire,
    open_intents,
    record_done,
    record_unknown,
    settle_done,
    to_settle,
)
from tasks.policy.decide import Unread, unread_hold
from tasks.policy.record import HoldKind, IntentState
from tests.tasks.ledger.desk import APPROVAL, FLOW, NOON, LedgerDesk, always, pay, refund, units


def expired(desk: LedgerDesk) -> None:
    desk.clock.forward(seconds=16)
    desk.ledger.write(expire, now=desk.clock(), actor=FLOW)


def settle(desk: LedgerDesk, intent_id: str) -> Recorded:
    return desk.ledger.write(settle_done, intent_id, evidence={"refunds": "1"}, now=desk.clock(), actor=FLOW)


def test_done_is_recorded_once(desk: LedgerDesk) -> None:
    claim = desk.sent()
    assert desk.done(claim) is Recorded.TAKEN
    assert desk.state() is IntentState.DONE
    (row,) = desk.history().intents
    assert (row.closed_at, row.evidence["answer"], row.attempt) == (NOON, "200", 1)
    assert desk.done(claim) is Recorded.KNOWN
    assert desk.holds() == []


def test_refused_keeps_revers_code(desk: LedgerDesk) -> None:
    claim = desk.sent()
    assert desk.refused(claim, "9") is Recorded.TAKEN
    assert (desk.state(), desk.intent().error_code) == (IntentState.REFUSED, "9")
    assert not desk.intent().live


def test_unknown_stays_open_and_is_looked_at(desk: LedgerDesk) -> None:
    claim = desk.sent()
    assert desk.unknown(claim) is Recorded.TAKEN
    assert desk.unknown(claim) is Recorded.KNOWN
    (found,) = desk.ledger.read(open_intents)
    assert (found.intent.state, found.intent.look_at) == (IntentState.UNKNOWN, found.settle_at)
    assert found.hold_id == ""
    assert desk.send(claim).sending == "lost"


def test_a_store_is_to_be_settled_for_its_open_effects_and_for_returns_that_could_not_be_read(desk: LedgerDesk) -> None:
    desk.sent("open", store="one")
    desk.one("unread", always(unread_hold(Unread("amount: 'x'"))), store="two")
    desk.one("denied", always(unread_hold(Unread())), store="three")
    desk.one("asked", always(APPROVAL), store="four")
    stores = ["one", "two", "three", "four"]
    assert desk.ledger.read(to_settle, stores, None) == {"one", "two", "three"}
    assert desk.ledger.read(to_settle, ["two", "four"], None) == {"two"}
    assert desk.ledger.read(to_settle, stores, {"open", "denied", "asked"}) == {"one", "three"}


def test_nothing_is_recorded_for_what_was_never_sent(desk: LedgerDesk) -> None:
    claim = desk.claim()
    assert desk.refused(claim) is Recorded.NOT_MINE
    assert desk.unknown(claim) is Recorded.NOT_MINE
    assert desk.state() is IntentState.INTENDED


def test_of_many_done_each_is_judged_by_itself(desk: LedgerDesk) -> None:
    claims = [desk.sent("p1"), desk.claim("p2"), desk.sent("p3"), desk.held("p4"), desk.sent("p5")]
    desk.withdraw(claims[1])
    settle(desk, claims[2].intent.id)
    dones = [Done(each, {"answer": each.process_id}, desk.clock(), FLOW) for each in claims]
    recorded = desk.ledger.write(record_done, dones)
    assert recorded == [Recorded.TAKEN, Recorded.CONTRADICTS, Recorded.KNOWN, Recorded.TAKEN, Recorded.TAKEN]
    told = [desk.history(each).intents[0].evidence.get("answer") for each in ("p1", "p3", "p4", "p5")]
    assert told == ["p1", None, "p4", "p5"]
    assert desk.ledger.read(check, now=desk.clock()).findings == ()


def test_a_late_done_closes_the_question(desk: LedgerDesk) -> None:
    claim = desk.held()
    assert desk.done(claim) is Recorded.TAKEN
    assert desk.state() is IntentState.DONE
    assert desk.holds() == []
    (hold,) = desk.history().holds
    assert hold.state == "closed"


def test_a_late_done_after_the_deadline_counts(desk: LedgerDesk) -> None:
    claim = desk.sent()
    expired(desk)
    assert desk.state() is IntentState.UNKNOWN
    assert desk.done(claim) is Recorded.TAKEN


def test_a_late_refusal_after_the_deadline_counts(desk: LedgerDesk) -> None:
    claim = desk.sent()
    expired(desk)
    desk.ask(claim)
    assert desk.refused(claim) is Recorded.TAKEN
    assert desk.state() is IntentState.REFUSED
    assert desk.holds() == []


def test_a_late_done_after_evidence_is_the_same_effect(desk: LedgerDesk) -> None:
    claim = desk.sent()
    expired(desk)
    assert settle(desk, claim.intent.id) is Recorded.TAKEN
    assert desk.done(claim) is Recorded.KNOWN
    assert desk.holds() == []
    assert desk.events()[-1] == "late_answer"


def test_a_late_done_before_the_retry_is_sent_makes_the_retry_needless(desk: LedgerDesk) -> None:
    first = desk.held()
    again = desk.answer(Answer.RETRY).claim
    assert again is not None
    assert desk.done(first) is Recorded.TAKEN
    assert desk.send(again).sending == "lost"
    assert desk.holds() == []


def test_a_late_done_after_the_retry_was_sent_asks_a_person(desk: LedgerDesk) -> None:
    first = desk.held()
    again = desk.answer(Answer.RETRY).claim
    assert again is not None
    desk.send(again)
    assert desk.done(first) is Recorded.CONTRADICTS
    assert desk.state() is IntentState.DONE
    (hold,) = desk.holds()
    assert (hold.kind, hold.rule) == (HoldKind.CONTRADICTION, "late_answer")
    assert "twice" in hold.why
    assert desk.done(again) is Recorded.KNOWN


def test_two_attempts_that_both_answer_done_ask_a_person(desk: LedgerDesk) -> None:
    first = desk.held()
    again = desk.answer(Answer.RETRY).claim
    assert again is not None
    desk.send(again)
    assert desk.done(again) is Recorded.TAKEN
    assert desk.done(first) is Recorded.CONTRADICTS
    assert [hold.rule for hold in desk.holds()] == ["late_answer"]


@pytest.mark.parametrize("answer", [Answer.DONE_BY_HAND, Answer.DROP])
def test_a_late_done_never_overwrites_what_a_person_closed(desk: LedgerDesk, answer: Answer) -> None:
    claim = desk.held()
    desk.answer(answer)
    closed = desk.intent()
    assert desk.done(claim) is Recorded.CONTRADICTS
    assert desk.intent() == closed
    (hold,) = desk.holds()
    assert hold.evidence["answer"] == "200"
    assert desk.done(claim) is Recorded.CONTRADICTS
    assert len(desk.holds()) == 1


def test_a_late_refusal_never_overwrites_what_a_person_closed(desk: LedgerDesk) -> None:
    claim = desk.held()
    desk.answer(Answer.DONE_BY_HAND)
    assert desk.refused(claim) is Recorded.NOT_MINE
    assert desk.state() is IntentState.DONE_BY_HAND
    assert desk.events()[-1] == "late_refusal"


def test_the_first_attempts_answers_no_longer_count_once_it_is_sent_again(desk: LedgerDesk) -> None:
    first = desk.held()
    again = desk.answer(Answer.RETRY).claim
    assert again is not None
    desk.send(again)
    assert desk.refused(first) is Recorded.NOT_MINE
    assert desk.withdraw(first) is Recorded.NOT_MINE
    assert desk.unknown(first) is Recorded.NOT_MINE
    assert desk.state() is IntentState.SENT


def test_a_cause_of_ours_is_no_step_to_a_pause(desk: LedgerDesk) -> None:
    for number in range(6):
        claim = desk.sent(f"p{number}")
        desk.ledger.write(record_unknown, claim, why="cancelled", now=NOON, actor=FLOW, at_rever=False)
    assert desk.one("p9").claim is not None


def test_evidence_settles_sent_unknown_and_a_retry_that_was_not_sent(desk: LedgerDesk) -> None:
    claim = desk.sent()
    assert settle(desk, claim.intent.id) is Recorded.TAKEN
    assert settle(desk, claim.intent.id) is Recorded.KNOWN
    desk.held("p2")
    again = desk.answer(Answer.RETRY).claim
    assert again is not None
    assert settle(desk, again.intent.id) is Recorded.TAKEN
    assert desk.state("p2") is IntentState.DONE


def test_evidence_never_settles_what_was_never_sent(desk: LedgerDesk) -> None:
    claim = desk.claim()
    assert settle(desk, claim.intent.id) is Recorded.NOT_MINE
    assert desk.state() is IntentState.INTENDED


def test_the_question_is_asked_once_and_only_about_an_unknown(desk: LedgerDesk) -> None:
    claim = desk.sent(rule=pay(refund("20.00", items=units(1, 2))))
    assert desk.ask(claim) == ""
    desk.unknown(claim)
    hold_id = desk.ask(claim)
    assert desk.ask(claim) == hold_id
    (hold,) = desk.holds()
    assert (hold.kind, hold.amount, hold.intent_id) == (HoldKind.UNKNOWN_OUTCOME, Decimal("20.00"), claim.intent.id)
    (found,) = desk.ledger.read(open_intents)
    assert found.hold_id == hold_id
    assert settle(desk, claim.intent.id) is Recorded.TAKEN
    assert desk.holds() == []
