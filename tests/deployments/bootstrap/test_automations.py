"""The automations know every state in which a run can be left by a worker that was killed."""

import inspect

import pytest
from prefect import states
from prefect.client.schemas.objects import State, StateType
from prefect.events.schemas.automations import AutomationCore, EventTrigger

from deployments.bootstrap.automations import dead_runs, runs_not_begun


def names_of(kind: StateType) -> set[str]:
    """The names under which this Prefect makes states of a type."""
    made: list[State] = []
    for name, make in inspect.getmembers(states, inspect.isfunction):
        if name[0].isupper() and not [
            each
            for each in inspect.signature(make).parameters.values()
            if each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD
        ]:
            made.append(make())
    return {str(state.name) for state in made if state.type is kind}


def heard(automation: AutomationCore) -> set[str]:
    """The names of the states that start its clock."""
    assert isinstance(automation.trigger, EventTrigger)
    return {event.rpartition(".")[2] for event in automation.trigger.after} - {"heartbeat"}


@pytest.mark.parametrize(
    ("automation", "kind"), [(runs_not_begun(), StateType.PENDING), (dead_runs(), StateType.RUNNING)]
)
def test_each_name_of_the_state_is_heard(automation: AutomationCore, kind: StateType) -> None:
    names = names_of(kind)
    assert len(names) > 1
    assert heard(automation) == names
