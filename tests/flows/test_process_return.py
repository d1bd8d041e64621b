"""process-return: one return, as far as it can go, however often it is asked for."""

from datetime import datetime

import pytest

from flows.run import UsageError
from tasks.desk import DeskError, utc_now
from tasks.ledger import runs_began
from tests.world import World


def due(world: World) -> str:
    """A return with money due."""
    return next(item.process_id for item in world.sandbox.audit().due if item.amount and not item.blocked)


def test_it_pays_one_return_and_no_other(world: World) -> None:
    process_id = due(world)
    report = world.run("process-return", process_id=process_id, mode="act")
    assert report.seen == 1
    assert report.paid == world.paid()
    assert {effect.process_id for effect in world.sandbox.books.effects if effect.by == "api"} == {process_id}
    assert process_id not in {item.process_id for item in world.sandbox.audit().due}


def test_asked_again_and_again_it_pays_once(world: World) -> None:
    process_id = due(world)
    first = world.run("process-return", process_id=process_id, mode="act")
    for _ in range(4):
        assert world.run("process-return", process_id=process_id, mode="act").paid == {}
    assert world.paid() == first.paid
    assert world.sandbox.audit().violations == ()


def test_an_id_that_rever_does_not_know_fails_the_run(world: World) -> None:
    with pytest.raises(DeskError, match="retp_nobody: REVER knows no return of this id"):
        world.run("process-return", process_id="retp_nobody", mode="act")


def test_without_an_id_it_is_wrong_usage(world: World) -> None:
    with pytest.raises(UsageError, match="process_id"):
        world.run("process-return", mode="act")


def test_only_a_run_that_takes_a_return_as_far_as_it_can_go_counts_as_acting_on_it(world: World) -> None:
    waiting = next(item.process_id for item in world.sandbox.audit().due if item.label and not item.label_blocked)
    ids = [due(world), waiting]

    def began() -> dict[str, datetime]:
        return world.read(runs_began, ids)

    world.run("process-pending-returns")
    world.run("generate-labels", mode="act")
    world.run("reconcile", mode="act")
    assert began() == {}
    before = utc_now()
    for process_id in ids:
        world.run("process-return", process_id=process_id, mode="act")
    first = began()
    assert set(first) == set(ids)
    assert before <= first[ids[0]] < first[ids[1]] <= utc_now()
    world.run("process-return", process_id=ids[0], mode="act")  # it is at its end by now, and looked at all the same
    assert began()[ids[0]] > first[ids[0]]
