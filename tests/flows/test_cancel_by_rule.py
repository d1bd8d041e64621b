"""Whole runs whose rules call returns off: once, by what REVER shows right before, and never paid after that."""

from pathlib import Path

import pytest

from rever_api.models import ProcessStatus, ReturnProcess
from tasks.crash_points import CrashPoint
from tasks.ledger import check, open_intents
from tests.books import LedgerState
from tests.judge import assert_promises_kept
from tests.world import Start, World

RULES = """\
default:
  rules:
  - name: not sent
    when: {scanned: {is: false}, days_since_start: {over: 30}}
    then: {cancel: {why: not sent within 30 days}}
"""
"""R28 of docs/policies."""


@pytest.fixture
def world(start_world: Start, tmp_path: Path) -> World:
    """A return whose label is there, which has 29 days left, or is older than that by then."""
    (tmp_path / "policy.yaml").write_text(RULES)
    world = start_world({"REVER_POLICY": str(tmp_path / "policy.yaml")}, shops=("acme",), returns=34)
    world.keep_only(("label_ready",))
    world.act()
    assert cancelled(world) == []
    world.pass_time(40 * 86_400)
    return world


def cancelled(world: World) -> list[str]:
    """The returns that were called off through the API."""
    return [effect.process_id for effect in world.sandbox.books if effect.operation == "cancelReturnProcess"]


def one(world: World) -> ReturnProcess:
    (stored,) = world.sandbox.sandbox.processes.values()
    return stored.process


def test_it_is_called_off_once_and_then_at_its_end(world: World) -> None:
    plan = world.run("process-pending-returns", mode="plan")
    assert (plan.decisions["cancel"], cancelled(world)) == (1, [])
    reports = [world.act() for _ in range(3)]
    assert cancelled(world) == [one(world).rever_process_id]
    assert [report.outcomes["done"] for report in reports] == [1, 0, 0]
    assert one(world).rever_process_status == ProcessStatus.CANCELED
    world.pass_time(7200)
    world.run("reconcile", mode="act")
    (record,) = world.read(LedgerState.read).records
    assert (record.rule, record.final) == ("not_running", True)
    assert world.read(check, now=world.now()).findings == ()
    assert_promises_kept(world)


def test_a_scan_between_the_search_and_the_call_wins(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def scanned(point: CrashPoint, process_id: str) -> None:
        if point is CrashPoint.AFTER_CLAIM:
            world.sandbox.act("collect", process_id)

    monkeypatch.setattr("tasks.effects.carry_out.reached", scanned)
    report = world.act()
    assert (cancelled(world), report.outcomes["done"]) == ([], 0)
    assert [row.state for row in world.read(LedgerState.read).intents if row.kind == "cancel"] == ["withdrawn"]
    assert world.act().decisions["wait"] == 1
    assert world.read(open_intents) == []


def test_a_lost_answer_is_looked_for_and_not_sent_again(world: World) -> None:
    world.sandbox.set_faults("cancelReturnProcess:1:error_500_after")
    world.act()
    world.pass_time(3600)
    for _ in range(2):
        world.act()
    assert len(cancelled(world)) == 1
    assert world.holds() == []
    assert_promises_kept(world)


def test_one_that_was_not_done_is_a_person_s_to_send_again(world: World) -> None:
    world.sandbox.set_faults("cancelReturnProcess:1:error_500_before")
    world.act()
    world.pass_time(3600)
    world.act()
    (hold,) = world.holds()
    assert (hold.rule, cancelled(world)) == ("unknown_outcome", [])
    said = {"by": "olga", "reason": "not there"}
    world.run("answer-hold", mode="act", hold_id=hold.hold_id, version=str(hold.version), answer="send_again", **said)
    world.act()
    assert len(cancelled(world)) == 1
    assert_promises_kept(world)


@pytest.mark.parametrize(("answer", "many"), [("send_again", 1), ("drop", 0)])
def test_one_that_rever_refuses_is_asked_about(world: World, answer: str, many: int) -> None:
    world.sandbox.set_faults("cancelReturnProcess:1:conflict_409")
    for _ in range(2):
        world.act()
    (hold,) = world.holds()
    assert (hold.rule, cancelled(world)) == ("cancel_refused", [])
    said = {"by": "olga", "reason": "seen"}
    world.run("answer-hold", mode="act", hold_id=hold.hold_id, version=str(hold.version), answer=answer, **said)
    for _ in range(3):
        world.act()
    assert (len(cancelled(world)), world.holds()) == (many, [])


def test_an_older_view_of_it_is_not_paid_and_gets_no_label(world: World) -> None:
    world.act()
    with world.sandbox.sandbox.locked():
        (stored,) = world.sandbox.sandbox.processes.values()
        old = stored.earlier.model_copy(update={"logistics": ()})
        stored.process = old
    world.act()
    world.tell("generate-labels", mode="act")
    world.sandbox.act("review", old.rever_process_id)
    world.act()
    assert world.paid() == {}
    assert [it.operation for it in world.sandbox.books if it.operation == "createOrderV2"] == []
    world.pass_time(7200)
    world.act()
    (hold,) = world.holds()
    assert hold.rule == "cancel_not_shown"
    assert world.paid() == {}


def test_reconcile_leaves_it_to_the_next_run_that_acts(world: World) -> None:
    world.run("reconcile", mode="act")
    assert (cancelled(world), world.read(open_intents)) == ([], [])
    world.act()
    assert len(cancelled(world)) == 1
