"""A run's cap on money over many stores: equal parts, what one store leaves goes to others, and it is never passed."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Connection

from rever_api.sandbox import further
from rever_api.sandbox.faults import Fault
from tasks.ledger.schema import pauses
from tasks.reporting.report import ReturnsReport
from tests.flows.test_many_stores import move_to
from tests.flows.test_one_stores_fault import break_at, reported
from tests.judge import assert_promises_kept
from tests.world import Start, World

STORES = ("acme", *further(3))


def of_ten(start_world: Start, *stores: str, **settings: str) -> World:
    """A world whose returns are due 10 EUR each: one at each of these stores, the others at acme."""
    world = start_world(settings, shops=STORES, returns=40, scenarios=("approved_one",))
    move_to(world, "acme", stores)
    with world.sandbox.sandbox.locked():
        for stored in world.sandbox.sandbox.processes.values():
            lines = [
                line.model_copy(update={"total_price": Decimal(10), "quantity": 1})
                for line in stored.process.return_line_items[:1]
            ]
            world.sandbox.sandbox.change(stored, return_line_items=tuple(lines))
    return world


def pause(conn: Connection) -> None:
    """Pause a store for some minutes."""
    until = datetime.now(UTC) + timedelta(minutes=20)
    conn.execute(pauses.insert().values(store="shop-01", paused_until=until, pause_minutes=20))


def by_store(report: ReturnsReport) -> dict[str, Decimal]:
    return {store: tally.paid["EUR"] for store, tally in report.by_store.items() if tally.paid}


@pytest.mark.parametrize("at_once", ["1", "8"])
def test_no_store_takes_the_cap_from_the_others_and_what_they_leave_is_paid(start_world: Start, at_once: str) -> None:
    world = of_ten(start_world, *further(3), REVER_STORES_AT_ONCE=at_once)
    plan, report = world.run("process-pending-returns", mode="plan", max_amount="80"), world.act(max_amount="80")
    assert by_store(report) == {"acme": Decimal(50), **dict.fromkeys(further(3), Decimal(10))}
    assert report.paid == world.paid() == plan.would_pay == {"EUR": Decimal(80)}
    assert {it for it, row in plan.rows.items() if row.decision == "refund"} == {
        it for it, row in report.rows.items() if row.done
    }
    assert (report.seen, report.decisions) == (40, {"refund": 8, "wait": 32})
    assert plan.decisions == report.decisions
    assert report.progress.words.startswith("40 of 40 returns")
    world.act()
    assert world.paid() == {"EUR": Decimal(400)}
    assert_promises_kept(world)


def test_of_equal_stores_each_is_paid_alike(start_world: Start) -> None:
    world = start_world(shops=STORES, returns=40, scenarios=("approved_one",))
    report = world.act(max_amount="400")
    paid = by_store(report)
    assert sum(paid.values()) <= 400
    assert max(paid.values()) - min(paid.values()) <= max(row.amount or 0 for row in report.rows.values())


def test_what_a_store_that_fails_would_have_had_goes_to_the_others(start_world: Start) -> None:
    world = of_ten(start_world, *further(3))
    break_at(world, "shop-02", "getEcommerceSettings", Fault.ERROR_500_BEFORE)
    report, _ = reported(world, max_amount="80")
    assert isinstance(report, ReturnsReport)
    assert list(report.stores_failed) == ["shop-02"]
    assert by_store(report) == {"acme": Decimal(60), "shop-01": Decimal(10), "shop-03": Decimal(10)}


def test_named_returns_share_it_too(start_world: Start) -> None:
    world = of_ten(start_world, "shop-01")
    named: Sequence[str] = [*world.sandbox.process_ids(store="acme")[:9], *world.sandbox.process_ids(store="shop-01")]
    report = world.act(process_ids=",".join(named), max_amount="40")
    assert by_store(report) == {"acme": Decimal(30), "shop-01": Decimal(10)}
    assert report.seen == 10


def test_a_refund_that_is_larger_than_a_part_is_paid_where_the_whole_has_room(start_world: Start) -> None:
    world = of_ten(start_world)
    report = world.act(max_amount="15")
    assert by_store(report)["acme"] == Decimal(10), "a part is 3.75 EUR"
    waits = [row.why for row in report.rows.values() if row.decision == "wait"]
    assert set(waits) == {
        "10.00 EUR is due, but this run may pay 15 EUR in all, and too little of that is left for it (max_amount)"
    }


@pytest.mark.parametrize("stopped_by", ["a guard", "a pause"])
def test_what_is_not_paid_after_all_at_one_store_is_paid_at_others(
    start_world: Start, tmp_path: Path, stopped_by: str
) -> None:
    policy = tmp_path / "policy.yaml"
    held = "{guards: {max_refund: {EUR: '5'}}}" if stopped_by == "a guard" else "{}"
    policy.write_text(f"stores: {{shop-01: {held}}}\n")
    world = of_ten(start_world, "shop-01", "shop-02", REVER_POLICY=str(policy))
    with world.sandbox.sandbox.locked():
        of_acme = [it for it in world.sandbox.sandbox.processes.values() if it.process.ecommerce_id == "acme"]
        for stored in of_acme[:10]:
            world.sandbox.sandbox.change(stored, ecommerce_id="shop-01")
    if stopped_by == "a pause":
        world.write(pause)
    plan, report = world.run("process-pending-returns", mode="plan", max_amount="80"), world.act(max_amount="80")
    assert by_store(report) == {"acme": Decimal(70), "shop-02": Decimal(10)}
    assert report.paid == world.paid() == plan.would_pay
    assert world.sandbox.audit().violations == ()
