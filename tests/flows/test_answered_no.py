"""What a proxy may say after REVER has acted: an effect is not done twice for it, nor a return forgotten."""

import pytest

from flows.run import RunFailedError
from rever_api.errors import ReverError
from rever_api.sandbox.faults import Fault, FaultPlan, NamedFault
from tests.world import Start, World

EFFECT_OF = {
    "approved_one": "issueRefund",
    "exchange_reviewed": "issueExchange",
    "label_needed_pickup": "createOrderV2",
}
AFTER = [Fault.REDIRECT_AFTER, Fault.SET_UP_AFTER, Fault.TOO_MANY_AFTER, Fault.CONFLICT_409_AFTER]


def each(faults: list[Fault]) -> list[object]:
    """Each fault and each scenario together; slow, but for a refund, and for the others with the first fault."""
    return [
        pytest.param(fault, scenario, marks=[pytest.mark.slow] if fault != faults[0] and number else [])
        for fault in faults
        for number, scenario in enumerate(EFFECT_OF)
    ]


def act(world: World) -> None:
    """A run to whatever end: some answers say that the set-up is wrong."""
    try:
        world.act()
    except (ReverError, RunFailedError) as error:
        print(error)


def hour_later(world: World) -> None:
    world.let_pass(3600)
    world.sandbox.advance(3600)


def sent(world: World, scenario: str) -> int:
    return sum(entry.operation == EFFECT_OF[scenario] for entry in world.sandbox.journal.entries)


def done(world: World, scenario: str) -> int:
    return sum(effect.operation == EFFECT_OF[scenario] for effect in world.sandbox.books if not effect.foreign)


@pytest.mark.parametrize(("fault", "scenario"), each(AFTER))
def test_what_was_carried_out_and_denied_is_not_done_again(start_world: Start, fault: Fault, scenario: str) -> None:
    world = start_world(shops=("acme",), returns=34)
    world.keep_only([scenario])
    world.sandbox.set_faults(f"{EFFECT_OF[scenario]}:1:{fault}")
    act(world)
    act(world)
    hour_later(world)
    act(world)
    world.run("reconcile", mode="act")
    assert sent(world, scenario) == done(world, scenario) == 1
    assert world.sandbox.audit().violations == ()
    assert world.sandbox.audit().forgotten(world.explained()) == ()


@pytest.mark.parametrize(("fault", "scenario"), each([fault for fault in AFTER if fault != Fault.TOO_MANY_AFTER]))
def test_nor_while_reads_show_the_state_before(start_world: Start, fault: Fault, scenario: str) -> None:
    world = start_world(shops=("acme",), returns=34)
    world.keep_only([scenario])
    named = (NamedFault(EFFECT_OF[scenario], 1, fault),)
    world.sandbox.set_faults(FaultPlan(1.0, weights={Fault.STALE_READ: 1}, named=named))
    for _ in range(4):
        act(world)
    assert done(world, scenario) == 1
    world.sandbox.stop_faults()
    hour_later(world)
    act(world)
    world.run("reconcile", mode="act")
    assert done(world, scenario) == 1
    assert world.sandbox.audit().violations == ()
    assert world.sandbox.audit().forgotten(world.explained()) == ()


@pytest.mark.parametrize("fault", ["unauthorized_401"])
def test_what_was_denied_and_not_done_is_done_once_rever_would_show_it(start_world: Start, fault: str) -> None:
    world = start_world(shops=("acme",), returns=34)
    world.keep_only(["approved_one"])
    world.sandbox.set_faults(f"issueRefund:1:{fault}")
    act(world)
    world.act()
    assert sent(world, "approved_one") == 1
    assert "told_no" in {item.rule for item in world.unfinished()}
    hour_later(world)
    world.act()
    assert done(world, "approved_one") == 1
    assert world.holds() == []
    assert world.sandbox.audit().violations == ()


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_a_429_after_acting_is_seen_to_be_done_whoever_said_it(start_world: Start, seed: int) -> None:
    world = start_world(shops=("acme",), returns=34)
    world.keep_only(["exchange_reviewed"])
    world.sandbox.set_faults(FaultPlan(seed=seed, named=(NamedFault("issueExchange", 1, Fault.TOO_MANY_AFTER),)))
    world.act()
    assert sent(world, "exchange_reviewed") == done(world, "exchange_reviewed") == 1
    assert world.sandbox.audit().violations == ()
