"""Seconds, HTTP dates in the forms of RFC 9110, and nonsense."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rever_api.retries import seconds_to_wait
from tests.rever_api.fake_time import START


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Mon, 23 Nov 2026 12:01:30 GMT", 90.0),
        ("Monday, 23-Nov-26 12:01:30 GMT", 90.0),
        ("Mon Nov 23 12:01:30 2026", 90.0),
        ("Mon, 23 Nov 2026 13:01:30 +0100", 90.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", None),
        ("Mon, 23 Nov 2026 12:00:00 GMT", 0.0),
        ("86400", 86400.0),
        ("86401", None),
        ("Wed, 25 Nov 2026 12:00:00 GMT", None),
        ("9" * 400, None),
        ("-1", None),
        ("9.0", 9.0),
        ("1.5", 2.0),
        ("1.", 1.0),
        (".5", None),
        ("-0.0", None),
        ("+9", None),
        ("nan", None),
        ("\N{FULLWIDTH DIGIT NINE}.0", None),
        ("1e3", None),
        ("inf", None),
        ("²", None),
        ("soon", None),
        ("Mon, 99 Nov 2026 12:00:00 GMT", None),
        ("", None),
        (None, None),
    ],
)
def test_each_form(header: str | None, seconds: float | None) -> None:
    assert seconds_to_wait(header, START) == seconds


@given(st.text(max_size=40) | st.integers().map(str))
@settings(max_examples=200, deadline=None)
def test_nothing_breaks_it(header: str) -> None:
    seconds = seconds_to_wait(header, START)
    assert seconds is None or 0 <= seconds <= 86400
