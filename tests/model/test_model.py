"""A bounded part of the model, from fixed seeds: `python -m tests.model --steps 10000` is the whole of it."""

import pytest
from hypothesis.stateful import RuleBasedStateMachine

from rever_api.models import RefundTiming
from rever_api.sandbox.state import Actor
from tasks.crash_points import CrashPoint
from tasks.ledger import switch
from tests.model import load
from tests.model.counts import COUNTS
from tests.model.machine import Liveness, Safety, Weather
from tests.model.rounds import round_of


@pytest.mark.timeout(300)
@pytest.mark.parametrize("machine", [Safety, Liveness])
def test_nothing_is_broken_whatever_happens_in_whatever_order(machine: type[RuleBasedStateMachine]) -> None:
    before = COUNTS.steps
    round_of(machine, 7, examples=4, steps=20, shrink=False)
    assert COUNTS.steps - before >= 60


def test_a_desk_that_stopped_itself_is_started_again_and_forgets_nothing() -> None:
    plain = load.NewReturn(0, (load.Line(1, "ORIGINAL_PAYMENT_METHOD", "OTHER", "", "M"),), "0", "DROP_OFF_POINT", "")
    machine = Liveness()
    machine.open_for_business(
        shops=("acme",),
        acme=RefundTiming.ON_ITEM_VERIFIED,
        delay=0.0,
        first=[plain],
        weather=Weather("all", 0.0, 0, 0.5),
    )
    world = machine.world
    assert world is not None
    machine.worker_is_overtaken(news=[plain] * 3, point=str(CrashPoint.BEFORE_INTENT), deed="pay")
    assert world.read(switch).stopped
    world.pass_time(7200)  # what began by then is not asked about after the stop
    due = load.open_return(world, plain)
    load.try_act(world, "review", due)
    machine.teardown()
    assert [effect.by for effect in world.sandbox.books if effect.process_id == due][-1] is Actor.API
