"""The audit's hashes: what stands in ledgers was hashed just so, and hashed otherwise all of it would seem forged."""

import hashlib
import json
import time
from datetime import timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from tasks.ledger.audit import Head, link
from tests.tasks.ledger.desk import NOON

ROW: dict[str, Any] = {
    "process_id": "p1",
    "at": NOON,
    "actor": "olga",
    "event": "answered",
    "rule": "not_received",
    "evidence": {"units": {"l1": [1, 2]}, "by": "olga", "n": 1},
    "amount": Decimal("1E+1"),
    "currency": "EUR",
    "intent_id": "i1",
    "hold_id": "h1",
    "flow_run_id": "run-1",
}
TOLD = (
    '["before", "2026-11-23T12:00:00+00:00", "10", {"by": "olga", "n": 1, "units": {"l1": [1, 2]}}, '
    '"p1", "olga", "answered", "not_received", "EUR", "i1", "h1", "run-1"]'
)


def test_a_row_is_hashed_as_it_always_was() -> None:
    assert link("before", ROW) == hashlib.sha256(TOLD.encode()).hexdigest()
    assert link("before", ROW) == "28f31651ff6018562a4092d3a869f8a845c971858edb53190356560d98eb06df"
    nothing = json.dumps([None if each == "10" else each for each in json.loads(TOLD)])
    assert link("before", {**ROW, "amount": None}) == hashlib.sha256(nothing.encode()).hexdigest()


@pytest.mark.parametrize(
    "same",
    [
        {"at": NOON.astimezone(timezone(timedelta(hours=5)))},
        {"evidence": {"n": 1, "by": "olga", "units": {"l1": (1, 2)}}},
        {"amount": Decimal("10")},
    ],
)
def test_a_row_has_its_hash_however_it_is_read_again(same: dict[str, Any]) -> None:
    assert link("before", {**ROW, **same}) == link("before", ROW)


def test_what_json_does_not_know_is_hashed_as_its_text() -> None:
    written = {**ROW, "evidence": {"amount": Decimal("1.50"), 7: NOON.date()}}
    read = {**ROW, "evidence": {"7": "2026-11-23", "amount": "1.50"}}
    assert link("", written) == link("", read)


def test_each_row_counts_and_rests_on_the_one_before() -> None:
    head = Head()
    first, second = head.link(ROW), head.link(ROW)
    assert (first, second) == (link("", ROW), link(link("", ROW), ROW))
    assert head == Head(2, second)


def test_a_row_has_its_hash_wherever_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    before = link("before", ROW)
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    try:
        assert link("before", ROW) == before
    finally:
        monkeypatch.undo()
        time.tzset()
