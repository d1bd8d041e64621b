"""A file that says of units what REVER does not show: a person is asked, once, until the two agree."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rever_api.models import ReviewStatus
from tests.flows.test_import_inspections import calls, day_rows, returns, sent_file, waiting
from tests.judge import assert_promises_kept
from tests.world import Start, World

RULE = "inspection_contradicts"


@pytest.fixture
def world(start_world: Start, tmp_path: Path) -> World:
    """A desk whose warehouse has rejected all there is."""
    found = waiting(start_world, shops=("acme",))
    sent_file(found, tmp_path, day_rows(found, "Rejected"), "first.csv")
    assert found.holds() == []
    return found


def put_right(world: World) -> None:
    """Somebody approves at REVER what was rejected."""
    with world.sandbox.sandbox.locked():
        for stored in world.sandbox.sandbox.processes.values():
            reviews = [it.model_copy(update={"status": ReviewStatus.APPROVED}) for it in stored.process.reviews or ()]
            changed = {"reviews": tuple(reviews), "updated_at": world.now(), "rever_process_status": "RUNNING"}
            stored.process = stored.process.model_copy(update=changed)


def test_a_person_is_asked_once_a_return_with_both_sides_and_nothing_is_paid(world: World, tmp_path: Path) -> None:
    made = calls(world)
    report = sent_file(world, tmp_path, day_rows(world), "second.csv")
    assert f"0 refused + {len(day_rows(world))} that contradict" in report.headline
    holds = world.holds()
    assert {hold.rule for hold in holds} == {RULE}
    assert {hold.process_id for hold in holds} == {it.rever_process_id for it in returns(world)}
    assert report.outcomes["held"] == len(holds)
    (line, *_) = returns(world)[0].return_line_items
    (hold,) = [hold for hold in holds if hold.process_id == returns(world)[0].rever_process_id]
    assert hold.evidence[f"file, line {line.id}"] == f"{line.quantity} APPROVED"
    assert hold.evidence[f"REVER, line {line.id}"] == f"{line.quantity} DECLINED"
    assert "a warehouse's file and REVER contradict each other" in hold.why
    assert set(hold.answers) == {"take_as_it_is", "done_by_hand", "drop"}
    for name in ("third.csv", "fourth.csv"):
        sent_file(world, tmp_path, day_rows(world), name)
    assert [hold.hold_id for hold in world.holds()] == [hold.hold_id for hold in holds]
    world.act()
    assert (world.paid(), calls(world)) == ({}, made)


def test_a_plan_asks_nobody(world: World, tmp_path: Path) -> None:
    report = sent_file(world, tmp_path, day_rows(world), "second.csv", mode="plan")
    assert "that contradict" in report.headline
    assert report.would_hold.total() == len(returns(world))
    assert world.holds() == []


def by_rever(world: World, folder: Path) -> None:
    put_right(world)
    world.run("reconcile", mode="act")


def by_a_later_file(world: World, folder: Path) -> None:
    sent_file(world, folder, day_rows(world, "Rejected"), "corrected.csv")


@pytest.mark.parametrize(("agree", "paid"), [(by_rever, True), (by_a_later_file, False)])
def test_it_closes_by_itself_once_the_two_agree(
    world: World, tmp_path: Path, agree: Callable[[World, Path], None], paid: bool
) -> None:
    sent_file(world, tmp_path, day_rows(world), "second.csv")
    assert world.holds()
    agree(world, tmp_path)
    assert world.holds() == []
    world.act()
    assert bool(world.paid()) is paid
    assert_promises_kept(world)


def test_what_a_person_has_answered_is_not_asked_again(world: World, tmp_path: Path) -> None:
    sent_file(world, tmp_path, day_rows(world), "second.csv")
    holds = world.holds()
    for hold in holds:
        answer = {"hold_id": hold.hold_id, "version": str(hold.version), "answer": "take_as_it_is", "by": "olga"}
        world.tell("answer-hold", mode="act", **answer)
    assert world.holds() == []
    sent_file(world, tmp_path, day_rows(world), "third.csv")
    assert world.holds() == []
    sent_file(world, tmp_path, day_rows(world, "Gone"), "fourth.csv")  # that is another question
    assert len(world.holds()) == len(holds)


@pytest.mark.parametrize(("answer", "paid"), [("approve", True), ("drop", False)])
def test_what_rever_has_approved_and_the_file_rejects_is_paid_only_where_a_person_says_so(
    start_world: Start, tmp_path: Path, answer: str, paid: bool
) -> None:
    world = waiting(start_world, shops=("acme",))
    sent_file(world, tmp_path, day_rows(world), "first.csv")
    sent_file(world, tmp_path, day_rows(world, "Rejected"), "second.csv")
    world.act()
    assert world.paid() == {}
    for hold in world.holds():
        assert hold.amount
        said = {"hold_id": hold.hold_id, "version": str(hold.version), "answer": answer, "by": "olga"}
        world.tell("answer-hold", mode="act", reason="looked at the goods", **said)
    world.act()
    assert bool(world.paid()) is paid
    assert world.holds() == []
    assert_promises_kept(world)
