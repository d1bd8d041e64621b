"""A return called off by the merchant's own rule: when, when not, and what follows."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tasks.policy.decide import decide
from tasks.policy.decision import AskedEffect, Cancellation, Decision, Hold, MakeLabel, Wait
from tasks.policy.kinds import CANCEL
from tasks.policy.record import IntentKind, IntentState, Record, Waiver
from tasks.policy.rules.label import decide_label
from tasks.policy.store import RefundsBy, StoreRules
from tests.tasks.policy.factories import (
    EXCHANGE,
    NOW,
    STARTED,
    approved,
    intent,
    line,
    process,
    record,
    refund,
    reviews,
    rules,
    terms,
)
from tests.tasks.policy.rule_texts import rules_of
from tests.tasks.policy.shop_returns import shop_rules

AT_HOME: dict[str, Any] = {"logistics": ["CREATED"], "return_status": "STARTED"}
SCANNED: dict[str, Any] = {"logistics": ["COLLECTED"], "return_status": "COLLECTED"}
DAY_31 = STARTED + timedelta(days=31)
WANTED = Cancellation("not sent within 30 days", "not sent")


def shop(*texts: str, by: RefundsBy = RefundsBy.US) -> StoreRules:
    return replace(rules(by), merchant_rules=rules_of(f"rules: [{', '.join(texts)}]") if texts else shop_rules("R28"))


def cancelled(state: IntentState, **fields: Any) -> Record:
    made = intent(IntentKind.CANCEL, state, units=(), items=(), **{"sent_at": DAY_31, "created_at": DAY_31, **fields})
    return record(replace(made, generation=1))


def rule_of(decision: Decision) -> tuple[str, str]:
    return type(decision).__name__, decision.rule


def test_r28_day_30_is_in_and_a_scan_on_the_last_day_wins() -> None:
    it = process(**AT_HOME)
    assert rule_of(decide(it, shop(), record(), STARTED + timedelta(days=30))) == ("Wait", "wait_goods")
    found = decide(it, shop(), record(), DAY_31)
    assert isinstance(found, AskedEffect)
    assert (found.kind, found.wanted, found.rule) == (IntentKind.CANCEL, WANTED, "cancel_by_rule")
    assert found.why == "rule 'not sent' calls the return off: not sent within 30 days"
    made = CANCEL.intent(found)
    assert CANCEL.covers(CANCEL.decide(it, shop(), record(), DAY_31, WANTED), made, WANTED)
    scanned = CANCEL.decide(process(**SCANNED), shop(), record(), DAY_31, WANTED)
    assert not CANCEL.covers(scanned, made, WANTED)
    assert rule_of(scanned) == ("Wait", "wait_parcel")
    other = shop("{name: not sent, then: {cancel: {why: another reason}}}")
    assert not CANCEL.covers(CANCEL.decide(it, other, record(), DAY_31, WANTED), made, WANTED)


ALWAYS = "{name: end it, then: {cancel: {why: the shop closes}}}"


@pytest.mark.parametrize(
    ("fields", "known", "decided"),
    [
        ({"reviews": approved()}, record(), ("Compensate", "on_item_verified")),
        ({"refunds": [refund()]}, record(), ("Hold", "foreign_refund")),
        ({"status": "ON_HOLD"}, record(), ("Wait", "rever_on_hold")),
        ({"status": "CANCELED"}, record(), ("Nothing", "not_running")),
        ({"status": "COMPLETED"}, record(), ("Nothing", "completed")),
        ({"reviews": None}, record(), ("Hold", "incomplete_read")),
        ({"reviews": reviews("retl_1", "DECLINED")}, record(), ("AskedEffect", "cancel_by_rule")),
    ],
)
def test_what_is_due_comes_first_and_what_has_ended_stays(
    fields: dict[str, Any], known: Record, decided: tuple[str, str]
) -> None:
    assert rule_of(decide(process(**fields), shop(ALWAYS), known, NOW)) == decided


def test_a_return_for_which_money_or_goods_went_out_is_not_called_off() -> None:
    two = line(quantity=2, total="20.00")
    paid = record(intent(), lines={"retl_1": terms("20.00", 2)}, costs=process().return_costs)
    it = process(two, reviews=approved(), refunds=[refund()])
    assert rule_of(decide(it, shop(ALWAYS), paid, NOW)) == ("Wait", "wait_inspection")
    waiting = process(
        line("a", 1, method=EXCHANGE, variant="v"), line("b", 1, method=EXCHANGE, variant="v"), reviews=approved("a")
    )
    assert rule_of(decide(waiting, shop(ALWAYS), record(), NOW)) == ("Wait", "wait_exchange_inspection")


def test_what_is_to_be_paid_at_a_later_moment_keeps_it() -> None:
    later = "{name: buffer, then: {pay: {at: inspection, plus_days: 3}}}"
    it = process(reviews=reviews("retl_1", "APPROVED", at=NOW - timedelta(days=1)))
    assert rule_of(decide(it, shop(later, ALWAYS), record(), NOW)) == ("Wait", "wait_moment")


def test_a_missing_fact_holds_only_where_it_would_call_it_off() -> None:
    text = (
        "{name: late, when: {ordered_on: {until: 2026-01-01}, days_since_start: {over: 30}}, then: {cancel: {why: x}}}"
    )
    assert rule_of(decide(process(**AT_HOME), shop(text), record(), NOW)) == ("Wait", "wait_goods")
    held = decide(process(**AT_HOME), shop(text), record(), DAY_31)
    assert rule_of(held) == ("Hold", "needs_facts")
    assert "the order's date (the table of orders or the shop's order), for rule 'late'" in held.why
    assert rule_of(decide(process(reviews=approved(), **AT_HOME), shop(text), record(), DAY_31))[0] == "Compensate"


@pytest.mark.parametrize("state", [IntentState.DONE, IntentState.DONE_BY_HAND])
def test_a_return_that_was_called_off_is_not_paid_by_an_old_view_of_it(state: IntentState) -> None:
    known = cancelled(state)
    for it in (process(**AT_HOME), process(reviews=approved())):
        found = decide(it, shop(), known, DAY_31 + timedelta(minutes=1))
        assert isinstance(found, Wait)
        assert found.rule == "stale_view"
        held = decide(it, shop(), known, DAY_31 + timedelta(hours=1))
        assert isinstance(held, Hold)
        assert held.rule == "cancel_not_shown"
    assert rule_of(decide(process(status="CANCELED"), shop(), known, DAY_31)) == ("Nothing", "not_running")


def test_no_label_is_made_for_a_return_that_is_called_off_or_will_be() -> None:
    it = process(logistics=[], return_status="STARTED")
    assert isinstance(decide_label(it, shop(), record(), NOW), MakeLabel)
    assert rule_of(decide_label(it, shop(), record(), DAY_31)) == ("Nothing", "no_label")
    for state in (IntentState.DONE, IntentState.UNKNOWN, IntentState.INTENDED):
        assert rule_of(decide_label(it, rules(), cancelled(state), DAY_31)) == ("Nothing", "no_label")
    for state in (IntentState.DROPPED, IntentState.WITHDRAWN, IntentState.REFUSED):
        assert isinstance(decide_label(it, rules(), cancelled(state), DAY_31), MakeLabel)


def test_a_label_is_made_where_the_rule_s_cancellation_was_given_up_or_cannot_be() -> None:
    it = process(logistics=[], return_status="STARTED")
    refused = cancelled(IntentState.REFUSED)
    given_up = replace(refused, waivers=(Waiver("cancel_refused", answer="drop"),))
    for known in (cancelled(IntentState.DROPPED), given_up):
        assert isinstance(decide_label(it, shop(), known, DAY_31), MakeLabel)
    assert rule_of(decide_label(it, shop(), refused, DAY_31)) == ("Nothing", "no_label")
    paid = process(logistics=[], return_status="STARTED", refunds=[refund()])
    assert isinstance(decide_label(paid, shop(), record(), DAY_31), MakeLabel), "money went out for it"


def test_a_refund_that_a_proxy_denied_is_waited_for_before_the_return_is_called_off() -> None:
    denied = record(intent(state=IntentState.WITHDRAWN, told_no_until=NOW + timedelta(minutes=5)))
    it = process(reviews=reviews("retl_1", "DECLINED"))
    assert rule_of(decide(it, shop(ALWAYS), denied, NOW)) == ("Wait", "told_no")
    assert rule_of(decide(it, shop(ALWAYS), denied, NOW + timedelta(minutes=6))) == ("AskedEffect", "cancel_by_rule")


def test_what_rever_refuses_is_asked_about_and_given_up_by_a_person() -> None:
    it, known = process(**AT_HOME), cancelled(IntentState.REFUSED)
    held = decide(it, shop(), known, DAY_31)
    assert rule_of(held) == ("Hold", "cancel_refused")
    again = replace(known, waivers=(Waiver("cancel_refused", answer="send_again"),))
    assert rule_of(decide(it, shop(), again, DAY_31)) == ("AskedEffect", "cancel_by_rule")
    given_up = replace(known, waivers=(Waiver("cancel_refused", answer="drop"),))
    assert rule_of(decide(it, shop(), given_up, DAY_31)) == ("Wait", "wait_goods")
    denied = cancelled(IntentState.WITHDRAWN, told_no_until=DAY_31 + timedelta(minutes=5))
    assert rule_of(decide(it, shop(), denied, DAY_31)) == ("Wait", "told_no")
    gave_up_unknown = cancelled(IntentState.DROPPED)
    assert rule_of(decide(it, shop(), gave_up_unknown, DAY_31)) == ("Wait", "wait_goods")
