"""A search and a read by id that contradict each other: held before any money goes out, and until they agree."""

import pytest

from rever_api.sandbox.faults import Fault, FaultPlan
from tests.flows.conftest import Start
from tests.proof.world import keep_only


@pytest.mark.parametrize(
    ("scenario", "seed"),
    [("approved_one", 0), ("approved_one", 1), ("two_methods", 2), ("exchange_reviewed", 3), ("costs_smaller", 4)],
)
def test_nothing_is_sent_until_two_reads_agree(start_bench: Start, scenario: str, seed: int) -> None:
    bench = start_bench(shops=("acme",), returns=34)
    keep_only(bench.sandbox, [scenario])
    bench.sandbox.set_faults(FaultPlan(1.0, seed, weights={Fault.READ_DIFFERS: 1}))
    bench.act()
    bench.run("reconcile", mode="act")
    (process_id,) = bench.sandbox.process_ids()
    bench.run("process-return", mode="act", process_id=process_id)
    bench.act()
    assert [effect for effect in bench.sandbox.books if not effect.foreign] == []
    assert {hold.rule for hold in bench.holds()} == {"reads_differ"}
    bench.sandbox.stop_faults()
    bench.run("process-return", mode="act", process_id=process_id)
    assert {hold.rule for hold in bench.holds()} == {"reads_differ"}  # it reads by id alone
    bench.act()
    bench.act()
    assert bench.holds() == []
    assert bench.sandbox.audit().violations == ()
    assert bench.sandbox.audit().due == ()
