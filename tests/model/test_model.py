"""A bounded part of the model, from fixed seeds: `python -m tests.model --steps 10000` is the whole of it."""

import pytest
from hypothesis.stateful import RuleBasedStateMachine

from tests.model.counts import COUNTS
from tests.model.machine import Liveness, Safety
from tests.model.rounds import round_of


@pytest.mark.timeout(300)
@pytest.mark.parametrize("machine", [Safety, Liveness])
def test_nothing_is_broken_whatever_happens_in_whatever_order(machine: type[RuleBasedStateMachine]) -> None:
    before = COUNTS.steps
    round_of(machine, 7, examples=4, steps=20, shrink=False)
    assert COUNTS.steps - before >= 60
