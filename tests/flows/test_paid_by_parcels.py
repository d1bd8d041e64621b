"""Whole runs with rules that pay at the first scan or so many days after the arrival: paid then, once, never before."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tasks.ledger import parcels_of
from tests.world import Start, World

POLICIES = Path(__file__).parents[2] / "docs" / "policies"
SCAN = "default:\n  rules: [{name: scan, then: {pay: {at: first_scan}}}]\n"
AFTER_SCAN = "default:\n  rules: [{name: late, then: {pay: {at: first_scan, plus_days: 3}}}]\n"
AFTER_ARRIVAL = "default:\n  rules: [{name: buffer, then: {pay: {at: arrival, plus_days: 3}}}]\n"
DAY = 86_400.0


def start(start_world: Start, policy: str, scenario: str = "label_ready") -> tuple[World, str]:
    """A desk with this policy before one return of this scenario."""
    Path("policy.yaml").write_text(policy)
    world = start_world({"REVER_POLICY": str(Path("policy.yaml").absolute())}, shops=("acme",), returns=34)
    world.keep_only([scenario])
    (process_id,) = world.sandbox.process_ids()
    return world, process_id


def due(world: World) -> dict[str, Decimal]:
    (stored,) = world.sandbox.sandbox.processes.values()
    return {"EUR": sum((line.total_price or Decimal(0) for line in stored.process.return_line_items), Decimal(0))}


def today(world: World) -> date:
    return world.now().date()


def why(world: World, process_id: str) -> str:
    told = world.tell("explain-return", process_id=process_id)
    return "\n".join(told.lines())


def test_a_scan_is_paid_at_the_scan_and_once(start_world: Start) -> None:
    world, process_id = start(start_world, SCAN)
    assert world.act().paid == {}
    world.sandbox.act("collect", process_id)
    plan = world.run("process-pending-returns", mode="plan")
    assert (plan.would_pay, world.read(parcels_of, [process_id])[process_id][-1].status) == (due(world), "CREATED")
    report = world.act()
    assert (report.paid, world.paid()) == (due(world), due(world))
    assert f"first scan seen on {today(world)}" in next(iter(report.rows.values())).why
    for act in ("arrive", "review"):
        world.sandbox.act(act, process_id)
        assert world.act().paid == {}
    assert world.paid() == due(world)
    assert world.holds() == []


@pytest.mark.parametrize("seen_after", [0, 2], ids=["seen at once", "seen two days late"])
def test_three_days_after_the_arrival_was_seen_and_not_a_day_sooner(start_world: Start, seen_after: int) -> None:
    world, process_id = start(start_world, AFTER_ARRIVAL, "collected")
    world.act()
    world.sandbox.act("arrive", process_id)
    world.pass_time(seen_after * DAY)
    for day in range(3):
        for mode in ("plan", "act"):
            report = world.run("process-pending-returns", mode=mode)
            assert (report.paid, report.would_pay) == ({}, {}), f"day {day} after it was seen"
        world.pass_time(DAY)
    for words in ("arrival seen on", "the arrival was seen on"):
        assert f"{words} {today(world) - timedelta(days=3)}" in why(world, process_id)
    report = world.act()
    assert (report.paid, world.paid(), world.holds()) == (due(world), due(world), [])


def test_a_scan_that_is_taken_back_before_it_is_paid_waits_for_the_next(start_world: Start) -> None:
    world, process_id = start(start_world, AFTER_SCAN)
    world.sandbox.act("collect", process_id)
    world.act()
    world.pass_time(DAY)
    world.sandbox.act("label_ready", process_id)
    world.act()
    world.pass_time(5 * DAY)
    assert world.act().paid == {}
    assert "it went back" in why(world, process_id)
    world.sandbox.act("collect", process_id)
    assert world.act().paid == {}, "three days after the scan that stood"
    world.pass_time(3 * DAY)
    assert world.act().paid == due(world)
    assert world.paid() == due(world)


def test_what_was_paid_at_the_scan_stays_paid_where_rever_shows_less_later(start_world: Start) -> None:
    world, process_id = start(start_world, SCAN)
    world.sandbox.act("collect", process_id)
    world.act()
    for act in ("label_ready", "collect", "label_ready", "cancel_label"):
        world.sandbox.act(act, process_id)
        world.pass_time(DAY)
        report = world.act()
        assert (report.paid, world.holds()) == ({}, []), act
    assert world.paid() == due(world)
    seen = [it.status for it in world.read(parcels_of, [process_id])[process_id] if it.parcel]
    assert seen[:3] == ["COLLECTED", "CREATED", "COLLECTED"]


def test_an_arrival_that_rever_no_longer_shows_is_not_paid(start_world: Start) -> None:
    world, process_id = start(start_world, (POLICIES / "R26-buffer.yaml").read_text(), "collected")
    world.sandbox.act("arrive", process_id)
    world.act()
    world.pass_time(2 * DAY)
    world.sandbox.act("collect", process_id)
    world.act()
    world.pass_time(4 * DAY)
    assert world.act().paid == {}
    world.sandbox.act("arrive", process_id)
    world.act()
    world.pass_time(2 * DAY)
    assert world.act().paid == {}
    world.pass_time(DAY)
    assert world.act().paid == due(world)


def test_each_method_at_its_own_moment(start_world: Start) -> None:
    world, process_id = start(start_world, (POLICIES / "R25-pay-by-method.yaml").read_text(), "two_methods")
    with world.sandbox.sandbox.locked():
        stored = world.sandbox.sandbox.processes[process_id]
        world.sandbox.sandbox.change(stored, reviews=())
    values = {line.compensation_method: line.total_price for line in stored.process.return_line_items}
    world.sandbox.act("label_ready", process_id)
    assert world.act().paid == {}
    world.sandbox.act("collect", process_id)
    assert world.act().paid == {"EUR": values["GIFT_CARD"]}
    world.sandbox.act("arrive", process_id)
    assert world.act().paid == {"EUR": values["ORIGINAL_PAYMENT_METHOD"]}
    assert world.paid() == due(world)
