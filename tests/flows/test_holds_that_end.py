"""A hold whose subject is gone closes itself, says why in the audit, and is never told beside the return's end."""

from decimal import Decimal

import pytest

from tests.flows.test_answer_hold import known, the_hold, through_api
from tests.world import Start, World, told

SMALL_CAP = {"REVER_POLICY": "policy.toml", "REVER_STORES": "acme"}


def closings(world: World, process_id: str) -> list[str]:
    """Why holds closed themselves, by the audit."""
    return [row.evidence["why"] for row in known(world, process_id).audit if row.event == "hold_closed"]


def label_held(world: World) -> str:
    """A return whose label nobody can make."""
    process_id: str = world.sandbox.process_ids("country_unserved")[0]
    world.run("generate-labels", mode="act", process_ids=process_id)
    assert the_hold(world, process_id).label
    return process_id


def test_a_hold_of_a_label_ends_when_the_goods_were_inspected_and_paid(world: World) -> None:
    process_id = label_held(world)
    world.sandbox.act("review", process_id)
    world.act(process_ids=process_id)
    world.run("reconcile", mode="act")
    assert through_api(world, process_id) != []
    (why,) = closings(world, process_id)
    assert "nothing is left to answer" in why
    lines = told(known(world, process_id))
    assert "at its end" in lines
    assert "on hold" not in lines


@pytest.mark.parametrize("flow", ["process-pending-returns", "process-return", "reconcile"])
def test_a_hold_of_a_label_ends_when_the_return_is_cancelled(world: World, flow: str) -> None:
    process_id = label_held(world)
    world.sandbox.act("cancel", process_id)
    named = {"process_id": process_id} if flow == "process-return" else {}
    world.run(flow, mode="act", **named)
    if flow == "process-pending-returns":
        # A cancelled return is in no search for running ones.
        world.run("reconcile", mode="act")
    assert world.holds() == [hold for hold in world.holds() if hold.process_id != process_id]
    (why,) = closings(world, process_id)
    assert "CANCELED" in why


def test_what_a_guard_held_ends_with_the_return_and_nothing_is_paid(start_world: Start) -> None:
    world = capped(start_world)
    process_id = world.sandbox.process_ids("approved_one")[0]
    world.act(process_ids=process_id)
    assert the_hold(world, process_id).rule == "guard:max_refund"
    world.sandbox.act("cancel", process_id)
    world.run("reconcile", mode="act")
    assert [hold for hold in world.holds() if hold.process_id == process_id] == []
    assert through_api(world, process_id) == []


def test_what_a_guard_held_ends_when_the_back_office_has_paid_it(start_world: Start) -> None:
    world = capped(start_world)
    process_id = world.sandbox.process_ids("approved_one")[0]
    world.act(process_ids=process_id)
    amount = Decimal(the_hold(world, process_id).amount or "")
    world.sandbox.act("pay", process_id)
    world.act(process_ids=process_id)
    assert [hold for hold in world.holds() if hold.process_id == process_id] == []
    (adopted,) = known(world, process_id).intents
    assert (adopted.intent.adopted, adopted.intent.amount) == (True, amount)
    assert through_api(world, process_id) == []


def test_plan_says_what_follows_and_closes_nothing(world: World) -> None:
    process_id = label_held(world)
    world.sandbox.act("cancel", process_id)
    report = world.run("process-return", process_id=process_id)
    assert report.rows[process_id].decision == "no action"
    assert the_hold(world, process_id).label


def capped(start_world: Start) -> World:
    world = start_world(settings=SMALL_CAP)
    policy = world.ledger_file.parent / "policy.toml"
    policy.write_text('[default.guards]\nmax_refund = { EUR = "0.01", SEK = "0.01" }\n', encoding="utf-8")
    return world
