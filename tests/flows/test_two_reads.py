"""A search and a read by id that contradict each other: held before any money goes out, and until they agree."""

from typing import Any

import pytest

from rever_api import AsyncReverClient
from rever_api.models import ReturnProcess, ReviewStatus
from rever_api.sandbox.faults import Fault, FaultPlan
from tests.world import Start


@pytest.mark.parametrize(
    ("scenario", "seed"),
    [("approved_one", 0), ("approved_one", 1), ("two_methods", 2), ("exchange_reviewed", 3), ("costs_smaller", 4)],
)
def test_nothing_is_sent_until_two_reads_agree(start_world: Start, scenario: str, seed: int) -> None:
    world = start_world(shops=("acme",), returns=34)
    world.keep_only([scenario])
    world.sandbox.set_faults(FaultPlan(1.0, seed, weights={Fault.READ_DIFFERS: 1}))
    world.act()
    world.run("reconcile", mode="act")
    (process_id,) = world.sandbox.process_ids()
    world.run("process-return", mode="act", process_id=process_id)
    world.act()
    assert [effect for effect in world.sandbox.books if not effect.foreign] == []
    assert {hold.rule for hold in world.holds()} == {"reads_differ"}
    world.sandbox.stop_faults()
    world.run("process-return", mode="act", process_id=process_id)
    assert {hold.rule for hold in world.holds()} == {"reads_differ"}  # it reads by id alone
    world.act()
    world.act()
    assert world.holds() == []
    assert world.sandbox.audit().violations == ()
    assert world.sandbox.audit().due == ()


def test_what_one_read_pays_and_the_other_declines_is_held_and_not_begun_anew_in_each_run(
    start_world: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search shows it approved and the read by id declined, for ever: each run claimed it, and said nothing."""
    world = start_world(shops=("acme",), returns=34)
    world.keep_only(["approved_one"])
    read = AsyncReverClient.get_return_process

    async def declined(client: AsyncReverClient, process_id: str, **how: Any) -> ReturnProcess:
        told = await read(client, process_id, **how)
        reviews = (review.model_copy(update={"status": ReviewStatus.DECLINED}) for review in told.reviews or ())
        return told.model_copy(update={"reviews": tuple(reviews)})

    monkeypatch.setattr(AsyncReverClient, "get_return_process", declined)
    for _ in range(2):
        world.act()
        world.run("reconcile", mode="act")
        assert {hold.rule for hold in world.holds()} == {"reads_differ"}
    assert world.paid() == {}
