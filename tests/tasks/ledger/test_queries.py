"""What people and reports read."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from tasks.ledger import (
    Answer,
    done_between,
    ended,
    expire,
    forget_email,
    history,
    open_holds,
    open_intents,
    opened_by,
    refunded_returns,
    returns_of,
    returns_of_order,
    runs_began,
    stop_switch,
    switch,
    took_on,
    touch,
    unfinished,
)
from tasks.policy.decision import Compensate, Nothing, Wait
from tests.tasks.ledger.desk import APPROVAL, FLOW, NOON, LedgerDesk, always, pay, refund, request


def test_nothing_is_known_of_a_return_never_seen(desk: LedgerDesk) -> None:
    assert desk.ledger.read(history, "nobody") is None


def test_the_history_tells_every_step(desk: LedgerDesk) -> None:
    claim = desk.held()
    desk.answer(Answer.DROP)
    told = desk.history()
    assert [row.event for row in told.audit] == ["decided", "intended", "sent", "unknown", "held", "answered"]
    assert {row.flow_run_id for row in told.audit} == {"run-1", "run-2"}
    assert all(row.at == NOON and row.intent_id in {"", claim.intent.id} for row in told.audit)
    assert [row.amount for row in told.audit[1:]] == ["10.00"] * 5
    (hold,) = told.holds
    assert (hold.state, hold.answer, hold.answered_by) == ("answered", "drop", "olga")


def test_a_run_opened_the_holds_that_its_audit_says_and_that_are_open(desk: LedgerDesk) -> None:
    desk.held()
    (hold,) = desk.ledger.read(open_holds)
    opened = {run: [row.hold_id for row in desk.ledger.read(opened_by, run)] for run in ("run-1", "run-2", "")}
    (run,) = (run for run, found in opened.items() if found)
    assert opened[run] == [hold.hold_id]
    desk.answer(Answer.DROP)
    assert desk.ledger.read(opened_by, run) == []


def test_unfinished_are_those_not_at_their_end_and_without_an_open_effect(desk: LedgerDesk) -> None:
    desk.one("p1", always(Nothing("all_settled", "done", final=True)))
    desk.claim("p2")
    desk.one("p3", always(APPROVAL))
    desk.one("p4", always(Nothing("not_yet", "nothing is due yet")), store="other")
    found = desk.ledger.read(unfinished)
    assert [(row.process_id, row.held) for row in found] == [("p3", True), ("p4", False)]
    assert found[0].next_look_at == NOON + timedelta(minutes=10)
    assert [row.process_id for row in desk.ledger.read(unfinished, ["other"])] == ["p4"]


def test_open_intents_are_found_by_store_and_return(desk: LedgerDesk) -> None:
    first = desk.sent("p1")
    desk.claim("p2", store="other")
    desk.done(desk.sent("p3"))
    both = desk.ledger.read(open_intents)
    assert [(row.process_id, row.store) for row in both] == [("p1", "acme"), ("p2", "other")]
    assert both[0].token == first.token
    assert first.token not in repr(both)
    assert both[0].deadline == NOON + timedelta(seconds=15)
    assert [row.process_id for row in desk.ledger.read(open_intents, stores=["other"])] == ["p2"]
    assert [row.process_id for row in desk.ledger.read(open_intents, process_ids=["p1", "p3"])] == ["p1"]
    assert desk.ledger.read(open_intents, stores=[]) == []


def test_expiry_keeps_to_its_stores(desk: LedgerDesk) -> None:
    desk.sent("p1")
    other = desk.claim("p2", store="other")
    desk.clock.forward(hours=1)
    done = desk.ledger.write(expire, now=desk.clock(), actor=FLOW, stores=["other"])
    assert (done.unknown, done.withdrawn) == ((), (other.intent.id,))
    assert desk.state("p1") == "sent"


def test_an_open_intent_says_when_it_is_looked_at_next(desk: LedgerDesk) -> None:
    claim = desk.sent()
    later = NOON + timedelta(hours=2)
    desk.ledger.write(touch, claim.intent.id, later)
    assert desk.intent().look_at == later
    desk.done(claim)
    desk.ledger.write(touch, claim.intent.id, later)
    assert desk.intent().look_at is None


def test_what_was_done_in_a_time_is_listed_for_reconciling(desk: LedgerDesk) -> None:
    desk.done(desk.sent("p1"))
    desk.refused(desk.sent("p2"))
    desk.clock.forward(hours=1)
    desk.held("p3", store="other")
    desk.answer(Answer.DONE_BY_HAND)
    day = timedelta(days=1)
    both = desk.ledger.read(done_between, NOON, NOON + day)
    assert [row.process_id for row in both] == ["p1", "p3"]
    assert [row.process_id for row in desk.ledger.read(done_between, NOON, NOON + timedelta(hours=1))] == ["p1"]
    assert [row.process_id for row in desk.ledger.read(done_between, NOON, NOON + day, ["other"])] == ["p3"]


def test_the_returns_of_an_order_are_found_however_its_number_is_written(desk: LedgerDesk) -> None:
    for process_id in ("P1", "P10", "P2"):
        desk.claim(process_id)
    for name in ("#P1", "#p1"):
        assert [row.process_id for row in desk.ledger.read(returns_of_order, ["nothing", name])] == ["P1"]
    assert desk.ledger.read(returns_of_order, ["P1%", "_P1"]) == []
    assert [row.process_id for row in desk.ledger.read(returns_of, ["P2", "nobody", "P1"])] == ["P1", "P2"]


def test_holds_are_listed_by_store(desk: LedgerDesk) -> None:
    desk.one("p1", always(APPROVAL))
    desk.one("p2", always(APPROVAL), store="other")
    assert [row.process_id for row in desk.ledger.read(open_holds)] == ["p1", "p2"]
    assert [row.process_id for row in desk.ledger.read(open_holds, ["other"])] == ["p2"]


def test_the_switch_says_who_threw_it(desk: LedgerDesk) -> None:
    assert not desk.ledger.read(switch).stopped
    desk.ledger.write(stop_switch, on=True, by="olga", why="prices", now=NOON)
    found = desk.ledger.read(switch)
    assert (found.stopped, found.by, found.why, found.since) == (True, "olga", "prices", NOON)


def test_amounts_keep_their_digits(desk: LedgerDesk) -> None:
    for number, amount in enumerate(("10.00", "0.10", "1000000000000.01", "7")):
        desk.claim(f"p{number}", pay(refund(amount)))
        assert str(desk.intent(f"p{number}").amount) == amount


def test_of_the_runs_that_took_a_return_on_the_one_that_began_last_counts(desk: LedgerDesk) -> None:
    def look(second: int | None) -> None:
        began = None if second is None else NOON + timedelta(seconds=second)
        final = always(Nothing("all_settled", "done", final=True))
        desk.decide(request("p1", final), request("p2", final), actor=replace(FLOW, run_began_at=began))

    look(None)
    assert desk.ledger.read(runs_began, ["p1", "p2"]) == {}
    for second, counts in ((1, 1), (3, 3), (2, 3), (None, 3)):
        look(second)
        assert desk.ledger.read(runs_began, ["p1", "p9"]) == {"p1": NOON + timedelta(seconds=counts)}


def test_a_run_has_not_looked_while_an_effect_is_in_hand(desk: LedgerDesk) -> None:
    by = replace(FLOW, run_began_at=NOON)

    def looked() -> dict[str, datetime]:
        desk.ledger.write(took_on, ["p1", "p9"], began=NOON, now=NOON)
        return desk.ledger.read(runs_began, ["p1", "p9"])

    claim = desk.decide(request("p1"), actor=by)[0].claim
    assert claim is not None
    assert looked() == {}
    desk.decide(request("p1", always(Wait("inspection", "2 units are not inspected", NOON))), actor=by)
    assert looked() == {}, "it is another's by now"
    desk.send(claim)
    assert looked() == {}
    desk.done(claim)
    assert looked() == {"p1": NOON}
    desk.ledger.write(took_on, ["p1"], began=NOON - timedelta(seconds=1), now=NOON)
    assert desk.ledger.read(runs_began, ["p1"]) == {"p1": NOON}, "the run that began last counts"


def test_a_run_that_may_not_do_what_is_due_has_not_looked(desk: LedgerDesk) -> None:
    by = replace(FLOW, run_began_at=NOON)
    desk.ledger.write(stop_switch, on=True, by="olga", why="prices", now=NOON)
    taken = Compensate("r", "w", Decimal(0), (refund(items=()),))
    kept = always(Wait("run_limit", "this run may pay no more", NOON, for_another_run=True))
    desk.decide(request("p1"), request("p3", kept), request("p4", always(APPROVAL)), actor=by)
    desk.ledger.write(stop_switch, on=False, by="olga", why="over", now=NOON)
    lost = desk.decide(request("p2", always(taken)), actor=by)[0]
    assert lost.decision.rule == "lost_claim"
    assert desk.ledger.read(runs_began, ["p1", "p2", "p3", "p4"]) == {"p4": NOON}


def test_a_return_at_its_end_is_looked_at_again_though_a_clock_ahead_has_looked(desk: LedgerDesk) -> None:
    desk.done(desk.sent("p1"))

    def due() -> list[str]:
        now, day = desk.clock(), timedelta(days=1)
        return desk.ledger.read(ended, ["acme"], since=now - 9 * day, looked_before=now - day, now=now, most=9)

    desk.clock.forward(days=400)
    desk.one("p1", rule=pay())
    assert due() == []
    desk.clock.forward(days=-400)
    assert due() == ["p1"]


def test_the_returns_that_were_refunded_to_a_shopper_are_found_by_the_e_mail_until_it_is_forgotten(
    desk: LedgerDesk,
) -> None:
    desk.done(desk.sent("p1", email="Ann+shop@example.test"))
    desk.unknown(desk.sent("p2", email="ann@example.test", store="other"))
    desk.refused(desk.sent("p3", email="ann@example.test"))
    desk.claim("p4", email="ann@example.test")
    desk.done(desk.sent("p5", email="eve@example.test"))
    emails = ["ann@example.test", "eve@example.test", "never@example.test", ""]
    ann = {"p1": desk.history("p1").record.store, "p2": "other"}
    found = desk.ledger.read(refunded_returns, emails)
    assert (found[emails[0]], list(found[emails[1]]), found[emails[2]], found[emails[3]]) == (ann, ["p5"], {}, {})
    desk.ledger.write(forget_email, "ann@example.test", now=NOON, actor=FLOW)
    assert desk.ledger.read(refunded_returns, emails[:1]) == {emails[0]: {}}
