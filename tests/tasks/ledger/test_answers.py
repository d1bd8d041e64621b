"""A person's answer to a hold: once, for this version, and never paid again what was closed by hand."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from tasks.ledger import (
    Answer,
    Answered,
    AnswerError,
    AuditRow,
    HoldRow,
    OutdatedAnswer,
    PastHold,
    Sending,
    check,
    settle_done,
)
from tasks.ledger.schema import waivers
from tasks.policy.decision import Compensate
from tasks.policy.record import HoldKind, IntentKind, IntentState, LineTerms
from tasks.policy.store import Guards
from tests.tasks.ledger.desk import (
    APPROVAL,
    EXCHANGE,
    FLOW,
    LABEL,
    LEASE,
    LINES,
    NOON,
    LedgerDesk,
    Rule,
    always,
    pay,
    refund,
    units,
)


def test_retry_of_an_unknown_outcome_is_a_new_attempt_of_the_same_intent(desk: LedgerDesk) -> None:
    first = desk.held(rule=pay(exchange=EXCHANGE))
    (hold,) = desk.holds()
    answered = desk.answer(Answer.RETRY)
    assert answered.claim is not None
    assert answered == Answered(hold.hold_id, "p1", "acme", Answer.RETRY, answered.claim, first.intent.id)
    assert answered.claim.intent.id == first.intent.id
    assert answered.claim.token != first.token
    assert answered.claim.intent.look_at == NOON + LEASE
    assert answered.claim.content == EXCHANGE.items
    assert desk.send(first).sending is Sending.LOST
    assert desk.send(answered.claim).attempt == 2
    assert desk.holds() == []
    assert desk.done(answered.claim) == "taken"


def test_retry_of_a_label_carries_what_it_needs(desk: LedgerDesk) -> None:
    desk.held(rule=always(LABEL))
    claim = desk.answer(Answer.RETRY).claim
    assert claim is not None
    assert claim.content == LABEL


def test_done_by_hand_closes_the_unknown_with_what_was_paid(desk: LedgerDesk) -> None:
    claim = desk.held()
    (hold,) = desk.holds()
    now = desk.clock.forward(minutes=5)
    told: dict[str, Any] = {"reference": "SEPA-17", "on": date(2026, 11, 23), "at_rever": "no refund"}
    answered = desk.answer(Answer.DONE_BY_HAND, amount=Decimal("9.50"), **told)
    assert answered == Answered(hold.hold_id, "p1", "acme", Answer.DONE_BY_HAND, None, claim.intent.id)
    said = {"answer": "done_by_hand", "by": "olga", "why": "looked at it", "reference": "SEPA-17", "amount": "9.50"}
    said |= {"on": "2026-11-23", "at_rever": "no refund"}
    (row,) = desk.history().intents
    assert (row.intent.state, row.intent.amount) == (IntentState.DONE_BY_HAND, Decimal("9.50"))
    assert (row.evidence, row.closed_at, row.intent.look_at) == ({**said, "meant": "10.00"}, now, None)
    assert desk.history().audit[-1] == answer_told(desk, said, hold, "9.50", claim.intent.id)
    (past,) = desk.history().holds
    assert past == PastHold(
        replace(hold, version=2, answers=past.hold.answers), "answered", "done_by_hand", "olga", now, ""
    )
    assert desk.one().decision.rule == "all_settled"


@pytest.mark.parametrize(
    ("answer", "rule", "paid"),
    [
        (Answer.DONE_BY_HAND, pay(exchange=EXCHANGE), "0"),
        (Answer.DONE_BY_HAND, pay(refund()), "8.00"),
        (Answer.DROP, pay(refund()), "10.00"),
    ],
)
def test_only_a_refund_done_by_hand_takes_the_amount_that_a_person_says(
    desk: LedgerDesk, answer: Answer, rule: Rule, paid: str
) -> None:
    desk.held(rule=rule)
    desk.answer(answer, amount=Decimal("8.00"))
    assert desk.intent().amount == Decimal(paid)


def test_an_answer_about_units_is_told_with_them_and_what_it_closed(desk: LedgerDesk) -> None:
    desk.one(rule=always(APPROVAL))
    (hold,) = desk.holds()
    answered = desk.answer(Answer.DONE_BY_HAND, items=units(2), amount=Decimal("7.00"))
    assert answered == Answered(hold.hold_id, "p1", "acme", Answer.DONE_BY_HAND, None, desk.intent().id)
    said = {"answer": "done_by_hand", "by": "olga", "why": "looked at it", "reference": "", "on": ""}
    said_units = {**said, "amount": "7.00", "units": {"l1": [2]}}
    assert desk.history().audit[-1] == answer_told(desk, said_units, hold, "7.00", desk.intent().id)
    (row,) = desk.history().intents
    assert row.evidence == said_units


def test_an_answer_that_names_no_amount_is_told_with_the_holds(desk: LedgerDesk) -> None:
    desk.one(rule=always(APPROVAL))
    (hold,) = desk.holds()
    desk.answer(Answer.RETRY)
    said = {"answer": "retry", "by": "olga", "why": "looked at it"}
    assert desk.history().audit[-1] == answer_told(desk, said, hold, "10.00")


def answer_told(desk: LedgerDesk, said: dict[str, Any], hold: HoldRow, amount: str, intent_id: str = "") -> AuditRow:
    """The last row of the audit, were it about this answer."""
    return AuditRow(
        id=desk.history().audit[-1].id,
        process_id="p1",
        at=desk.clock(),
        actor="olga",
        event="answered",
        rule=hold.rule,
        evidence={**said, "through": "answer-hold"},
        amount=amount,
        currency="EUR",
        intent_id=intent_id,
        hold_id=hold.hold_id,
        flow_run_id="run-2",
    )


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
    with pytest.raises(OutdatedAnswer, match="is of version 1, not 0: look at it again") as refused:
        desk.answer(Answer.RETRY, replace(hold, version=0))
    assert (refused.value.state, refused.value.version) == ("open", 1)
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


def test_a_waiver_says_of_which_hold_and_units_it_is(desk: LedgerDesk) -> None:
    desk.one(rule=always(replace(APPROVAL, refunds={"SEK": Decimal("5.00")})))
    hold_id = desk.holds()[0].hold_id
    desk.answer(Answer.RETRY)
    rows = desk.ledger.read(lambda conn: [dict(row._mapping) for row in conn.execute(select(waivers))])
    shared = {"process_id": "p1", "hold_id": hold_id, "label": False, "used_by": ""}
    rule = {"rule": "not_received", "amount": Decimal("10.00"), "currency": "EUR", "items": {"l1": [1]}}
    seen = {"rule": "refunds_seen", "amount": Decimal("5.00"), "currency": "SEK", "items": {}}
    assert rows == [{"seq": 1, **shared, **rule}, {"seq": 2, **shared, **seen}]


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
    assert desk.history().intents[0].evidence.get("amount") is None
    assert desk.record().lines == {"l1": LINES["l1"]}
    again = desk.one(rule=always(Compensate("r", "w", Decimal(0), (refund(),))))
    assert again.decision.rule == "lost_claim"
    assert desk.claim(rule=pay(refund(items=units(2)))).intent.items == units(2)


def test_named_units_are_closed_instead_of_the_holds(desk: LedgerDesk) -> None:
    desk.one(rule=always(replace(APPROVAL, items=units(1, 2))))
    desk.answer(Answer.DROP, items=units(2))
    assert desk.intent().items == units(2)
    assert desk.claim(rule=pay(refund())).intent.items == units(1)


def test_what_is_to_be_exchanged_bears_no_costs_when_a_person_closes_it(desk: LedgerDesk) -> None:
    goods = {"l1": LINES["l1"], "l2": LineTerms(Decimal("7.50"), 1, "EUR")}
    both = replace(APPROVAL, rule="unknown_timing", items=(*units(1, 2), *units(1, line="l2")), amount=None)
    desk.one(rule=always(both), lines=goods, without_costs=frozenset({"l1"}))
    desk.answer(Answer.DONE_BY_HAND, amount=Decimal(0))
    assert (desk.intent().items, desk.intent().gross) == (both.items, Decimal("7.50"))
    assert desk.ledger.read(check, now=desk.clock()).findings == ()


@pytest.mark.parametrize(("free", "gross"), [("l1", "0"), ("l2", "10.00")])
def test_a_refund_that_a_guard_holds_bears_costs_as_its_line_does_when_a_person_closes_it(
    desk: LedgerDesk, free: str, gross: str
) -> None:
    desk.one(without_costs=frozenset({free}), guards=Guards(max_refund={"EUR": Decimal("5.00")}))
    desk.answer(Answer.DONE_BY_HAND)
    assert desk.intent().gross == Decimal(gross)
    assert desk.ledger.read(check, now=desk.clock()).findings == ()


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


@pytest.mark.parametrize("answer", [Answer.APPROVE, Answer.RETRY, Answer.DONE_BY_HAND, Answer.DROP])
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


@pytest.mark.parametrize("answer", [Answer.TAKE_AS_IT_IS, Answer.RETRY, Answer.DONE_BY_HAND, Answer.DROP])
def test_a_contradiction_is_just_closed(desk: LedgerDesk, answer: Answer) -> None:
    claim = desk.held()
    desk.answer(Answer.DROP)
    desk.done(claim)
    before = desk.record().intents
    desk.answer(answer)
    assert desk.record().intents == before
    assert desk.holds() == []


def kept(**more: Any) -> Rule:
    return always(replace(APPROVAL, **more))


@pytest.mark.parametrize(
    ("rule", "word"),
    [
        (kept(), Answer.APPROVE),
        (kept(kind=HoldKind.GUARD, rule="guard:max_refund"), Answer.APPROVE),
        (kept(kind=HoldKind.REFUSED, rule="refused_by_rever"), Answer.SEND_AGAIN),
        (kept(kind=HoldKind.OUT_OF_STOCK, rule="out_of_stock"), Answer.SEND_AGAIN),
        (kept(kind=HoldKind.LABEL, rule="label_error", label=True, items=()), Answer.SEND_AGAIN),
        (kept(kind=HoldKind.LABEL, rule="no_carrier", label=True, items=()), Answer.LOOK_AGAIN),
        (kept(kind=HoldKind.UNKNOWN_VALUE, rule="unknown_status", items=()), Answer.LOOK_AGAIN),
        (kept(kind=HoldKind.NOT_PAID_BY_REVER, rule="not_paid_by_rever"), Answer.LOOK_AGAIN),
        (kept(kind=HoldKind.FOREIGN_REFUND, rule="foreign_refund"), Answer.APPROVE),
        (kept(kind=HoldKind.FOREIGN_REFUND, rule="foreign_refund", items=()), Answer.TAKE_AS_IT_IS),
        (kept(kind=HoldKind.CONTRADICTION, rule="differs_from_rever", items=()), Answer.TAKE_AS_IT_IS),
    ],
)
def test_each_hold_has_one_word_that_goes_on_and_takes_no_other(desk: LedgerDesk, rule: Rule, word: Answer) -> None:
    desk.one(rule=rule)
    (hold,) = desk.holds()
    assert list(hold.answers) == [word, Answer.DONE_BY_HAND, Answer.DROP]
    assert hold.does(Answer.RETRY) == hold.does(word)
    for other in {answer for answer in Answer if answer.goes_on} - {word, Answer.RETRY}:
        with pytest.raises(AnswerError, match=f"it is answered with {word}"):
            desk.answer(other)
    desk.answer(word)
    assert [past.answer for past in desk.history().holds] == [word]


def test_an_unknown_outcome_is_sent_again_by_its_word(desk: LedgerDesk) -> None:
    desk.held()
    with pytest.raises(AnswerError, match="it is answered with send_again"):
        desk.answer(Answer.APPROVE)
    assert desk.answer(Answer.SEND_AGAIN).claim is not None


def test_each_answer_says_what_happens_to_the_money_in_numbers(desk: LedgerDesk) -> None:
    foreign = kept(
        kind=HoldKind.FOREIGN_REFUND, rule="foreign_refund", amount=Decimal("106.29"), pays=Decimal("106.29")
    )
    desk.one(rule=foreign, received=lambda _: {"EUR": Decimal("95.66")})
    (hold,) = desk.holds()
    assert "the shopper gets 106.29 EUR more, 201.95 EUR in all" in hold.does(Answer.APPROVE)
    assert "the shopper gets nothing more, 95.66 EUR in all" in hold.does(Answer.DROP)
    assert "the shopper gets nothing more, 95.66 EUR in all, plus what was paid by hand" in hold.does(
        Answer.DONE_BY_HAND
    )


def test_goods_are_no_money(desk: LedgerDesk) -> None:
    sold_out = kept(
        kind=HoldKind.OUT_OF_STOCK, rule="out_of_stock", amount=Decimal(24), pays=Decimal(0), goods=Decimal(24)
    )
    desk.one(rule=sold_out, received=lambda _: {"SEK": Decimal(5)})
    does = desk.holds()[0].does(Answer.SEND_AGAIN)
    assert "the shopper gets nothing more, 5.00 SEK and 0.00 EUR in all" in does
    assert "goods worth 24.00 EUR are ordered" in does


def test_each_hold_says_what_each_answer_would_do(desk: LedgerDesk) -> None:
    desk.held("p1")
    desk.one("p2", always(APPROVAL))
    desk.one("p3", always(replace(APPROVAL, label=True, items=())))
    for hold in desk.holds():
        assert set(hold.answers) >= {"done_by_hand", "drop"}
        assert all(hold.answers.values())
    unknown = desk.holds()[0]
    assert unknown.order_name == "#p1"
    assert "10.00 EUR" in unknown.answers["send_again"]
    assert "no money moves" in desk.holds()[2].answers["send_again"]


TWO_AND_GOODS = pay(
    refund("80.57"),
    refund("22.30", items=units(1, line="l2"), method="GIFT_CARD"),
    exchange=replace(EXCHANGE, items=(replace(EXCHANGE.items[0], units=(2,)),), gross=Decimal("37.00")),
)


def test_a_guards_hold_says_all_that_goes_out_once_it_is_let_pass_and_what_stays_due(desk: LedgerDesk) -> None:
    caps = Guards(max_refund={"EUR": Decimal(60)})
    desk.one(rule=TWO_AND_GOODS, guards=caps, received=lambda _: {"EUR": Decimal("5.00")})
    [hold] = desk.holds()
    more = "the shopper gets 80.57 EUR more for this, and 22.30 EUR that is due besides, 107.87 EUR in all"
    assert f"{more}, goods worth 37.00 EUR are ordered, unless another rule or cap holds it" in hold.does(
        Answer.APPROVE
    )
    stay = "22.30 EUR and goods worth 37.00 EUR stay due for other units and go out by the next run, 27.30 EUR in all"
    for answer in (Answer.DROP, Answer.DONE_BY_HAND):
        assert "the shopper gets nothing more for these units, 5.00 EUR in all" in hold.does(answer)
        assert stay in hold.does(answer)
    assert "never pays or exchanges these units again" in hold.does(Answer.DROP)


def test_an_unknown_outcome_says_what_was_due_besides(desk: LedgerDesk) -> None:
    desk.held(rule=TWO_AND_GOODS)
    [hold] = desk.holds()
    assert "the shopper gets 80.57 EUR more" in hold.does(Answer.SEND_AGAIN)
    besides = "22.30 EUR and goods worth 37.00 EUR"
    assert f"; then {besides} that were due besides" in hold.does(Answer.SEND_AGAIN)
    assert f"; {besides} stay due" in hold.does(Answer.DROP)
    assert f"; {besides} stay due" in hold.does(Answer.DONE_BY_HAND)


def test_a_hold_of_an_older_ledger_does_not_promise_that_nothing_else_moves(desk: LedgerDesk) -> None:
    desk.one(rule=kept(pays=Decimal("10.00")))
    [hold] = desk.holds()
    assert "10.00 EUR in all, unless another rule or cap holds it; what else is due goes out" in (
        hold.does(Answer.APPROVE)
    )
    assert hold.does(Answer.DROP).endswith("what else is due stays due")


def test_a_labels_hold_speaks_of_no_payment_and_asks_for_no_amount(desk: LedgerDesk) -> None:
    desk.one(rule=kept(label=True, items=(), amount=None, rule="label_error", kind=HoldKind.LABEL))
    [hold] = desk.holds()
    assert "state the reference" in hold.does(Answer.DONE_BY_HAND)
    assert "amount" not in hold.does(Answer.DONE_BY_HAND)
    assert "this desk never makes it again; no money moves" in hold.does(Answer.DROP)
