"""No text from outside moves a terminal's cursor, turns its direction, or becomes a link, an image or HTML."""

import json
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.reporting.printable import (
    code,
    columns,
    json_text,
    markdown,
    message,
    plain_words,
    printable,
    printable_lines,
)
from tasks.reporting.report import Mode, ReturnsReport
from tasks.reporting.report_page import report_page


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("#1001 Señora 漢字 12 €", "#1001 Señora 漢字 12 €"),
        ("\x1b[2J\x1b]0;paid\x07", "\\x1b[2J\\x1b]0;paid\\x07"),
        ("held\rpaid", "held\\rpaid"),
        ("a\nb\tc\x7f\x9b1m\x85", "a\\nb\\tc\\x7f\\x9b1m\\x85"),
        ("\u202e0001#\u2066\u200b\ufeff", "\\u202e0001#\\u2066\\u200b\\ufeff"),
        ("a\u2028b\u2029", "a\\u2028b\\u2029"),
        ("12\xa0EUR\u2003x", "12 EUR x"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_a_terminal_would_act_on_is_shown(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
@settings(max_examples=200, deadline=None)
def test_nothing_else_than_text_is_left(text: str) -> None:
    for made in (printable(text), markdown(text), code(text), message(text), json_text([text])):
        assert made.isprintable()
        assert not [letter for letter in made if unicodedata.category(letter) in {"Cc", "Cf", "Cs"}]
    assert json.loads(json_text([text])) == [text]
    assert printable_lines(text).replace("\n", "").replace("\t", "").isprintable()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[pay](http://evil.example)", "\\[pay\\](http\\://evil.example)"),
        ("![x](y) <img src=x onerror=alert(1)>", "!\\[x\\](y) \\<img src=x onerror=alert(1)\\>"),
        ("a|b `c` *d* _e_ ~f~ \\", "a\\|b \\`c\\` \\*d\\* \\_e\\_ \\~f\\~ \\\\"),
        ("www.evil.example https://evil.example x@evil.example", None),
        ("retp_1 guard:max_refund", "retp_1 guard:max_refund"),
        ("# head", "\\# head"),
        ("- item", "\\- item"),
        ("1. item", "1\\. item"),
        ("-5.00 EUR and 12.00 EUR", "-5.00 EUR and 12.00 EUR"),
        ("#1001", "#1001"),
        ("    indented", "indented"),
        ("&lt;b&gt;", "\\&lt;b\\&gt;"),
        ("a\n# b", "a\\\\n# b"),
    ],
)
def test_markdown_acts_on_none_of_it(text: str, shown: str | None) -> None:
    made = markdown(text)
    if shown is not None:
        assert made == shown
    assert "://" not in made.replace("\\://", "")
    assert not re.search(r"\bwww\.", made)


def test_code_has_no_end_of_its_own() -> None:
    assert code("guard:max_refund \\ ` x") == "`guard:max_refund \\ ' x`"


def test_a_message_has_no_link_mention_or_tag() -> None:
    assert message("<!channel> <http://evil.example|paid> [x](https://y) www.z") == (
        "(!channel) (http: //evil.example|paid) (x)(https: //y) www .z"
    )


def test_revers_spelling_becomes_words_but_not_what_is_unknown_nor_a_setting_nor_a_store() -> None:
    said = "refunds 10.00 EUR by ORIGINAL_PAYMENT_METHOD at ACME_ES; not known here: 'STORE_CREDIT_PLUS' (REVER_LEASE)"
    assert plain_words(said) == (
        "refunds 10.00 EUR by original payment method at ACME_ES; not known here: 'STORE_CREDIT_PLUS' (REVER_LEASE)"
    )
    assert plain_words("DROP_OFF_POINT, GIFT_CARDs") == "drop off point, GIFT_CARDs"


def test_notes_have_them_too_but_not_the_json() -> None:
    report = ReturnsReport(
        "reconcile", mode=Mode.ACT, notes=["paid 4.00 EUR by GIFT_CARD"], headline="by BANK_TRANSFER"
    )
    shown = "\n".join([*report.lines(), report_page(report)])
    assert shown.count("by gift card") == 2
    assert "by bank transfer" in shown
    assert report.as_json()["notes"] == ["paid 4.00 EUR by GIFT_CARD"]


def test_columns_line_up_without_spaces_at_the_end() -> None:
    assert columns([("store", "paid"), ("a", "1,000.00")], left=1) == ["store       paid", "a       1,000.00"]
    assert columns([("a", "b"), ("aa", "")], left=2) == ["a    b", "aa"]
