"""A clock that was once ahead, and is right again: nothing waits for the times that it left behind."""

from datetime import timedelta

import pytest

from rever_api.sandbox.faults import Fault, FaultPlan, NamedFault
from tasks.desk import utc_now
from tests.flows.conftest import Start


@pytest.mark.parametrize("fault", [Fault.ACTS_ANSWER_LOST, Fault.NO_ANSWER_BEFORE_ACTING])
def test_an_effect_of_a_clock_ahead_is_settled_or_held_by_the_right_one(start_bench: Start, fault: Fault) -> None:
    bench = start_bench(shops=("acme",), returns=34)
    bench.keep_only(["approved_one"])
    stale = FaultPlan(1.0, weights={Fault.STALE_READ: 1}, named=(NamedFault("issueRefund", 1, fault),))
    bench.sandbox.set_faults(stale)
    bench.clock = lambda: utc_now() + timedelta(days=400)
    bench.act()
    bench.sandbox.stop_faults()
    bench.clock = utc_now
    bench.act()
    audit = bench.sandbox.audit()
    assert audit.violations == ()
    if fault is Fault.ACTS_ANSWER_LOST:
        assert audit.due == ()
        assert bench.holds() == []
    else:
        assert [hold.rule for hold in bench.holds()] == ["unknown_outcome"]
    assert sum(effect.operation == "issueRefund" for effect in bench.sandbox.books if not effect.foreign) <= 1
