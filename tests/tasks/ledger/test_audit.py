"""What each step leaves behind, whole: its row in the audit, and how the intent stands after it."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from tasks.ledger import Answer, AuditRow, Claim, expire, put_back, settle_done, settle_hold
from tasks.ledger.audit import Head, link
from tests.tasks.ledger.desk import FLOW, LEASE, NOON, LedgerDesk

SETTLE = NOON + timedelta(minutes=15)
BY_ANSWER = {"answer": "200", "by": "REVER's answer"}
BY_SIGHT = {"refunds": "1", "by": "evidence at REVER"}
LATE = {"why": "no outcome was recorded before its deadline"}
OVER = {"why": "its lease was over before it was sent"}
SENT = {"attempt": 1, "snapshot": {"refunds": 7, "ledger_knew": 0}}
GIVEN_UP = {"why": "no longer due"}
REFUSED = {"why": "not now", "code": "9"}

Step = Callable[[LedgerDesk], object]
Before = Callable[[LedgerDesk], Claim]


def returned(desk: LedgerDesk) -> object:
    return desk.ledger.write(put_back, desk.sent(), why="never left", now=desk.clock(), actor=FLOW)


def expired(desk: LedgerDesk, *, sent: bool = True) -> Claim:
    claim = desk.sent() if sent else desk.claim()
    desk.clock.forward(hours=1)
    desk.ledger.write(expire, now=desk.clock(), actor=FLOW)
    return claim


def seen(desk: LedgerDesk) -> Claim:
    claim = desk.sent()
    desk.clock.forward(seconds=9)
    desk.ledger.write(settle_done, claim.intent.id, evidence={"refunds": "1"}, now=desk.clock(), actor=FLOW)
    return claim


def late(desk: LedgerDesk) -> object:
    claim = expired(desk)
    desk.clock.forward(seconds=5)
    return desk.done(claim)


def dropped(desk: LedgerDesk) -> Claim:
    claim = desk.held()
    desk.answer(Answer.DROP)
    return claim


@pytest.mark.parametrize(
    ("step", "event", "told", "state", "kept", "look_at"),
    [
        (lambda d: d.send(d.claim(), refunds=7), "sent", SENT, "sent", {}, NOON + timedelta(seconds=15)),
        (returned, "put_back", {"why": "never left", "attempt": 1}, "intended", {}, NOON + LEASE),
        (lambda d: d.withdraw(d.sent()), "withdrawn", GIVEN_UP, "withdrawn", GIVEN_UP, None),
        (lambda d: d.refused(d.sent()), "refused", REFUSED, "refused", REFUSED, None),
        (
            lambda d: d.unknown(d.sent()),
            "unknown",
            {"why": "no answer", "attempt": 1},
            "unknown",
            {"why": "no answer"},
            SETTLE,
        ),
        (lambda d: d.done(d.sent()), "done", BY_ANSWER, "done", BY_ANSWER, None),
        (seen, "done", BY_SIGHT, "done", BY_SIGHT, None),
        (expired, "unknown", LATE, "unknown", LATE, SETTLE),
        (lambda d: expired(d, sent=False), "withdrawn", OVER, "withdrawn", OVER, None),
        (late, "done", {**BY_ANSWER, "late": "yes"}, "done", BY_ANSWER, None),
    ],
)
def test_a_step_is_written_down_and_ends_or_reschedules_its_intent(
    desk: LedgerDesk,
    step: Step,
    event: str,
    told: dict[str, object],
    state: str,
    kept: dict[str, object],
    look_at: object,
) -> None:
    step(desk)
    found, (row,) = desk.history().audit[-1], desk.history().intents
    assert found == about(desk, event, told)
    ended = desk.clock() if look_at is None else None
    assert (row.intent.state, row.evidence, row.closed_at, row.intent.look_at) == (state, kept, ended, look_at)


@pytest.mark.parametrize(
    ("before", "answer", "event", "told"),
    [
        (seen, "done", "late_answer", BY_ANSWER),
        (dropped, "refused", "late_refusal", {"why": "not now", "state": "dropped"}),
        (dropped, "unknown", "late_unknown", {"why": "no answer", "state": "dropped"}),
    ],
)
def test_what_comes_too_late_changes_nothing_and_is_kept(
    desk: LedgerDesk, before: Before, answer: str, event: str, told: dict[str, object]
) -> None:
    claim = before(desk)
    ended = desk.history().intents
    getattr(desk, answer)(claim)
    assert desk.history().intents == ended
    assert desk.history().audit[-1] == about(desk, event, told)


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ("done", "REVER's answer came late: it is done"),
        ("refused", "REVER refused it: not now"),
        ("withdraw", "it certainly did nothing: no longer due"),
        ("put_back", "it certainly did nothing: never left"),
        ("settle", "it was seen at REVER"),
    ],
)
def test_a_question_that_answers_itself_is_closed_and_says_why(desk: LedgerDesk, step: str, why: str) -> None:
    claim, now = desk.held(), desk.clock.forward(minutes=1)
    if step == "put_back":
        desk.ledger.write(put_back, claim, why="never left", now=now, actor=FLOW)
    elif step == "settle":
        desk.ledger.write(settle_done, claim.intent.id, evidence={}, now=now, actor=FLOW)
    else:
        getattr(desk, step)(claim)
    (past,) = desk.history().holds
    assert (past.state, past.closed_why, past.answered_at) == ("closed", why, now)
    found = [row for row in desk.history().audit if row.event == "hold_closed"]
    assert found == [replace(about(desk, "hold_closed", {"why": why}, past.hold.hold_id), id=found[0].id)]


def test_a_question_is_told_with_what_was_seen(desk: LedgerDesk) -> None:
    hold_id = desk.ask(desk.held())
    (hold,) = desk.holds()
    assert (hold.hold_id, hold.why, hold.evidence) == (hold_id, "not seen", {"refunds": "0"})
    assert desk.history().audit[-1] == about(desk, "held", {"why": "not seen", "refunds": "0"}, hold_id)


def test_of_an_effect_that_is_not_there_nobody_is_asked(desk: LedgerDesk) -> None:
    assert desk.ledger.write(settle_hold, "nobody", why="", evidence={}, now=NOON, actor=FLOW) == ""


def test_an_effect_that_may_have_been_done_twice_is_asked_about_with_all_that_is_known(desk: LedgerDesk) -> None:
    claim = dropped(desk)
    desk.done(claim)
    (hold,) = desk.holds()
    evidence = {**BY_ANSWER, "state": "dropped", "attempt": "1"}
    assert hold.evidence == evidence
    assert hold.why == "REVER confirmed this refund after the ledger had it as dropped"
    assert desk.history().audit[-1] == about(desk, "held", {"why": hold.why, **evidence}, hold.hold_id)


def about(desk: LedgerDesk, event: str, told: dict[str, object], hold_id: str = "") -> AuditRow:
    """The last row of the audit, were it about this step of the one refund."""
    row, intent = desk.history().audit[-1], desk.intent()
    return AuditRow(
        id=row.id,
        process_id="p1",
        at=desk.clock(),
        actor=FLOW.name,
        event=event,
        rule="refund_on_verified",
        evidence=told,
        amount="10.00",
        currency="EUR",
        intent_id=intent.id,
        hold_id=hold_id,
        flow_run_id=FLOW.flow_run_id,
    )


# The audit's hashes: what stands in ledgers was hashed just so, and hashed otherwise all of it would seem forged.


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
