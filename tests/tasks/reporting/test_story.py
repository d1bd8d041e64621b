"""A return's story, as a terminal and as Prefect's page show it: in plain words, in the store's time."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rever_api.models import ReturnProcess
from tasks.ledger.types import AuditRow, History, IntentRow, KeptWords, PastHold, RecordRow
from tasks.policy.record import Intent, IntentKind, IntentState, LineUnits, PaidSeen, ParcelChange
from tasks.reporting.story import Known, story_json, story_lines, story_page, tell
from tests.samples import HOLD, NOON

UNITS = (LineUnits("retl_1", (1, 2)),)
MADRID = ZoneInfo("Europe/Madrid")


def record(*, final: bool = False, decision: str = "wait") -> RecordRow:
    return RecordRow(
        process_id="retp_1",
        store="acme",
        order_name="#1001",
        decision=decision,
        rule="review",
        why="1 of 3 units is reviewed.",
        looked_at=NOON,
        next_look_at=NOON + timedelta(minutes=10),
        final=final,
    )


def intent(state: IntentState, look_at: datetime | None = None) -> IntentRow:
    return IntentRow(
        intent=Intent(
            "i1",
            IntentKind.REFUND,
            state,
            UNITS,
            "ORIGINAL_PAYMENT",
            "EUR",
            Decimal("19.90"),
            Decimal("24.90"),
            look_at=look_at,
        ),
        process_id="retp_1",
        store="acme",
        rule="approved",
        why="2 units are approved, less costs of 5.00 EUR.",
        evidence={"status": "200"},
        attempt=1,
        closed_at=NOON if state is IntentState.DONE else None,
        day=date(2026, 11, 23),
    )


def process(**values: Any) -> ReturnProcess:
    """What REVER shows of a return of two shirts, of which one is approved and paid."""
    shown = {
        "rever_process_id": "retp_1",
        "rever_process_status": "RUNNING",
        "return_status": "REVIEW_REQUIRED",
        "ecommerce_id": "acme",
        "order_name": "#1001",
        "started_at": "2026-11-20T08:00:00Z",
        "shopper": {"email": "olga@example.com", "first_name": "Olga", "last_name": "Ortiz"},
        "return_line_items": [
            {
                "id": "retl_1",
                "quantity": 2,
                "total_price": "39.80",
                "currency": "EUR",
                "compensation_method": "ORIGINAL_PAYMENT_METHOD",
                "product": {"name": "Linen shirt", "variant_name": "M"},
            }
        ],
        "reviews": [
            {"line_item_id": "retl_1", "status": "APPROVED", "review_date": "2026-11-22T10:30:00Z", "user": "Ines"},
            {"line_item_id": "retl_1", "status": "DECLINED", "reject_reason": "worn by Olga"},
        ],
        "compensation": {
            "refunds": [
                {
                    "amount": "19.90",
                    "currency": "EUR",
                    "type": "ORIGINAL_PAYMENT_METHOD",
                    "refunded_at": "2026-11-23T12:00:01Z",
                    "missing_amount": "5.00",
                }
            ]
        },
        "logistics": [{"carrier": "DHL", "tracking_number": "DHL77", "status": "IN_WAREHOUSE"}],
        **values,
    }
    return ReturnProcess.model_validate(shown)


def step(event: str, at: datetime = NOON, **values: Any) -> AuditRow:
    row = AuditRow(1, "retp_1", at, "process-return", event, "approved", {}, "19.90", "EUR", "i1", "", "")
    return replace(row, **values)


def known(history: History | None = None, **values: Any) -> Known:
    return Known("retp_1", "acme", "#1001", history=history, **values)


def lines(history: History | None = None, **values: Any) -> list[str]:
    return story_lines(tell(known(history, **values)))


def test_the_whole_story_is_told_in_the_stores_time_and_plain_words() -> None:
    steps = (
        step("decided", intent_id="", evidence={"decision": "refund", "why": "2 units of retl_1 are approved"}),
        step("intended", evidence={"units": {"retl_1": [1, 2]}}),
        step("sent", evidence={"attempt": 2, "snapshot": {}}),
        step("done", NOON + timedelta(seconds=2), evidence={"answer": "REVER confirmed the refund", "by": "x"}),
    )
    history = History(record(), (intent(IntentState.DONE),), audit=steps)
    story = tell(known(history, process=process(), zone=MADRID))
    assert story_lines(story)[:15] == [
        "Return of order #1001, store acme",
        "  return     retp_1",
        "  at REVER   running, review required; begun 2026-11-20 09:00 CET",
        "             2 units of Linen shirt, M: 39.80 EUR, to be compensated by original payment method",
        "             inspected: 1 approved, 1 declined",
        "             parcel DHL DHL77: in warehouse",
        "             refunded 19.90 EUR by original payment method, 5.00 EUR of it on its way",
        "  decided    wait: 1 of 3 units is reviewed.",
        "             by the rule 'review'; looked at 2026-11-23 13:00 CET",
        "  sent       refund of 19.90 EUR by original payment for 2 units of Linen shirt, M: done 2026-11-23 13:00 CET",
        "               why: 2 units are approved, less costs of 5.00 EUR. (rule 'approved')",
        "               evidence: status: 200",
        "  waits for  this to change: 1 of 3 units is reviewed.",
        "  next look  by the next run; it is due by 2026-11-23 13:10 CET",
        "  happened   2026-11-20 09:00 CET  REVER: the shopper started the return",
    ]
    refund = "the refund of 19.90 EUR by original payment for 2 units of Linen shirt, M"
    assert [(f"{it.at.astimezone(MADRID):%d %H:%M:%S}", it.who, it.what) for it in story.timeline[1:]] == [
        ("22 11:30:00", "REVER", "the warehouse's inspection of 1 unit of Linen shirt, M: approved"),
        (
            "23 13:00:00",
            "process-return",
            "decided: refund: 2 units of Linen shirt, M are approved (rule 'approved')",
        ),
        ("23 13:00:00", "process-return", f"prepared {refund}"),
        ("23 13:00:00", "process-return", f"sent to REVER: {refund} (attempt 2)"),
        ("23 13:00:01", "REVER", "a refund of 19.90 EUR by original payment method was made"),
        ("23 13:00:02", "process-return", f"done: {refund}; REVER confirmed the refund"),
    ]


def test_no_shopper_is_in_it_and_revers_own_words_are_on_no_page() -> None:
    words = (KeptWords("i1", NOON, "Olga Ortiz asks to wait"), KeptWords("i1", NOON, "", forgotten=True))
    story = tell(known(History(record(), (intent(IntentState.REFUSED),), words=words), process=process()))
    text, page = "\n".join(story_lines(story)), story_page(story)
    assert "Olga Ortiz asks to wait" in text
    assert "(removed on request)" in text
    for said in (page, text.replace("Olga Ortiz asks to wait", ""), repr(story)):
        assert not [name for name in ("Olga", "Ortiz", "example.com", "Ines") if name in said]


def test_the_page_says_what_the_terminal_says() -> None:
    held = PastHold(HOLD, "open")
    story = tell(known(History(record(), holds=(held,), audit=(step("held", intent_id=""),)), process=process()))
    page = story_page(story)
    assert page.startswith("### Return of order #1001, store acme\n")
    for part in ("39.80 EUR", "On hold for a person", "`drop`: never pay it", "`hold_1`"):
        assert part in page
    assert "| 2026-11-23 12:00 UTC | process-return | held for a person |" in page
    assert "#### Waits for\n\n- a person's answer" in page


def test_the_merchants_rules_stand_in_it_with_their_conditions_below_them() -> None:
    rules = ("rule '<b>': matches", "  all: yes", "    held is true: yes, found true")
    story = tell(known(process=process(), rules=rules))
    told = story_lines(story)
    assert f"  rules      {rules[0]}" in told
    assert f"{' ' * 13}{rules[2]}" in told
    page = story_page(story)
    assert (
        "#### What the merchant's rules say now\n\n- rule '\\<b\\>': matches\n  - all: yes\n    - held is true" in page
    )
    assert story_json(story)["rules"] == [*rules]


def test_costs_are_not_said_to_be_taken_off_where_the_merchants_rules_may_say_another_fee() -> None:
    costly = process(return_costs=Decimal("4.00"))
    assert "costs of the return: 4.00, taken off its refunds" in tell(known(process=costly)).at_rever
    ruled = tell(known(process=costly, rules=("line a, fee: fee (percent 15 %) by 'opened'",))).at_rever
    assert "costs of the return: 4.00, taken off the refunds of lines whose fee no rule says" in ruled


def test_a_return_that_no_run_has_looked_at_is_told_by_what_rever_shows() -> None:
    told = lines(process=process())
    assert "  decided    nothing yet: no run with mode act has looked at it" in told
    assert "  next look  by the next run that acts" in told
    assert "  at REVER   REVER could not be asked" in lines(problem="REVER could not be asked")


def test_an_unknown_outcome_is_told_as_never_sent_again() -> None:
    soon = NOON + timedelta(minutes=1)
    told = lines(History(record(), (intent(IntentState.UNKNOWN, soon),)))
    assert any("outcome unknown; never sent again automatically" in line for line in told)
    assert "  waits for  the outcome at REVER" in told
    assert "  next look  by the next run; it is due by 2026-11-23 12:01 UTC" in told


def test_an_open_hold_is_told_with_its_answers_and_a_past_one_in_what_happened() -> None:
    answered = step("answered", intent_id="", actor="kim", evidence={"answer": "retry", "why": "agreed", "by": "kim"})
    past = PastHold(HOLD, "answered", "retry", "kim", NOON)
    told = lines(History(record(decision="hold"), (), (past, PastHold(HOLD, "open")), (answered,)))
    assert sum("on hold" in line for line in told) == 1
    asks = "19.90 EUR is more than the cap of 10.00 EUR."
    assert f"  on hold    {asks} (since 2026-11-23 12:00 UTC, rule 'guard:max_refund', 19.90 EUR)" in told
    assert "             answer drop: never pay it" in told
    assert any("answer-hold hold_id=hold_1 version=2 answer=ANSWER" in line for line in told)
    assert "  waits for  a person's answer" in told
    assert told[-1] == "  happened   2026-11-23 12:00 UTC  kim: answered retry (reason: agreed)"


@pytest.mark.parametrize("label", [False, True])
def test_on_hold_and_at_its_end_are_never_told_together(*, label: bool) -> None:
    text = "\n".join(lines(History(record(final=True), (), (PastHold(replace(HOLD, label=label), "open"),))))
    assert "on hold" in text
    assert "a person's answer" in text
    assert "at its end" not in text


def test_a_return_at_its_end_waits_for_nothing() -> None:
    assert "  waits for  nothing, it is at its end" in lines(History(record(final=True)))


@pytest.mark.parametrize("state", list(IntentState))
def test_every_state_has_its_words(state: IntentState) -> None:
    assert any("refund of 19.90 EUR" in line for line in lines(History(record(), (intent(state),))))


def test_no_look_is_promised_that_no_run_has_come_by_for() -> None:
    told = lines(History(record()), now=NOON + timedelta(hours=2))
    assert "  next look  by the next run; it is due since 2026-11-23 12:10 UTC, and no run has come by" in told


def test_what_keeps_effects_from_going_is_told_unless_the_return_is_at_its_end() -> None:
    assert "  but        Store acme is paused" in lines(History(record()), stops=("Store acme is paused",))
    assert "paused" not in "\n".join(lines(History(record(final=True)), stops=("Store acme is paused",)))


def test_what_kept_an_effect_back_is_told_as_it_is_now_and_not_as_the_last_look_found_it() -> None:
    stopped = "all effects are stopped by olga: audit"
    waiting = History(replace(record(), rule="store_stopped", why=stopped))
    nobody_looked, over, paused = lines(waiting), lines(waiting, kept_back=""), lines(waiting, kept_back="it is paused")
    assert f"  waits for  this to change: {stopped}" in nobody_looked
    assert f"  decided    wait: {stopped} (that is over)" in over
    assert "  waits for  the next run that acts" in over
    assert "  waits for  this to change: it is paused" in paused
    assert "that is over" not in "".join([*nobody_looked, *paused])


@pytest.mark.parametrize(
    ("rule", "why", "waits_for"),
    [
        ("wait_goods", "waiting for the shopper to bring the goods", "the shopper to bring the goods"),
        ("wait_parcel", "the goods are on their way", "this to change: the goods are on their way"),
        ("run_limit", "9.00 EUR is due, but this run may pay only 3.00 EUR more", "the next run that acts"),
        ("left_to_next_run", "1 unit approved; the next run that acts does it", "the next run that acts"),
    ],
)
def test_what_a_return_waits_for_is_said_so_that_it_can_be_read(rule: str, why: str, waits_for: str) -> None:
    assert f"  waits for  {waits_for}" in lines(History(replace(record(), rule=rule, why=why)))


def test_an_unknown_outcome_that_was_looked_for_and_is_held_waits_for_a_person_and_not_for_a_run() -> None:
    sent = intent(IntentState.UNKNOWN, look_at=NOON - timedelta(minutes=1))
    asked = History(replace(record(), next_look_at=None), (sent,), (PastHold(HOLD, "open"),))
    told = lines(asked, now=NOON + timedelta(minutes=5))
    assert "  waits for  a person's answer, or the outcome at REVER" in told
    assert "  next look  by the next run" in told
    nobody = lines(replace(asked, record=replace(asked.record, looked_at=None)), now=NOON + timedelta(minutes=5))
    assert any("no run has come by" in line for line in nobody)


def test_what_is_paid_in_parts_says_what_is_on_its_way() -> None:
    paid = replace(intent(IntentState.DONE).intent, paid_seen=PaidSeen(Decimal("5.00"), Decimal("19.90"), NOON))
    told = "\n".join(lines(History(record(), (replace(intent(IntentState.DONE), intent=paid),))))
    assert "paid 5.00 EUR, 14.90 EUR on its way at REVER, 19.90 EUR was paid before" in told


NASTY = "\x1b]0;paid\x07\r\n  decided: paid\u202e"


def test_no_name_from_outside_moves_the_cursor_or_begins_a_line() -> None:
    bad = replace(HOLD, process_id=NASTY, store=NASTY, order_name=NASTY, why=NASTY, evidence={"x": NASTY})
    history = History(replace(record(), order_name=NASTY, why=NASTY), (), (PastHold(bad, "open"),))
    story = tell(Known(NASTY, NASTY, NASTY, history=history, stops=(NASTY,)))
    for line in story_lines(story):
        assert line.isprintable()
        assert line.strip() != "decided: paid"
    assert "\\x1b]0;paid\\x07\\r\\n  decided: paid\\u202e" in "\n".join(story_lines(story))


def test_no_name_from_outside_acts_as_markdown() -> None:
    nasty = "![x](https://evil.example) <b>paid</b> | # paid"
    bad = replace(HOLD, why=nasty, evidence={"x": nasty}, answers={"drop": nasty})
    history = History(
        replace(record(), why=nasty), (), (PastHold(bad, "open"),), (step("held", evidence={"why": nasty}),)
    )
    page = story_page(tell(Known("retp_1", nasty, nasty, process=process(order_name=nasty), history=history)))
    assert "![x]" not in page
    assert "<b>" not in page
    assert "https://evil" not in page


def test_the_parcels_are_in_the_timeline_when_they_were_seen_and_without_their_numbers() -> None:
    changes = (
        ParcelChange(1, 1, "", "COLLECTED", NOON, tracking="TRK1", carrier="DHL"),
        ParcelChange(1, 2, "COLLECTED", "CREATED", NOON + timedelta(hours=1), tracking="TRK1", carrier="DHL"),
    )
    told = [line for line in story_lines(tell(Known("retp_1", "acme", parcels=changes))) if "seen at REVER" in line]
    assert [line.partition("seen at REVER: ")[2] for line in told] == [
        "parcel 1 (DHL) is collected",
        "parcel 1 (DHL) is created, was collected; it went back",
    ]
    assert "TRK1" not in "".join(told)
