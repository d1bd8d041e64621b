"""A 2xx with an empty body to a refund, exchange or label: unknown, never sent again, settled by what REVER shows."""

import pytest

from rever_api.sandbox.faults import Fault, FaultPlan, NamedFault
from tests.flows.conftest import QUICK, Start


@pytest.mark.parametrize("operation", ["issueRefund", "issueExchange", "createOrderV2"])
def test_an_empty_answer_to_an_effect_is_unknown_and_never_paid_twice(start_bench: Start, operation: str) -> None:
    named = tuple(NamedFault(operation, nth, Fault.EMPTY_ANSWER) for nth in range(1, 4))
    bench = start_bench(faults=FaultPlan(named=named), settings=QUICK)
    report = bench.act()
    assert report.effects["unknown"] + report.effects["done"] > 0
    assert bench.sandbox.faults.injected[Fault.EMPTY_ANSWER] > 0
    bench.let_pass(10)
    bench.act()
    assert bench.sandbox.audit().violations == ()
    assert not [hold for hold in bench.holds() if hold.rule == "unknown_outcome"]
