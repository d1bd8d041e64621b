"""A search and a read by id that contradict each other: held before any money goes out, and until they agree."""

from typing import Any

import pytest

from rever_api import AsyncReverClient
from rever_api.models import ReturnProcess, ReviewStatus
from rever_api.sandbox.faults import Fault, FaultPlan
from tests.flows.conftest import Start


@pytest.mark.parametrize(
    ("scenario", "seed"),
    [("approved_one", 0), ("approved_one", 1), ("two_methods", 2), ("exchange_reviewed", 3), ("costs_smaller", 4)],
)
def test_nothing_is_sent_until_two_reads_agree(start_bench: Start, scenario: str, seed: int) -> None:
    bench = start_bench(shops=("acme",), returns=34)
    bench.keep_only([scenario])
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


def test_what_one_read_pays_and_the_other_declines_is_held_and_not_begun_anew_in_each_run(
    start_bench: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search shows it approved and the read by id declined, for ever: each run claimed it, and said nothing."""
    bench = start_bench(shops=("acme",), returns=34)
    bench.keep_only(["approved_one"])
    read = AsyncReverClient.get_return_process

    async def declined(client: AsyncReverClient, process_id: str, **how: Any) -> ReturnProcess:
        told = await read(client, process_id, **how)
        reviews = (review.model_copy(update={"status": ReviewStatus.DECLINED}) for review in told.reviews or ())
        return told.model_copy(update={"reviews": tuple(reviews)})

    monkeypatch.setattr(AsyncReverClient, "get_return_process", declined)
    for _ in range(2):
        bench.act()
        bench.run("reconcile", mode="act")
        assert {hold.rule for hold in bench.holds()} == {"reads_differ"}
    assert bench.paid() == {}
