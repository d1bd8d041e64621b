"""Costs of a return: told by `return_costs`, by lines of type `cost`, by fees; counted once, and never as goods."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rever_api.models import ReturnProcess
from tasks.policy.decide import decide
from tasks.policy.decision import Compensate, Decision, Hold
from tasks.policy.facts import costs_contradict, costs_told, incomplete
from tests.tasks.policy.factories import NOW, ORIGINAL, record, rules

LINE = {"id": "l1", "quantity": 1, "total_price": "24.00", "currency": "EUR", "compensation_method": ORIGINAL}
REVIEW = {"line_item_id": "l1", "status": "APPROVED", "review_date": "2026-03-21T10:00:00Z"}


def told(*costs: str, fees: tuple[str, ...] = (), kind: str = "cost", **fields: Any) -> ReturnProcess:
    """A return of 24.00 as REVER's JSON, with these totals of cost lines and these fees."""
    lines = [{"rever_id": f"c{n}", "type": kind, "name": "shipping", "quantity": 0, "total_price": it}
             for n, it in enumerate(costs)]  # fmt: skip
    named = [{"type": "SHIPPING_FEE", "amount": it, "currency": "EUR"} for it in fees]
    body = {
        "rever_process_id": "retp_1", "rever_process_status": "RUNNING", "return_status": "REVIEW_REQUIRED",
        "return_line_items": [LINE, *lines], "line_fees": named, "reviews": [REVIEW],
        "compensation": {"refunds": []}, "logistics": [{"status": "IN_WAREHOUSE"}],
    }  # fmt: skip
    return ReturnProcess.model_validate(body | fields)


def decided(it: ReturnProcess) -> Decision:
    return decide(it, rules(), record(), NOW)


@pytest.mark.parametrize(
    ("it", "paid"),
    [
        (told("-3.50"), "20.50"),
        (told("-3.50", kind="COST"), "20.50"),
        (told("-3.50", "-1.00"), "19.50"),
        (told(fees=("3.50",)), "20.50"),
        (told(fees=("-3.50",)), "20.50"),
        (told(return_costs="3.50"), "20.50"),
        (told("-3.50", return_costs="3.50"), "20.50"),
        (told("-3.50", fees=("3.50",)), "20.50"),
        (told("-3.50", fees=("3.50",), return_costs="3.50"), "20.50"),
        (told("-3.50", fees=("1.00",), return_costs="4.50"), "19.50"),
        (told("0.00", return_costs="0.00"), "24.00"),
        (told("0.00", fees=("0.00",), return_costs="3.50"), "20.50"),
    ],
)
def test_costs_are_taken_off_once(it: ReturnProcess, paid: str) -> None:
    decision = decided(it)
    assert isinstance(decision, Compensate)
    (due,) = decision.refunds
    assert (due.amount, due.gross) == (Decimal(paid), Decimal("24.00"))
    assert [item.line_id for item in due.items] == ["l1"]


@pytest.mark.parametrize(
    "it",
    [
        told("-3.50", return_costs="0.00"),
        told("-3.50", return_costs="3.51"),
        told("-3.50", fees=("3.51",)),
        told("-3.50", fees=("1.00",), return_costs="3.60"),
        told("3.50"),
        told("3.50", return_costs="3.50"),
        told(fees=("3.50", "-1.00")),
        told("-0.001"),
        told(return_line_items=[LINE, {"type": "cost", "quantity": 0, "total": -350}]),
        told(return_line_items=[LINE, {"type": "cost", "total_price": "-3.50", "currency": "SEK"}]),
        told(line_fees=[{"type": "HANDLING_FEE"}]),
        told(return_line_items=[{"type": "cost", "total_price": "-3.50"}]),
    ],
)
def test_costs_that_contradict_each_other_hold(it: ReturnProcess) -> None:
    decision = decided(it)
    assert isinstance(decision, Hold)
    assert decision.rule == "contradictory"


def test_a_review_of_a_cost_is_a_contradiction() -> None:
    line = {"id": "c1", "type": "cost", "quantity": 1, "total_price": "-3.50"}
    review = {"line_item_id": "c1", "status": "APPROVED"}
    it = told(return_line_items=[LINE, line], reviews=[REVIEW, review], return_costs="3.50")
    assert decided(it).rule == "contradictory"


def test_a_read_that_tells_the_costs_in_lines_leaves_nothing_out() -> None:
    assert incomplete(told("-3.50"), rules()) == incomplete(told("0.00"), rules()) == ()
    assert incomplete(told(), rules()) == ("return_costs",)
    assert decided(told()).rule == "incomplete_read"


cents = st.integers(1, 5_000).map(lambda cents: Decimal(cents) / 100)


@given(st.lists(cents, max_size=4), st.lists(cents, max_size=3), st.none() | cents)
def test_what_is_taken_off_is_one_way_of_telling_it_and_never_more(
    lines: list[Decimal], fees: list[Decimal], costs: Decimal | None
) -> None:
    """Where nothing contradicts, costs are `return_costs` where it is told, else one of the other ways: never a sum."""
    more = {} if costs is None else {"return_costs": str(costs)}
    it = told(*(str(-each) for each in lines), fees=tuple(str(each) for each in fees), **more)
    if list(costs_contradict(it)):
        return
    ways = {sum(lines, Decimal(0)), sum(fees, Decimal(0))} - {Decimal(0)}
    assert costs_told(it) in ({costs} if costs is not None else ways or {Decimal(0)})
