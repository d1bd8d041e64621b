"""track-parcels over the sandbox: what moved is found with the fewest calls, written once, and what stopped is told."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from rever_api.sandbox import operations
from tasks.ledger import check, parcels_of
from tasks.reporting.parcels_report import ParcelsReport
from tests.world import Start, World

DAY = 86_400.0


def track(world: World, mode: str = "act", **values: str) -> ParcelsReport:
    report = world.run("track-parcels", mode=mode, **values)
    assert isinstance(report, ParcelsReport)
    return report


def start(start_world: Start, *scenarios: str, policy: str = "", returns: int = 34) -> World:
    settings = {}
    if policy:
        Path("policy.yaml").write_text(policy)
        settings["REVER_POLICY"] = str(Path("policy.yaml").absolute())
    world = start_world(settings, shops=("acme",), returns=returns)
    world.keep_only(scenarios)
    return world


def asked(world: World, before: int) -> Counter[str]:
    return Counter(entry.operation for entry in world.sandbox.journal.entries[before:])


def so_far(world: World) -> int:
    return len(world.sandbox.journal.entries)


def changed(report: ParcelsReport) -> list[tuple[str, str]]:
    return sorted((it.change.before, it.change.status) for it in report.moved if it.change.parcel)


def test_of_two_hundred_returns_ten_moved_and_two_calls_find_them(start_world: Start) -> None:
    world = start(start_world, "label_ready", returns=34 * 200)
    ids = world.sandbox.process_ids()
    assert len(ids) == 200
    first = track(world)
    assert (first.seen, len(changed(first))) == (200, 200)
    world.pass_time(3600)
    for process_id in ids[::20]:
        world.sandbox.act("collect", process_id)
    before = so_far(world)
    report = track(world)
    assert asked(world, before) == {"getEcommerceSettings": 1, "searchReturnProcesses": 1}
    assert (report.seen, changed(report)) == (10, [("CREATED", "COLLECTED")] * 10)
    world.pass_time(3600)
    before = so_far(world)
    assert track(world).moved == []
    assert asked(world, before).total() == 2


def test_a_run_that_pays_records_what_it_reads_and_nothing_is_asked_twice(start_world: Start) -> None:
    world = start(start_world, "label_ready", "collected")
    world.act()
    ids = world.sandbox.process_ids()
    known = world.read(parcels_of, ids)
    assert all(known.values())
    assert track(world).moved == []
    before = so_far(world)
    world.sandbox.act("collect", world.sandbox.process_ids("label_ready")[0])
    world.act()
    assert "getShippingStatus" not in asked(world, before)
    assert track(world).moved == [], "the run that pays has seen it first"


def test_a_plan_tells_and_writes_nothing(start_world: Start) -> None:
    world = start(start_world, "collected")
    for _ in range(2):
        assert changed(track(world, mode="plan")) == [("", "COLLECTED")]
        assert not world.ledger_file.exists()
    track(world)
    (process_id,) = world.sandbox.process_ids()
    world.sandbox.act("arrive", process_id)
    for _ in range(2):
        assert changed(track(world, mode="plan")) == [("COLLECTED", "IN_WAREHOUSE")]
    assert len(world.read(parcels_of, [process_id])[process_id]) == 2


def test_what_went_back_is_told(start_world: Start) -> None:
    world = start(start_world, "collected")
    track(world)
    world.sandbox.act("label_ready", world.sandbox.process_ids()[0])
    report = track(world)
    assert [it.change.status for it in report.gone_back] == ["CREATED"]
    assert any("went back" in line for line in report.lines())


def leave_out_parcels(monkeypatch: pytest.MonkeyPatch) -> None:
    """REVER's lists, and its reads by id, say nothing of parcels."""
    wire = operations.wire

    def without(model: BaseModel) -> dict[str, Any]:
        return {name: value for name, value in wire(model).items() if name != "logistics"}

    monkeypatch.setattr(operations, "wire", without)


def test_where_no_read_tells_of_parcels_each_that_can_have_moved_is_asked_for_its_shipping(
    start_world: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = start(start_world, "label_ready", returns=34 * 12)
    leave_out_parcels(monkeypatch)
    ids = world.sandbox.process_ids()
    before = so_far(world)
    assert len(changed(track(world))) == 12
    assert asked(world, before)["getShippingStatus"] == 12
    for process_id in ids[:2]:
        world.sandbox.act("collect", process_id)
    world.pass_time(3600)
    before = so_far(world)
    assert changed(track(world)) == [("CREATED", "COLLECTED")] * 2
    assert asked(world, before) == {
        "getEcommerceSettings": 1, "searchReturnProcesses": 1, "getReturnProcess": 1, "getShippingStatus": 2,
    }  # fmt: skip
    for process_id in ids[:2]:
        world.sandbox.act("arrive", process_id)
    world.pass_time(3600)
    track(world)
    world.pass_time(2 * DAY)
    before = so_far(world)
    track(world)
    assert asked(world, before)["getShippingStatus"] <= 10, "what has arrived is never asked about again"


def test_a_parcel_that_the_list_does_not_show_is_found_all_the_same(
    start_world: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """REVER's `updated_at` may not move with the parcel: what was not shown for half a day is looked for."""
    world = start(start_world, "label_ready", returns=34 * 3)
    track(world)
    process_id = world.sandbox.process_ids()[0]
    with world.sandbox.sandbox.locked():
        stored = world.sandbox.sandbox.processes[process_id]
        (parcel,) = stored.process.logistics or ()
        moved = parcel.model_copy(update={"status": "COLLECTED"})
        stored.process = stored.process.model_copy(update={"logistics": (moved,), "return_status": "COLLECTED"})
    world.pass_time(3600)
    assert track(world).moved == []
    world.pass_time(12 * 3600)
    before = so_far(world)
    assert changed(track(world)) == [("CREATED", "COLLECTED")]
    assert asked(world, before)["getReturnProcess"] == 0, "the list shows all three in one call"


def test_what_stopped_is_listed_the_oldest_first_and_told_once(start_world: Start) -> None:
    policy = "default:\n  parcels: {label_unused_days: 5, on_the_way_days: 3}\n"
    world = start(start_world, "label_ready", "collected", policy=policy)
    label, way = world.sandbox.process_ids("label_ready")[0], world.sandbox.process_ids("collected")[0]
    track(world)
    world.pass_time(2.5 * DAY)
    assert track(world).stopped == []
    world.pass_time(DAY)
    assert [it.process_id for it in track(world, mode="plan").stopped] == [way]
    report = track(world)
    assert ([it.process_id for it in report.stopped], [it.process_id for it in report.told]) == ([way], [way])
    assert any("has been collected since" in row.why for row in report.rows.values())
    world.pass_time(2 * DAY)
    report = track(world)
    assert [it.process_id for it in report.told] == [label]
    assert {it.process_id for it in report.stopped} == {label, way}
    world.sandbox.act("arrive", way)
    world.sandbox.act("collect", label)
    world.pass_time(3600)
    assert track(world).stopped == []
    world.pass_time(4 * DAY)
    assert [it.process_id for it in track(world).told] == [label], "it has stopped again"
    assert not world.read(check, now=world.now()).findings


def test_a_return_that_was_called_off_is_asked_about_no_more(start_world: Start) -> None:
    world = start(start_world, "label_ready", policy="default:\n  parcels: {label_unused_days: 1}\n")
    track(world)
    world.sandbox.act("fail", world.sandbox.process_ids()[0])
    track(world)
    world.pass_time(3 * DAY)
    before = so_far(world)
    assert track(world).stopped == []
    assert asked(world, before).total() == 2
