"""A 2xx with an empty body to a refund, exchange or label: unknown, never sent again, settled by what REVER shows."""

import pytest

from rever_api.sandbox.faults import Fault, FaultPlan, NamedFault
from tests.world import QUICK, Start


@pytest.mark.parametrize("operation", ["issueRefund", "issueExchange", "createOrderV2"])
def test_an_empty_answer_to_an_effect_is_unknown_and_never_paid_twice(start_world: Start, operation: str) -> None:
    named = tuple(NamedFault(operation, nth, Fault.EMPTY_ANSWER) for nth in range(1, 4))
    world = start_world(faults=FaultPlan(named=named), settings=QUICK)
    report = world.act()
    assert report.outcomes["unknown"] + report.outcomes["done"] > 0
    assert world.sandbox.faults.injected[Fault.EMPTY_ANSWER] > 0
    world.let_pass(10)
    world.act()
    assert world.sandbox.audit().violations == ()
    assert not [hold for hold in world.holds() if hold.rule == "unknown_outcome"]
