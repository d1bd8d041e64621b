"""What a person reads of the ledger: a return's history, and the table and JSON of holds."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from deployments.cli.ledger import history_lines, hold_json, holds_table
from tasks.ledger.types import History, HoldRow, IntentRow, PastHold, RecordRow
from tasks.policy.record import Intent, IntentKind, IntentState, LineUnits

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
UNITS = (LineUnits("retl_1", (1, 2)),)


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


def hold() -> HoldRow:
    return HoldRow(
        hold_id="hold_1",
        version=2,
        process_id="retp_1",
        store="acme",
        order_name="#1001",
        kind="guard",
        rule="guard:max_refund",
        why="19.90 EUR is more than the cap of 10.00 EUR.",
        evidence={"cap": "10.00"},
        since=NOON,
        amount="19.90",
        currency="EUR",
        label=False,
        intent_id="",
        answers={"retry": "pay it all the same, once", "drop": "never pay it"},
    )


def test_a_done_refund_is_told_with_rule_amount_units_and_evidence() -> None:
    lines = "\n".join(history_lines(History(record(), (intent(IntentState.DONE),))))
    assert lines.startswith("retp_1 order #1001 acme\n")
    assert "decided: wait (rule review), looked at 2026-11-23 12:00Z" in lines
    assert "1 of 3 units is reviewed." in lines
    assert "refund 19.90 EUR original_payment: done 2026-11-23 12:00Z (rule approved)" in lines
    assert "retl_1 units 1,2" in lines
    assert "evidence: status=200" in lines
    assert lines.endswith("next:    the next run looks at it; it is due by 2026-11-23 12:10Z")


def test_an_unknown_outcome_is_told_as_never_sent_again() -> None:
    soon = NOON + timedelta(minutes=1)
    lines = history_lines(History(record(), (intent(IntentState.UNKNOWN, soon),)))
    assert any("outcome unknown; never sent again by itself" in line for line in lines)
    next_look = "the next run looks at it; it is due by 2026-11-23 12:01Z"
    assert lines[-1] == f"  next:    waits for the outcome at REVER; {next_look}"


def test_an_open_hold_is_told_with_its_answers_and_a_past_one_with_its_end() -> None:
    past = PastHold(hold(), "answered", "retry", "kim", NOON)
    lines = history_lines(History(record(decision="hold"), (), (past, PastHold(hold(), "open"))))
    assert "  held:    19.90 EUR is more than the cap of 10.00 EUR. -> retry by kim 2026-11-23 12:00Z" in lines
    assert any("on hold: hold_1 version 2" in line for line in lines)
    assert any("answer drop: never pay it" in line for line in lines)
    assert lines[-1].startswith("  next:    waits for a person's answer")


@pytest.mark.parametrize("label", [False, True])
def test_on_hold_and_at_its_end_are_never_told_together(*, label: bool) -> None:
    text = "\n".join(history_lines(History(record(final=True), (), (PastHold(replace(hold(), label=label), "open"),))))
    assert "on hold" in text
    assert "waits for a person's answer" in text
    assert "at its end" not in text


def test_a_return_at_its_end_waits_for_nothing() -> None:
    assert history_lines(History(record(final=True)))[-1] == "  next:    nothing, it is at its end"


@pytest.mark.parametrize("state", list(IntentState))
def test_every_state_has_its_words(state: IntentState) -> None:
    assert any("refund 19.90 EUR" in line for line in history_lines(History(record(), (intent(state),))))


def test_a_hold_as_json_has_the_named_keys_and_keeps_the_amount_exact() -> None:
    found = hold_json(hold())
    assert list(found) == [
        "hold_id",
        "version",
        "process_id",
        "store",
        "kind",
        "why",
        "since",
        "amount",
        "currency",
        "answers",
    ]
    assert found["amount"] == "19.90"
    assert found["since"] == "2026-11-23T12:00:00+00:00"
    assert set(found["answers"]) == {"retry", "drop"}


def test_the_table_of_holds_names_reason_answers_and_how_to_answer() -> None:
    text = holds_table([hold()])
    assert text.splitlines()[0].split() == ["HOLD", "VERSION", "SINCE", "STORE", "RETURN", "AMOUNT", "KIND"]
    assert "19.90 EUR is more than the cap" in text
    assert "    retry: pay it all the same, once\n    drop: never pay it" in text
    assert "run answer-hold" in text
    assert "drop needs reason=" in text
    assert "done_by_hand needs reference=" in text
    assert holds_table([]) == "Nothing waits for a person."


def test_no_look_is_promised_that_no_run_has_come_by_for() -> None:
    lines = history_lines(History(record()), now=NOON + timedelta(hours=2))
    assert lines[-1] == "  next:    the next run looks at it; it is due since 2026-11-23 12:10Z, and no run has come by"


def test_what_keeps_effects_from_going_is_told_unless_the_return_is_at_its_end() -> None:
    assert history_lines(History(record()), ["Store acme is paused"])[-1] == "  but:     Store acme is paused"
    assert "paused" not in "\n".join(history_lines(History(record(final=True)), ["Store acme is paused"]))


NASTY = "\x1b]0;paid\x07\r\n  decided: paid\u202e"


def test_no_name_from_outside_moves_the_cursor_or_begins_a_line() -> None:
    bad = replace(hold(), process_id=NASTY, store=NASTY, order_name=NASTY, why=NASTY, evidence={"x": NASTY})
    known = History(replace(record(), order_name=NASTY, why=NASTY), (), (PastHold(bad, "open"),))
    for text in ("\n".join(history_lines(known, [NASTY])), holds_table([bad])):
        assert text.replace("\n", "").isprintable()
        assert "\\x1b]0;paid\\x07\\r\\n  decided: paid\\u202e" in text
        assert not [line for line in text.split("\n") if line == "  decided: paid"]
