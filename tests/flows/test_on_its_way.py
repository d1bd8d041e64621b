"""What REVER has accepted and not paid yet, from end to end: counted apart, waited for, held, and never sent again."""

import csv
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from rever_api.models import ProcessStatus
from rever_api.sandbox.state import Options
from tasks.ledger import Answer, HoldRow, RecordRow, history
from tests.world import Start, World, told

DAY = 86_400.0
LATE = Options(pays_out_after=None)


@pytest.fixture
def world(start_world: Start) -> World:
    """A desk in front of a REVER that accepts refunds and pays none until it is told to; one return of one line."""
    return start_world(options=LATE, returns=1, shops=("acme",), scenarios=("approved_one",))


def only(world: World) -> str:
    (process_id,) = world.sandbox.process_ids()
    return process_id


def record(world: World) -> RecordRow:
    known = world.read(history, only(world))
    assert known is not None
    return known.record


def why(world: World) -> str:
    known = world.read(history, only(world))
    assert known is not None
    return told(known)


def act(world: World, action: str, **parameters: str) -> None:
    """Somebody does something at REVER, and it is no news any more."""
    world.sandbox.act(action, only(world), **parameters)
    world.let_pass(120)


def reconcile(world: World, **values: str) -> list[str]:
    return world.run("reconcile", mode="act", **values).notes


def sent(world: World) -> int:
    return sum(effect.by == "api" and effect.operation == "issueRefund" for effect in world.sandbox.books.effects)


def answer(world: World, hold: HoldRow, said: str, **more: str) -> None:
    about = {"hold_id": hold.hold_id, "version": str(hold.version), "answer": said, "by": "olga", "reason": "seen"}
    world.run("answer-hold", mode="act", **about, **more)


def amount(world: World) -> Decimal:
    return world.paid()["EUR"]


def test_what_is_accepted_and_not_paid_is_on_its_way_and_not_paid(world: World) -> None:
    report = world.act()
    due = amount(world)
    assert (report.paid, report.on_its_way) == ({"EUR": Decimal(0)}, {"EUR": due})
    assert report.as_json()["on_its_way"] == {"EUR": str(due)}
    assert any(line.strip() == f"on its way: {due} EUR" for line in report.lines())
    assert f"{due} EUR on its way" in report.sentence()
    assert report.rows[only(world)].outcome.endswith(f"done ({due} EUR on its way)")
    notes = reconcile(world)
    assert any(f"of REVER's 0.00 paid, {due} on its way" in note for note in notes)
    row = record(world)
    assert (row.decision, row.rule, row.final) == ("wait", "on_its_way", False)
    assert row.next_look_at is not None
    assert f"paid 0.00 EUR, {due} EUR on its way" in why(world)
    assert world.holds() == []


def test_it_ends_once_it_is_paid_in_full_and_not_before(world: World) -> None:
    world.act()
    reconcile(world)
    act(world, "pay_out", amount="1.00")
    reconcile(world)
    assert (record(world).rule, record(world).final) == ("on_its_way", False)
    assert "paid 1.00 EUR" in why(world)
    act(world, "pay_out")
    reconcile(world)
    assert (record(world).rule, record(world).final) == ("completed", True)
    assert "on its way at REVER" not in why(world)
    assert (world.holds(), sent(world)) == ([], 1)


def test_after_the_patience_a_person_is_asked_and_nothing_is_sent(world: World) -> None:
    world.act()
    reconcile(world)
    world.let_pass(6.9 * DAY)
    reconcile(world)
    assert world.holds() == []
    world.let_pass(0.2 * DAY)
    reconcile(world)
    (hold,) = world.holds()
    assert (hold.rule, hold.kind, hold.amount) == ("still_on_its_way", "on_its_way", amount(world))
    assert "waits for REVER as long again" in hold.answers[Answer.LOOK_AGAIN]
    answer(world, hold, "retry")
    assert (world.holds(), record(world).rule, sent(world)) == ([], "on_its_way", 1)
    world.let_pass(6.9 * DAY)
    reconcile(world)
    assert world.holds() == []
    world.let_pass(0.2 * DAY)
    reconcile(world)
    (again,) = world.holds()
    assert again.hold_id != hold.hold_id
    answer(world, again, "drop")
    reconcile(world)
    assert (world.holds(), record(world).final, sent(world)) == ([], True, 1)
    assert world.sandbox.audit().violations == ()


def test_the_patience_is_a_setting(start_world: Start) -> None:
    world = start_world(
        {"REVER_ON_ITS_WAY_AFTER": "1"}, options=LATE, returns=1, shops=("acme",), scenarios=("approved_one",)
    )
    world.act()
    world.let_pass(1.1 * DAY)
    reconcile(world)
    (hold,) = world.holds()
    assert "longer than the 1 days" in hold.why


@pytest.mark.parametrize("again", ["come_back", "vanishes", "loses its date", "shrinks", "disappears"])
def test_what_comes_back_after_the_end_is_held_and_not_sent_again(world: World, again: str) -> None:
    world.act()
    act(world, "pay_out")
    reconcile(world)
    assert record(world).final
    world.let_pass(3 * DAY)
    with world.sandbox.sandbox.locked():
        stored = world.sandbox.sandbox.processes[only(world)]
        shown = stored.process.compensation
        assert shown is not None
        assert shown.refunds is not None
        (refund,) = shown.refunds
        now: Any = {
            "come_back": {"missing_amount": refund.amount, "refunded_at": None},
            "vanishes": {"missing_amount": None, "refunded_at": None},
            "loses its date": {"refunded_at": None},
            "shrinks": {"amount": refund.amount - 1},
            "disappears": None,
        }[again]
        left = () if now is None else (refund.model_copy(update=now),)
        world.sandbox.sandbox.change(stored, compensation=shown.model_copy(update={"refunds": left}))
    reconcile(world)
    (hold,) = world.holds()
    gone = again in {"shrinks", "disappears"}
    assert (hold.rule, hold.kind) == (("rever_shows_less", "contradiction") if gone else ("came_back", "came_back"))
    assert not record(world).final
    world.act()
    world.run("process-return", mode="act", process_id=only(world))
    assert sent(world) == 1
    answer(world, hold, "drop")
    reconcile(world)
    assert (world.holds(), sent(world)) == ([], 1)


def test_one_refund_that_is_paid_in_legs_is_no_difference(world: World) -> None:
    world.act()
    act(world, "legs", first="5.00")
    reconcile(world)
    assert (world.holds(), record(world).rule) == ([], "on_its_way")
    act(world, "pay_out", amount="5.00")
    reconcile(world)
    assert "paid 5.00 EUR" in why(world)
    act(world, "pay_out")
    reconcile(world)
    assert (world.holds(), record(world).final, sent(world)) == ([], True, 1)


def test_legs_of_a_refund_whose_answer_was_lost_settle_it(world: World) -> None:
    world.sandbox.set_faults("issueRefund:1:acts_answer_lost")
    world.act()
    assert sent(world) == 1
    act(world, "legs", first="5.00")
    reconcile(world)
    assert (world.holds(), record(world).rule, sent(world)) == ([], "on_its_way", 1)


def test_the_file_for_finance_has_what_is_on_its_way(world: World, tmp_path: Path) -> None:
    world.act()
    reconcile(world, csv=str(tmp_path / "comparison.csv"))
    with (tmp_path / "comparison.csv").open(encoding="utf-8", newline="") as text:
        (row,) = csv.DictReader(text)
    assert (row["rever"], row["on_its_way"]) == (str(amount(world)), str(amount(world)))


@pytest.mark.parametrize("missing", ["-1.00", "1000.00", "0.001"])
def test_an_impossible_missing_amount_is_held_and_not_believed(world: World, missing: str) -> None:
    world.act()
    with world.sandbox.sandbox.locked():
        stored = world.sandbox.sandbox.processes[only(world)]
        shown = stored.process.compensation
        assert shown is not None
        assert shown.refunds is not None
        odd = shown.refunds[0].model_copy(update={"missing_amount": Decimal(missing)})
        world.sandbox.sandbox.change(stored, compensation=shown.model_copy(update={"refunds": (odd,)}))
    world.clock = lambda before=world.clock: before() + timedelta(seconds=120)  # type: ignore[misc]
    reconcile(world)
    (hold,) = world.holds()
    assert hold.rule == "contradictory"
    assert not record(world).final


def test_rever_that_pays_itself_is_adopted_while_its_money_is_on_its_way(start_world: Start) -> None:
    world = start_world(
        {"REVER_REFUNDS_BY": "rever"}, options=LATE, returns=1, shops=("acme",), scenarios=("approved_one",)
    )
    world.sandbox.act("pay", only(world))
    world.let_pass(120)
    reconcile(world)
    assert world.holds() == []
    reconcile(world)
    assert (record(world).rule, record(world).final) == ("on_its_way", False)
    act(world, "pay_out")
    reconcile(world)
    assert (record(world).final, sent(world)) == (True, 0)


@pytest.mark.parametrize("came", [False, True])
def test_the_hold_closes_itself_once_rever_has_paid(world: World, came: bool) -> None:
    world.act()
    if came:
        act(world, "pay_out")
        reconcile(world)
        act(world, "come_back")
    world.let_pass(8 * DAY)
    reconcile(world)
    (hold,) = world.holds()
    assert hold.rule == ("came_back" if came else "still_on_its_way")
    act(world, "pay_out")
    reconcile(world)
    assert (world.holds(), record(world).final, sent(world)) == ([], True, 1)


def test_a_return_that_ended_long_ago_is_looked_at_again_though_rever_shows_no_change(world: World) -> None:
    """A payment failed without a change of `updated_at`: no list shows it, and no run has acted on it lately."""
    world.act()
    act(world, "pay_out")
    reconcile(world)
    assert record(world).final
    before = record(world).looked_at
    act(world, "come_back")
    with world.sandbox.sandbox.locked():
        stored = world.sandbox.sandbox.processes[only(world)]
        stored.process = stored.process.model_copy(update={"updated_at": before})
    world.let_pass(60 * DAY)
    reconcile(world, hours="1")
    (hold,) = world.holds()
    assert hold.rule == "came_back"
    assert sent(world) == 1


def test_a_return_that_ended_is_left_alone_between_two_looks(world: World) -> None:
    world.act()
    act(world, "pay_out")
    reconcile(world)
    world.let_pass(60 * DAY)
    reconcile(world, hours="1")
    looked = record(world).looked_at
    assert record(world).final
    world.let_pass(6 * DAY)
    reconcile(world, hours="1")
    assert record(world).looked_at == looked


@pytest.mark.parametrize("status", [ProcessStatus.CANCELED, ProcessStatus.FAILED])
def test_a_paid_return_that_rever_calls_off_after_its_end_is_asked_about_once(world: World, status: str) -> None:
    world.act()
    act(world, "pay_out")
    reconcile(world)
    assert record(world).final
    with world.sandbox.sandbox.locked():
        stored = world.sandbox.sandbox.processes[only(world)]
        world.sandbox.sandbox.change(stored, rever_process_status=status)
    reconcile(world)
    (hold,) = world.holds()
    assert (hold.rule, hold.amount) == ("reversed", amount(world))
    answer(world, hold, "drop")
    reconcile(world)
    assert (world.holds(), record(world).final, sent(world)) == ([], True, 1)


def test_each_change_of_what_is_paid_is_in_the_audit(world: World) -> None:
    world.act()
    due = amount(world)
    reconcile(world)
    act(world, "pay_out", amount="1.00")
    reconcile(world)
    act(world, "pay_out")
    reconcile(world)
    reconcile(world)
    known = world.read(history, only(world))
    assert known is not None
    steps = [step for step in known.audit if step.event == "paid"]
    assert [(step.amount, step.evidence["before"]) for step in steps] == [("1.00", "0.00"), (str(due), "1.00")]
