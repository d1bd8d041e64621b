"""A clock that was once ahead, and is right again: nothing waits for the times that it left behind."""

from datetime import timedelta

import pytest

from rever_api.sandbox.faults import Fault, FaultPlan, NamedFault
from tasks.desk import utc_now
from tests.world import Start


@pytest.mark.parametrize("fault", [Fault.ACTS_ANSWER_LOST, Fault.NO_ANSWER_BEFORE_ACTING])
def test_an_effect_of_a_clock_ahead_is_settled_or_held_by_the_right_one(start_world: Start, fault: Fault) -> None:
    world = start_world(shops=("acme",), returns=34)
    world.keep_only(["approved_one"])
    stale = FaultPlan(1.0, weights={Fault.STALE_READ: 1}, named=(NamedFault("issueRefund", 1, fault),))
    world.sandbox.set_faults(stale)
    world.clock = lambda: utc_now() + timedelta(days=400)
    world.act()
    world.sandbox.stop_faults()
    world.clock = utc_now
    world.act()
    audit = world.sandbox.audit()
    assert audit.violations == ()
    if fault is Fault.ACTS_ANSWER_LOST:
        assert audit.due == ()
        assert world.holds() == []
    else:
        assert [hold.rule for hold in world.holds()] == ["unknown_outcome"]
    assert sum(effect.operation == "issueRefund" for effect in world.sandbox.books if not effect.foreign) <= 1
