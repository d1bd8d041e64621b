"""A REVER that tells costs as lines of type `cost`, as its older answers did: taken off once, and never refunded."""

from typing import Any

import pytest

from rever_api.models import ReturnProcess
from rever_api.sandbox import operations
from tests.world import Start


@pytest.mark.parametrize("also", [False, True])
def test_costs_among_the_lines_are_taken_off_once(
    start_world: Start, monkeypatch: pytest.MonkeyPatch, also: bool
) -> None:
    original = operations.wire

    def wire(model: Any) -> dict[str, Any]:
        body = original(model)
        if isinstance(model, ReturnProcess):
            costs = body["return_costs"] if also else body.pop("return_costs")
            cost = {"type": "cost", "name": "shipping", "quantity": 0, "total_price": f"-{costs}"}
            body["return_line_items"].append(cost)
        return body

    monkeypatch.setattr(operations, "wire", wire)
    scenarios = ("costs_smaller", "costs_larger", "approved_one")
    world = start_world(returns=9, shops=("acme",), scenarios=scenarios)
    due = world.sandbox.audit().due_total
    world.act()
    assert world.sandbox.audit().violations == ()
    assert (world.paid(), world.sandbox.audit().due_total, world.holds()) == (due, {}, [])
