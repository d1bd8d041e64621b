"""What a person reads of the ledger's holds: the table and the JSON."""

from dataclasses import replace

from deployments.cli.ledger import hold_json, holds_table
from tests.samples import HOLD


def test_a_hold_as_json_has_the_named_keys_and_keeps_the_amount_exact() -> None:
    found = hold_json(HOLD)
    assert list(found) == [
        "hold_id",
        "version",
        "process_id",
        "order",
        "store",
        "kind",
        "why",
        "since",
        "amount",
        "currency",
        "answers",
        "forms",
    ]
    assert found["amount"] == "19.90"
    assert found["since"] == "2026-11-23T12:00:00+00:00"
    assert set(found["answers"]) == {"retry", "drop"}


def test_the_table_of_holds_names_reason_answers_and_how_to_answer() -> None:
    text = holds_table([HOLD])
    assert text.splitlines()[0].split() == ["HOLD", "VERSION", "SINCE", "STORE", "ORDER", "AMOUNT", "KIND", "RULE"]
    assert "19.90 EUR is more than the cap" in text
    assert "    retry: pay it all the same, once\n    drop: never pay it" in text
    assert "run answer-hold" in text
    assert "drop also needs reason=" in text
    assert "done_by_hand needs reference=" in text
    assert "http" not in text
    assert holds_table([]) == "Nothing waits for a person."


def test_each_answer_has_its_form_below_it_where_there_is_one() -> None:
    forms = {HOLD.hold_id: {"drop": "https://desk.example/form"}}
    text = holds_table([HOLD], forms, ["https://desk.example/page"])
    assert "    drop: never pay it\n        https://desk.example/form\n" in text
    assert "In Prefect's UI:   https://desk.example/page" in text
    assert hold_json(HOLD, forms[HOLD.hold_id])["forms"] == {"drop": "https://desk.example/form"}


NASTY = "\x1b]0;paid\x07\r\n  decided: paid\u202e"


def test_no_name_from_outside_moves_the_cursor_or_begins_a_line() -> None:
    bad = replace(HOLD, process_id=NASTY, store=NASTY, order_name=NASTY, why=NASTY, evidence={"x": NASTY})
    text = holds_table([bad])
    assert text.replace("\n", "").isprintable()
    assert "\\x1b]0;paid\\x07\\r\\n  decided: paid\\u202e" in text
    assert not [line for line in text.split("\n") if line == "  decided: paid"]
