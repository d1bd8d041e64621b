"""cancel-return: a person calls one return off, once, and nothing is paid for it any more."""

import pytest

from flows.run import RunFailedError, UsageError, parameters_for
from rever_api.models import ProcessStatus
from tasks.desk import WrongNameError
from tasks.ledger import history
from tests.judge import assert_promises_kept
from tests.world import Start, World, told

WHY = "the shopper keeps the goods"


@pytest.fixture
def world(start_world: Start) -> World:
    """One return whose parcel is on its way."""
    world = start_world(shops=("acme",), returns=34)
    world.keep_only(("collected",))
    return world


def cancelled(world: World) -> int:
    return sum(effect.operation == "cancelReturnProcess" for effect in world.sandbox.books)


def test_it_is_called_off_once_and_then_never_paid(world: World) -> None:
    (process_id,) = world.sandbox.process_ids()
    order = world.sandbox.sandbox.find(process_id).process.order_name.lstrip("#")
    plan = world.run("cancel-return", mode="plan", process_id=order, reason=WHY)
    assert (plan.decisions["cancel"], cancelled(world)) == (1, 0)
    done = world.run("cancel-return", mode="act", process_id=order, reason=WHY)
    assert (done.outcomes["done"], cancelled(world)) == (1, 1)
    known = world.read(history, process_id)
    assert known is not None
    assert f"a cancellation was asked for: {WHY}" in told(known)
    assert world.sandbox.sandbox.find(process_id).process.rever_process_status == ProcessStatus.CANCELED
    again = world.run("cancel-return", mode="act", process_id=process_id, reason=WHY)
    assert again.notes[-1] == "not called off: the cancellation is not to be done: the return is 'CANCELED' at REVER"
    world.act()
    assert (world.paid(), cancelled(world)) == ({}, 1)
    assert_promises_kept(world)


def test_one_that_was_paid_is_not(start_world: Start) -> None:
    world = start_world(shops=("acme",), returns=34)
    world.keep_only(("partially_reviewed",))
    (process_id,) = world.sandbox.process_ids()
    world.act()
    assert world.paid()
    report = world.run("cancel-return", mode="act", process_id=process_id, reason=WHY)
    assert report.notes[-1].endswith("money or goods went out for it")
    assert cancelled(world) == 0


def test_an_answer_that_is_lost_is_looked_for_and_not_sent_again(world: World) -> None:
    (process_id,) = world.sandbox.process_ids()
    world.sandbox.set_faults("cancelReturnProcess:1:error_500_after")
    world.run("cancel-return", mode="act", process_id=process_id, reason=WHY)
    world.pass_time(3600)
    world.run("cancel-return", mode="act", process_id=process_id, reason=WHY)
    assert (cancelled(world), world.holds()) == (1, [])
    assert_promises_kept(world)


def test_another_end_is_not_taken_for_the_cancellation_that_was_lost(world: World) -> None:
    (process_id,) = world.sandbox.process_ids()
    world.sandbox.set_faults("cancelReturnProcess:1:error_500_before")
    world.run("cancel-return", mode="act", process_id=process_id, reason=WHY)
    world.sandbox.act("fail", process_id)
    world.pass_time(3600)
    world.run("reconcile", mode="act")
    (hold,) = world.holds()
    assert (hold.rule, cancelled(world)) == ("unknown_outcome", 0)
    assert hold.why == "REVER shows the return as FAILED, and not as cancelled"


def test_of_an_order_with_several_returns_one_is_named(start_world: Start) -> None:
    world = start_world(shops=("acme",), returns=34 * 2)
    world.keep_only(("collected",))
    with world.sandbox.sandbox.locked():
        one, other = world.sandbox.sandbox.processes.values()
        world.sandbox.sandbox.change(other, order_name=one.process.order_name, order_id=one.process.order_id)
    order = one.process.order_name.lstrip("#")
    with pytest.raises((WrongNameError, RunFailedError), match="has 2 returns; name one by its id"):
        world.run("cancel-return", mode="act", process_id=order, reason=WHY)
    assert cancelled(world) == 0


@pytest.mark.parametrize("reason", ["", "  ", "ann@example.com wants it", "two\nlines", "x" * 201])
def test_a_reason_is_asked_for_that_names_no_shopper(reason: str) -> None:
    with pytest.raises(UsageError, match="reason"):
        parameters_for("cancel-return", {"process_id": "retp_1", "reason": reason})
