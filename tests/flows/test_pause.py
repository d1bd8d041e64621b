"""The pause after five unknown outcomes in a row: an outage costs a handful of holds, not thousands."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from deployments.cli.find import why_text
from deployments.cli.ledger import holds_text, resume
from rever_api.sandbox.faults import Fault, FaultPlan
from tasks.policy.clocks import clock_time
from tests.world import Start, World

OUTAGE = FaultPlan(rate=1.0, weights={Fault.ERROR_500_BEFORE: 1}, effects_only=True)
"""Every effect fails so that nobody knows whether it was done; none is done."""

BEGIN = datetime(2026, 11, 23, 12, tzinfo=UTC)


def refunds_sent(world: World) -> int:
    return sum(entry.operation == "issueRefund" for entry in world.sandbox.journal.entries)


def run_at(world: World, minutes: float) -> int:
    """Run at this time; return how many refunds it sent."""
    before = refunds_sent(world)
    world.clock = lambda: BEGIN + timedelta(minutes=minutes)
    world.act()
    return refunds_sent(world) - before


def test_an_outage_costs_a_handful_then_one_trial_after_each_longer_pause(start_world: Start) -> None:
    world = start_world(faults=OUTAGE, returns=68, shops=("acme",), settings={"REVER_MAX_IN_FLIGHT": "2"})
    in_the_air = 2
    first = run_at(world, 0)
    assert 5 <= first <= 5 + in_the_air
    assert run_at(world, 0.9) == 0
    pauses_after_failed_trials = [1.1, 3.2, 7.3, 15.4, 31.5, 61.6, 91.7]
    for minutes in pauses_after_failed_trials:
        assert run_at(world, minutes - 0.2) == 0, minutes
        assert run_at(world, minutes) == 1, minutes
    assert len([hold for hold in world.holds() if hold.rule == "unknown_outcome"]) <= first + 7
    world.sandbox.stop_faults()
    assert run_at(world, 121.8) >= 1
    assert run_at(world, 122) + refunds_sent(world) > 20
    assert world.sandbox.audit().violations == ()
    world.run("reconcile", mode="act")
    assert world.sandbox.audit().forgotten(world.explained()) == ()


def test_a_store_in_an_outage_does_not_pause_another(start_world: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    world = start_world(returns=60, settings={"REVER_STORES": "acme"}, faults=OUTAGE)
    world.act()
    paused = refunds_sent(world)
    world.sandbox.stop_faults()
    monkeypatch.setenv("REVER_STORES", "acme,nordic")
    report = world.act()
    assert set(report.paid) == {"SEK"}
    assert paused <= 5 + 8


def test_a_pause_is_told_by_the_report_why_and_holds_with_its_end_and_the_command(
    start_world: Start,
) -> None:
    world = start_world(faults=OUTAGE, returns=60, shops=("acme",), settings={"REVER_MAX_IN_FLIGHT": "2"})
    before = datetime.now(UTC)
    report = world.act()
    command = "`rever-returns resume acme --by NAME`"
    [note] = [note for note in report.notes if "paused" in note]
    assert note.startswith("store acme is paused, since the outcome of 5 effects in a row was unknown")
    assert command in note
    assert before < report.paused["acme"] <= datetime.now(UTC) + timedelta(minutes=1)
    until = clock_time(report.paused["acme"], ZoneInfo("Europe/Madrid"))
    assert f"acme is paused until {until}" in report.sentence()
    assert f"nothing is sent there until {until}" in note
    assert report.as_json()["paused"] == {"acme": report.paused["acme"].isoformat(timespec="seconds")}
    some = next(hold.process_id for hold in world.holds()) if world.holds() else next(iter(report.rows))
    assert command in why_text(some)
    assert f"nothing is sent there until {until}" in why_text(some)
    assert command in holds_text(as_json=False).split("\n")[0]
    world.let_pass(90)
    assert "one effect is sent as a trial" in next(note for note in world.run("process-pending-returns").notes)
    resume("acme", by="olga", why="REVER is back")
    assert world.run("process-pending-returns").paused == {}
    assert "paused" not in why_text(some) + holds_text(as_json=False)
