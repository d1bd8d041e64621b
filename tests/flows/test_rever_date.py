"""A desk whose clock is minutes from the `Date` of REVER's answers sends nothing, and says so."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from rever_api.sandbox import RunningSandbox
from rever_api.sandbox.faults import Fault, FaultPlan, NamedFault
from tasks.desk import WrongClockError, utc_now
from tasks.ledger import open_intents
from tasks.policy.record import IntentState
from tests.world import Start, World

WRONG = [timedelta(minutes=10), timedelta(minutes=-10), timedelta(minutes=3), timedelta(days=400), timedelta(days=-400)]


def off(by: timedelta) -> Callable[[], datetime]:
    return lambda: utc_now() + by


def effects(sandbox: RunningSandbox) -> list[str]:
    return [effect.operation for effect in sandbox.books if not effect.foreign]


def states(world: World) -> list[IntentState]:
    return [each.intent.state for each in world.read(open_intents)]


@pytest.fixture
def one(start_world: Start) -> World:
    """A return whose refund is due; REVER's clock is right."""
    world = start_world(shops=("acme",), returns=34)
    world.keep_only(["approved_one"])
    world.date = utc_now
    return world


@pytest.mark.parametrize("by", WRONG, ids=str)
@pytest.mark.parametrize("flow", ["process-pending-returns", "process-return", "reconcile"])
def test_a_run_by_a_wrong_clock_does_nothing_and_says_so(one: World, by: timedelta, flow: str) -> None:
    one.clock = off(by)
    named = {"process_id": one.sandbox.process_ids()[0]} if flow == "process-return" else {}
    said = r"this machine's clock is .* (ahead of|behind) REVER's .* Synchronise it"
    with pytest.raises(WrongClockError, match=said):
        one.run(flow, mode="act", **named)
    assert effects(one.sandbox) == []
    assert states(one) == []
    assert one.holds() == []
    one.clock = utc_now
    one.act()
    assert effects(one.sandbox) == ["issueRefund"]
    assert one.sandbox.audit().violations == ()


@pytest.mark.parametrize("by", WRONG, ids=str)
def test_a_plan_says_so_in_a_note(one: World, by: timedelta) -> None:
    one.clock = off(by)
    report = one.run("process-pending-returns", mode="plan")
    assert [note for note in report.notes if "this machine's clock is" in note]


@pytest.mark.parametrize("seconds", [90, -90, 0])
def test_a_clock_that_is_off_by_less_acts(one: World, seconds: int) -> None:
    one.clock = off(timedelta(seconds=seconds))
    report = one.act()
    assert effects(one.sandbox) == ["issueRefund"]
    assert not [note for note in report.notes if "machine's clock" in note]


def test_no_date_is_no_sign(one: World) -> None:
    one.date = lambda: None
    one.clock = off(timedelta(minutes=10))
    one.act()
    assert effects(one.sandbox) == ["issueRefund"]


def test_one_odd_answer_does_not_decide(one: World) -> None:
    """Every other answer tells a time of yesterday, as one out of a cache may."""
    asked = 0

    def odd() -> datetime:
        nonlocal asked
        asked += 1
        return utc_now() - timedelta(days=asked % 2)

    one.date = odd
    one.act()
    assert effects(one.sandbox) == ["issueRefund"]
    assert asked > 3


def test_what_was_sent_is_neither_over_nor_forgotten_by_a_wrong_clock(one: World) -> None:
    """A clock that is ahead takes no deadline for past; the right one settles the effect by what REVER shows."""
    stale = FaultPlan(1.0, weights={Fault.STALE_READ: 1}, named=(NamedFault("issueRefund", 1, Fault.ACTS_ANSWER_LOST),))
    one.sandbox.set_faults(stale)
    one.act()
    before = states(one)
    assert before == [IntentState.UNKNOWN]
    one.sandbox.stop_faults()
    one.clock = off(timedelta(days=400))
    with pytest.raises(WrongClockError):
        one.act()
    assert states(one) == before
    assert one.holds() == []
    one.clock = utc_now
    one.act()
    assert states(one) == []
    assert effects(one.sandbox) == ["issueRefund"]


@pytest.mark.parametrize("by", [timedelta(minutes=10), timedelta(minutes=-10)], ids=str)
def test_a_clock_that_jumps_in_the_middle_of_a_run_ends_it_and_what_was_sent_is_recorded(
    start_world: Start, by: timedelta
) -> None:
    world = start_world(shops=("acme",), returns=60, scenarios=("approved_one",))
    returns = len(world.sandbox.process_ids())
    world.date = utc_now
    world.clock = lambda: utc_now() + (by if effects(world.sandbox) else timedelta(0))
    with pytest.raises(WrongClockError, match="this machine's clock is"):
        world.act()
    sent = len(effects(world.sandbox))
    assert 0 < sent < returns
    assert set(states(world)) <= {IntentState.INTENDED}
    world.clock, world.date = off(timedelta(minutes=5)), None  # what was only claimed is free again
    world.act()
    assert len(effects(world.sandbox)) == returns
    audit = world.sandbox.audit()
    assert (audit.violations, audit.due) == ((), ())
