"""A person's answer to a hold: once, for this version, and never paid again what was closed by hand."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from tasks.ledger import Answer, AnswerError, OutdatedAnswer, Sending, settle_done
from tasks.policy.decision import Compensate
from tasks.policy.record import IntentKind, IntentState
from tests.tasks.ledger.desk import (
    APPROVAL,
    EXCHANGE,
    FLOW,
    LABEL,
    LINES,
    LedgerDesk,
    always,
    pay,
    refund,
    units,
)


def test_retry_of_an_unknown_outcome_is_a_new_attempt_of_the_same_intent(desk: LedgerDesk) -> None:
    first = desk.held(rule=pay(exchange=EXCHANGE))
    answered = desk.answer(Answer.RETRY)
    assert answered.claim is not None
    assert answered.claim.intent.id == first.intent.id
    assert answered.claim.token != first.token
    assert answered.claim.exchange_items == EXCHANGE.items
    assert desk.send(first).sending is Sending.LOST
    assert desk.send(answered.claim).attempt == 2
    assert desk.holds() == []
    assert desk.done(answered.claim) == "taken"


def test_retry_of_a_label_carries_what_it_needs(desk: LedgerDesk) -> None:
    desk.held(rule=always(LABEL))
    claim = desk.answer(Answer.RETRY).claim
    assert claim is not None
    assert claim.label == LABEL


def test_done_by_hand_closes_the_unknown_with_what_was_paid(desk: LedgerDesk) -> None:
    desk.held()
    desk.answer(Answer.DONE_BY_HAND, amount=Decimal("9.50"), reference="SEPA-17", on=date(2026, 11, 23))
    intent = desk.intent()
    assert (intent.state, intent.amount) == (IntentState.DONE_BY_HAND, Decimal("9.50"))
    row = desk.history().audit[-1]
    assert (row.event, row.actor, row.rule) == ("answered", "olga", "unknown_outcome")
    assert row.evidence["reference"] == "SEPA-17"
    assert row.evidence["on"] == "2026-11-23"
    assert row.evidence["through"] == "answer-hold"
    assert desk.one().decision.rule == "all_settled"


def test_drop_closes_the_unknown_for_good(desk: LedgerDesk) -> None:
    desk.held()
    desk.answer(Answer.DROP)
    assert desk.state() is IntentState.DROPPED
    assert desk.one(rule=always(Compensate("r", "w", Decimal(0), (refund(),)))).decision.rule == "lost_claim"


def test_a_second_answer_is_refused_and_says_who_was_first(desk: LedgerDesk) -> None:
    desk.held()
    (hold,) = desk.holds()
    desk.answer(Answer.DROP, hold)
    with pytest.raises(OutdatedAnswer, match=r"'drop' by olga") as refused:
        desk.answer(Answer.RETRY, hold)
    assert (refused.value.state, refused.value.version) == ("answered", 2)
    assert desk.state() is IntentState.DROPPED


def test_an_answer_to_another_version_is_refused(desk: LedgerDesk) -> None:
    desk.held()
    (hold,) = desk.holds()
    with pytest.raises(OutdatedAnswer):
        desk.answer(Answer.RETRY, replace(hold, version=0))
    assert desk.state() is IntentState.UNKNOWN


def test_an_answer_to_a_hold_that_closed_itself_is_refused(desk: LedgerDesk) -> None:
    claim = desk.held()
    (hold,) = desk.holds()
    desk.ledger.write(settle_done, claim.intent.id, evidence={}, now=desk.clock(), actor=FLOW)
    with pytest.raises(OutdatedAnswer, match="closed itself: it was seen at REVER"):
        desk.answer(Answer.RETRY, hold)
    assert desk.state() is IntentState.DONE


def test_an_unknown_hold_is_refused(desk: LedgerDesk) -> None:
    desk.held()
    (hold,) = desk.holds()
    with pytest.raises(AnswerError, match="no hold 'nope'"):
        desk.answer(Answer.RETRY, replace(hold, hold_id="nope"))


def test_retry_of_a_rule_waives_it_until_its_units_are_claimed(desk: LedgerDesk) -> None:
    hold = replace(APPROVAL, items=units(1, 2), amount=Decimal("20.00"))
    desk.one(rule=always(hold))
    desk.answer(Answer.RETRY)
    assert desk.record().waived("not_received", Decimal("20.00"), "EUR")
    rule = pay(refund(), refund(items=units(2), method="GIFT_CARD"))
    desk.done(desk.sent(rule=rule))
    assert desk.record().waived("not_received", Decimal("10.00"), "EUR")
    second = desk.claim(rule=rule)
    assert desk.record().waivers[0].used_by == second.intent.id
    assert not desk.record().waived("not_received")


def test_a_label_waiver_is_not_used_by_a_refund(desk: LedgerDesk) -> None:
    desk.one(rule=always(replace(APPROVAL, label=True, items=(), amount=None)))
    desk.answer(Answer.RETRY)
    desk.claim(rule=pay(refund()))
    assert desk.record().waived("not_received")
    desk.claim(rule=always(LABEL))
    assert not desk.record().waived("not_received")


@pytest.mark.parametrize(
    ("answer", "state", "paid"),
    [(Answer.DONE_BY_HAND, IntentState.DONE_BY_HAND, "10.00"), (Answer.DROP, IntentState.DROPPED, "0")],
)
def test_units_closed_by_hand_are_never_paid_again(
    desk: LedgerDesk, answer: Answer, state: IntentState, paid: str
) -> None:
    desk.one(rule=always(APPROVAL))
    answered = desk.answer(answer)
    intent = desk.intent()
    assert (intent.id, intent.state, intent.items) == (answered.intent_id, state, units(1))
    assert (intent.amount, intent.gross) == (Decimal(paid), Decimal("10.00"))
    assert desk.record().lines == {"l1": LINES["l1"]}
    again = desk.one(rule=always(Compensate("r", "w", Decimal(0), (refund(),))))
    assert again.decision.rule == "lost_claim"
    assert desk.claim(rule=pay(refund(items=units(2)))).intent.items == units(2)


def test_named_units_are_closed_instead_of_the_holds(desk: LedgerDesk) -> None:
    desk.one(rule=always(replace(APPROVAL, items=units(1, 2))))
    desk.answer(Answer.DROP, items=units(2))
    assert desk.intent().items == units(2)
    assert desk.claim(rule=pay(refund())).intent.items == units(1)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"items": units(3)}, "units 1 to 2"),
        ({"items": units(1, line="l9")}, "no line 'l9'"),
        ({"items": units(1, 1)}, "already paid"),
        ({"items": units(2), "answer": Answer.DONE_BY_HAND}, "say the amount"),
    ],
)
def test_an_answer_that_cannot_be_carried_out_changes_nothing(
    desk: LedgerDesk, more: dict[str, object], words: str
) -> None:
    desk.one(rule=always(APPROVAL))
    with pytest.raises(AnswerError, match=words):
        desk.answer(**{"answer": Answer.DROP, **more})  # type: ignore[arg-type]
    assert len(desk.holds()) == 1
    assert desk.record().intents == ()


def test_a_hold_without_units_asks_for_them(desk: LedgerDesk) -> None:
    desk.one(rule=always(replace(APPROVAL, rule="unknown_status", items=(), amount=None)))
    with pytest.raises(AnswerError, match="names no units"):
        desk.answer(Answer.DROP)
    desk.answer(Answer.DONE_BY_HAND, items=units(1, 2), amount=Decimal("20.00"))
    assert desk.intent().gross == Decimal("20.00")


def test_a_hold_about_what_rever_shows_is_taken_as_it_is(desk: LedgerDesk) -> None:
    """Where no unit could be paid, an answer closes the question and nothing else, and it is not asked again."""
    desk.one(rule=always(replace(APPROVAL, rule="foreign_refund", items=(), amount=None)))
    desk.answer(Answer.DROP, why="a goodwill payment")
    assert desk.record().intents == ()
    assert desk.record().waived("foreign_refund")


@pytest.mark.parametrize("answer", list(Answer))
def test_an_answer_takes_as_seen_what_the_hold_told_of_and_no_more(desk: LedgerDesk, answer: Answer) -> None:
    told = {"EUR": Decimal("12.30"), "SEK": Decimal(5)}
    desk.one(rule=always(replace(APPROVAL, rule="foreign_refund", refunds=told)))
    assert not desk.record().seen(told)
    desk.answer(answer)
    assert desk.record().seen(told)
    assert desk.record().seen({"EUR": Decimal("12.30")})
    assert not desk.record().seen({"EUR": Decimal("12.31")})
    assert not desk.record().seen({"USD": Decimal("0.01")})


def test_what_was_seen_stays_seen_when_the_waiver_beside_it_is_used(desk: LedgerDesk) -> None:
    desk.one(rule=always(replace(APPROVAL, rule="foreign_refund", refunds={"EUR": Decimal("12.30")})))
    desk.answer(Answer.RETRY)
    desk.done(desk.sent(rule=pay(refund())))
    used = {waiver.rule: bool(waiver.used_by) for waiver in desk.record().waivers}
    assert used == {"foreign_refund": True, "refunds_seen": False}


def test_units_of_a_live_intent_cannot_be_closed_by_hand(desk: LedgerDesk) -> None:
    desk.done(desk.sent(rule=pay(refund())))
    desk.one(rule=always(APPROVAL))
    with pytest.raises(AnswerError, match="already paid"):
        desk.answer(Answer.DROP)


def test_units_of_a_refused_intent_can(desk: LedgerDesk) -> None:
    desk.refused(desk.sent())
    desk.one(rule=always(APPROVAL))
    desk.answer(Answer.DONE_BY_HAND)
    assert [i.state for i in desk.record().intents] == ["refused", "done_by_hand"]


def test_a_label_made_by_hand_is_not_made_again(desk: LedgerDesk) -> None:
    desk.refused(desk.sent(rule=always(LABEL)))
    desk.one(rule=always(replace(APPROVAL, label=True, items=(), amount=None)))
    desk.answer(Answer.DONE_BY_HAND)
    intent = desk.intent()
    assert (intent.kind, intent.generation, intent.state) == (IntentKind.LABEL, 1, IntentState.DONE_BY_HAND)
    assert desk.one(rule=always(LABEL)).decision.rule == "lost_claim"


@pytest.mark.parametrize("answer", list(Answer))
def test_a_contradiction_is_just_closed(desk: LedgerDesk, answer: Answer) -> None:
    claim = desk.held()
    desk.answer(Answer.DROP)
    desk.done(claim)
    before = desk.record().intents
    desk.answer(answer)
    assert desk.record().intents == before
    assert desk.holds() == []


def test_each_hold_says_what_each_answer_would_do(desk: LedgerDesk) -> None:
    desk.held("p1")
    desk.one("p2", always(APPROVAL))
    desk.one("p3", always(replace(APPROVAL, label=True, items=())))
    for hold in desk.holds():
        assert set(hold.answers) == {"retry", "done_by_hand", "drop"}
        assert all(hold.answers.values())
    unknown = desk.holds()[0]
    assert unknown.order_name == "#p1"
    assert "10.00 EUR" in unknown.answers["retry"]
