"""The step to `sent`, and the ways back."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from tasks.ledger import (
    Actor,
    Expired,
    Recorded,
    Sending,
    SendVerdict,
    Sent,
    check,
    expire,
    lift_pause,
    mark_sent,
    open_intents,
    put_back,
    record_unknown,
    release,
    runs_began,
    settle_done,
    stop_switch,
)
from tasks.ledger.schema import audit, intents
from tasks.policy.decision import Adopt, Wait
from tasks.policy.record import IntentState
from tests.tasks.ledger.desk import (
    APPROVAL,
    EXCHANGE,
    FLOW,
    LABEL,
    LEASE,
    LINES,
    NOON,
    STORE,
    LedgerDesk,
    always,
    pay,
    refund,
    request,
    units,
)


def snapshot(desk: LedgerDesk, process_id: str = "p1") -> dict[str, object]:
    (found,) = desk.ledger.read(open_intents, process_ids=[process_id])
    return dict(found.snapshot)


def test_a_claim_is_sent_once(desk: LedgerDesk) -> None:
    claim = desk.claim()
    first, second = desk.send(claim), desk.send(claim)
    assert (first.sending, first.attempt) == (Sending.SENT, 1)
    assert second.sending is Sending.LOST
    assert desk.state() is IntentState.SENT
    assert desk.intent().sent_at == NOON
    assert desk.events() == ["decided", "intended", "sent"]


def test_a_stale_token_sends_nothing(desk: LedgerDesk) -> None:
    claim = desk.claim()
    desk.clock.forward(seconds=61)
    desk.ledger.write(expire, now=desk.clock(), actor=FLOW)
    assert desk.state() is IntentState.WITHDRAWN
    assert desk.ledger.read(lambda conn: conn.execute(select(intents.c.token)).scalar()) != claim.token
    mine = desk.claim()
    assert desk.send(claim).sending is Sending.LOST
    assert desk.send(mine).sending is Sending.SENT


def test_a_lease_that_is_over_does_not_stop_its_owner(desk: LedgerDesk) -> None:
    claim = desk.claim()
    desk.clock.forward(hours=3)
    assert desk.send(claim).sending is Sending.SENT


def test_nothing_is_late_before_its_time_is_over(desk: LedgerDesk) -> None:
    sent, claimed = desk.sent(), desk.claim("p2")
    for seconds, late in (
        (15, ((), ())),
        (1, ((sent.intent.id,), ())),
        (44, ((), ())),
        (1, ((), (claimed.intent.id,))),
    ):
        desk.clock.forward(seconds=seconds)
        found = desk.ledger.write(expire, now=desk.clock(), actor=FLOW)
        assert (found.unknown, found.withdrawn) == late


def test_the_switch_stops_the_step_and_keeps_the_claim(desk: LedgerDesk) -> None:
    claim = desk.claim()
    desk.ledger.write(stop_switch, on=True, by="olga", why="wrong prices", now=NOON)
    verdict = desk.send(claim)
    assert verdict.sending is Sending.STOPPED
    assert "wrong prices" in verdict.why
    assert desk.state() is IntentState.INTENDED
    desk.ledger.write(stop_switch, on=False, by="olga", why="mended", now=NOON)
    assert desk.send(claim).sending is Sending.SENT


def test_what_certainly_did_nothing_is_tried_again_with_a_new_number(desk: LedgerDesk) -> None:
    claim = desk.sent()
    assert desk.ledger.write(put_back, claim, why="refused connection", now=NOON, actor=FLOW) is Recorded.TAKEN
    assert desk.state() is IntentState.INTENDED
    assert desk.send(claim).attempt == 2
    assert desk.done(claim) is Recorded.TAKEN


def test_it_may_be_put_back_although_somebody_saw_it_run_late(desk: LedgerDesk) -> None:
    claim = desk.sent()
    desk.clock.forward(seconds=16)
    desk.ledger.write(expire, now=desk.clock(), actor=FLOW)
    desk.ask(claim)
    assert desk.ledger.write(put_back, claim, why="never left", now=desk.clock(), actor=FLOW) is Recorded.TAKEN
    assert desk.state() is IntentState.INTENDED
    assert desk.holds() == []


def test_only_the_owner_puts_back_or_withdraws(desk: LedgerDesk) -> None:
    old = desk.claim()
    desk.clock.forward(seconds=61)
    desk.ledger.write(expire, now=desk.clock(), actor=FLOW)
    claim = desk.sent()
    assert desk.withdraw(old) is Recorded.NOT_MINE
    assert desk.ledger.write(put_back, old, why="", now=NOON, actor=FLOW) is Recorded.NOT_MINE
    assert desk.state() is IntentState.SENT
    assert desk.withdraw(claim) is Recorded.TAKEN
    assert desk.withdraw(claim) is Recorded.NOT_MINE


def test_a_released_claim_is_the_next_runs(desk: LedgerDesk) -> None:
    claim = desk.claim()
    assert desk.ledger.write(release, claim, now=NOON) is Recorded.TAKEN
    desk.clock.forward(seconds=1)
    assert desk.ledger.write(expire, now=desk.clock(), actor=FLOW).withdrawn == (claim.intent.id,)
    assert desk.claim().token != claim.token


def test_the_snapshot_says_how_many_like_refunds_the_ledger_knew(desk: LedgerDesk) -> None:
    ten, rest = refund(), refund(items=units(2))
    desk.done(desk.sent(rule=pay(ten)))
    desk.sent(rule=pay(ten, rest))
    assert snapshot(desk) == {"ledger_knew": 1, "ledger_paid": "10.00"}
    desk.one("p2", always(Adopt("a", "w", Decimal(0), (refund("9.99", items=units(1, line="l2")),))))
    claim = desk.claim("p2")
    desk.send(claim, refunds=7)
    assert snapshot(desk, "p2") == {"ledger_knew": 0, "ledger_paid": "9.99", "refunds": 7}


def test_the_snapshot_of_a_label_does_not_count_the_cancelled_one(desk: LedgerDesk) -> None:
    desk.done(desk.sent(rule=always(LABEL)))
    desk.sent(rule=always(replace(LABEL, generation=2)))
    assert snapshot(desk) == {"ledger_knew": 0}


def test_the_snapshot_of_a_label_counts_those_of_its_generation(desk: LedgerDesk) -> None:
    desk.done(desk.sent(rule=always(LABEL)))
    claim = desk.claim(rule=always(replace(LABEL, generation=2)))
    desk.send(replace(claim, intent=replace(claim.intent, generation=LABEL.generation)))
    assert snapshot(desk) == {"ledger_knew": 1}


def test_an_exchange_knows_of_exchanges_only(desk: LedgerDesk) -> None:
    desk.done(desk.sent(rule=pay(refund("9.99", items=units(1, line="l2")))))
    desk.done(desk.sent(rule=pay(exchange=EXCHANGE)))
    more = replace(EXCHANGE, items=(replace(EXCHANGE.items[0], line_id="l3", units=(1,)),))
    desk.sent(rule=pay(exchange=more), lines={**LINES, "l3": LINES["l2"]})
    assert snapshot(desk) == {"ledger_knew": 1}


def test_many_are_sent_in_one_commit_each_judged_by_itself(desk: LedgerDesk) -> None:
    claims = [d.claim for d in desk.decide(request("p1"), request("p2"), request("p3")) if d.claim]
    desk.withdraw(claims[1])
    now = desk.clock()
    many = [Sent(c, {"n": i}, now + LEASE, now + timedelta(minutes=15), now, FLOW) for i, c in enumerate(claims)]
    verdicts = desk.ledger.write(mark_sent, many)
    assert [v.sending for v in verdicts] == [Sending.SENT, Sending.LOST, Sending.SENT]
    assert snapshot(desk, "p3") == {"n": 2, "ledger_knew": 0}


def test_of_many_each_knows_of_its_own_return_only(desk: LedgerDesk) -> None:
    desk.done(desk.sent("p1"))
    both = pay(refund(), refund(items=units(2)))
    claims = [found.claim for found in desk.decide(request("p1", both), request("p2")) if found.claim]
    now = desk.clock()
    desk.ledger.write(mark_sent, [Sent(each, {}, now, now, now, FLOW) for each in claims])
    assert [snapshot(desk, each)["ledger_knew"] for each in ("p1", "p2")] == [1, 0]


def test_of_many_after_a_pause_one_tries(desk: LedgerDesk) -> None:
    claims = [desk.claim("p8"), desk.claim("p9")]
    fail(desk, 1, 2, 3, 4, 5)
    now = desk.clock.forward(minutes=1)
    first, second = desk.ledger.write(mark_sent, [Sent(each, {}, now, now, now, FLOW) for each in claims])
    assert first.sending is Sending.SENT
    assert second == SendVerdict(
        Sending.PAUSED, "one effect is tried first, to see whether REVER replies again", now + timedelta(minutes=1)
    )


def fail(desk: LedgerDesk, *numbers: int) -> None:
    for number in numbers:
        desk.unknown(desk.sent(f"p{number}"))


def test_five_unknown_in_a_row_pause_the_store_and_only_it(desk: LedgerDesk) -> None:
    waiting = desk.claim("p9")
    fail(desk, 1, 2, 3, 4)
    assert desk.one("p8").claim is not None
    fail(desk, 5)
    verdict = desk.send(waiting)
    assert (verdict.sending, verdict.until) == (Sending.PAUSED, NOON + timedelta(minutes=1))
    why = "the store is paused: 5 effects in a row had an unknown outcome"
    assert desk.one("p7").decision == Wait("store_paused", why, NOON + timedelta(minutes=1))
    assert desk.one("p6", store="other").claim is not None


def test_an_answer_in_between_begins_the_count_again(desk: LedgerDesk) -> None:
    fail(desk, 1, 2, 3, 4)
    desk.refused(desk.sent("p5"))
    fail(desk, 6, 7, 8, 9)
    assert desk.one("p10").claim is not None


def test_after_the_pause_one_tries_and_its_failure_doubles_the_pause(desk: LedgerDesk) -> None:
    tries = [desk.claim(f"t{n}") for n in range(8)]
    fail(desk, 1, 2, 3, 4, 5)
    for number, minutes in enumerate((1, 2, 4, 8, 16, 30, 30)):
        assert desk.send(tries[number]).until == desk.clock() + timedelta(minutes=minutes)
        desk.clock.forward(minutes=minutes)
        assert desk.send(tries[number]).sending is Sending.SENT
        assert desk.send(tries[number + 1]).sending is Sending.PAUSED
        desk.unknown(tries[number])


@pytest.mark.parametrize("end", ["put_back", "withdraw", "settle", "ours"])
def test_a_trial_that_tells_nothing_makes_room_for_the_next(desk: LedgerDesk, end: str) -> None:
    trial, other = desk.claim("p8"), desk.claim("p9")
    fail(desk, 1, 2, 3, 4, 5)
    now = desk.clock.forward(minutes=1)
    desk.send(trial)
    assert desk.send(other).sending is Sending.PAUSED
    if end == "put_back":
        desk.ledger.write(put_back, trial, why="never left", now=now, actor=FLOW)
    elif end == "settle":
        desk.ledger.write(settle_done, trial.intent.id, evidence={}, now=now, actor=FLOW)
    elif end == "ours":
        desk.ledger.write(record_unknown, trial, why="cancelled", now=now, actor=FLOW, at_rever=False)
    else:
        desk.withdraw(trial)
    assert desk.send(other).sending is Sending.SENT


@pytest.mark.parametrize("late", [False, True])
def test_a_trial_that_is_answered_ends_the_pause(desk: LedgerDesk, late: bool) -> None:
    trial, other = desk.claim("p8"), desk.claim("p9")
    fail(desk, 1, 2, 3, 4, 5)
    desk.clock.forward(minutes=1)
    desk.send(trial)
    if late:
        desk.clock.forward(seconds=16)
        desk.ledger.write(expire, now=desk.clock(), actor=FLOW)
        other = desk.claim("p9")
    desk.done(trial)
    assert desk.send(other).sending is Sending.SENT
    assert desk.one("p7").claim is not None


def test_a_trial_whose_process_died_makes_room_for_the_next(desk: LedgerDesk) -> None:
    trial, other = desk.claim("p8"), desk.claim("p9")
    fail(desk, 1, 2, 3, 4, 5)
    desk.clock.forward(minutes=1)
    desk.send(trial)
    desk.clock.forward(seconds=16)
    desk.ledger.write(expire, now=desk.clock(), actor=FLOW, stores=[STORE])
    assert desk.send(other).sending is Sending.LOST
    assert desk.send(desk.claim("p9")).sending is Sending.SENT


def test_nothing_more_is_claimed_while_a_trial_is_out(desk: LedgerDesk) -> None:
    trial = desk.claim("p8")
    fail(desk, 1, 2, 3, 4, 5)
    desk.clock.forward(minutes=1)
    desk.send(trial)
    decided = desk.one("p9")
    assert decided.claim is None
    assert decided.decision.rule == "store_paused"


def test_those_in_the_air_when_a_pause_begins_do_not_lengthen_it(desk: LedgerDesk) -> None:
    air = [desk.sent(f"p{n}") for n in range(8)]
    for claim in air:
        desk.unknown(claim)
        desk.clock.forward(seconds=10)
    assert desk.one("p9").decision.rule == "store_paused"
    desk.clock.forward(seconds=20)
    assert desk.one("p9").claim is not None


def test_what_the_clock_made_unknown_does_not_pause(desk: LedgerDesk) -> None:
    for number in range(6):
        desk.sent(f"p{number}")
    desk.clock.forward(seconds=16)
    assert len(desk.ledger.write(expire, now=desk.clock(), actor=FLOW).unknown) == 6
    assert desk.one("p9").claim is not None


def test_a_pause_that_a_clock_ahead_left_behind_is_over(desk: LedgerDesk) -> None:
    desk.clock.forward(days=400)
    fail(desk, 1, 2, 3, 4, 5)
    assert desk.one("p7").decision.rule == "store_paused"
    desk.clock.forward(days=-400)
    trial, other = desk.claim("p8"), desk.claim("p9")
    assert desk.send(trial).sending is Sending.SENT
    assert desk.send(other).sending is Sending.PAUSED
    desk.unknown(trial)
    assert desk.send(other).until == desk.clock() + timedelta(minutes=2)


def test_a_pause_is_lifted_by_hand_and_begins_anew_after_five_more(desk: LedgerDesk) -> None:
    waiting = [desk.claim(f"w{n}") for n in range(7)]
    fail(desk, 1, 2, 3, 4, 5)
    assert desk.send(waiting[0]).sending is Sending.PAUSED
    now, olga = desk.clock(), Actor("olga")
    until = desk.ledger.write(lift_pause, STORE, why="REVER is back", now=now, actor=olga)
    assert until == now + timedelta(minutes=1)
    assert desk.ledger.write(lift_pause, STORE, why="again", now=now, actor=olga) is None
    for claim in waiting[:5]:
        assert desk.send(claim).sending is Sending.SENT
        desk.unknown(claim)
    assert desk.send(waiting[5]).sending is Sending.PAUSED
    steps = desk.ledger.read(lambda conn: conn.execute(select(audit).where(audit.c.event == "resumed")).all())
    assert [(row.actor, row.evidence["why"]) for row in steps] == [("olga", "REVER is back")]


def test_what_a_clock_ahead_left_behind_is_due_now(desk: LedgerDesk) -> None:
    desk.clock.forward(days=400)
    sent, claimed = desk.sent("p1"), desk.claim("p2")
    desk.clock.forward(days=-400)
    expired = desk.ledger.write(expire, now=desk.clock(), actor=FLOW)
    assert expired == Expired((sent.intent.id,), (claimed.intent.id,))
    assert desk.one("p2").claim is not None
    assert desk.one("p1").claim is None
    assert desk.state("p1") is IntentState.UNKNOWN


def test_a_check_names_times_that_are_to_come(desk: LedgerDesk) -> None:
    desk.sent("p1")
    assert [found.rule for found in desk.ledger.read(check, now=desk.clock()).findings] == []
    before = desk.clock() - timedelta(days=400)
    found = desk.ledger.read(check, now=before).findings
    assert {each.rule for each in found} == {"ahead"}
    assert any("intents.settle_at is 2026-11-23 12:15 UTC" in each.why for each in found)


def test_a_run_that_began_in_the_future_has_not_looked_yet(desk: LedgerDesk) -> None:
    ahead = replace(FLOW, run_began_at=NOON + timedelta(days=400))
    desk.decide(request("p1", always(APPROVAL)), actor=ahead)
    assert desk.ledger.read(lambda conn: runs_began(conn, ["p1"], now=NOON)) == {}
    desk.decide(request("p1", always(APPROVAL)), actor=replace(FLOW, run_began_at=NOON))
    assert desk.ledger.read(lambda conn: runs_began(conn, ["p1"], now=NOON)) == {"p1": NOON}
