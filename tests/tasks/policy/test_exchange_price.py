"""An exchange for dearer goods is not ordered until a person has seen that the shopper paid, where prices are told."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rever_api.models import ReturnLineItem, ReturnProcess
from tasks.policy.decide import decide
from tasks.policy.decision import Compensate, Decision, Hold
from tasks.policy.record import HoldKind, Waiver
from tests.tasks.policy.factories import EXCHANGE, GIFT, NOW, approved, line, process, record, rules

PRICES = st.decimals(Decimal("0.01"), Decimal(300), places=2)


def swap(price: str | Decimal | None, total: str | Decimal = "10.00", units: int = 1, **of: Any) -> ReturnLineItem:
    """A line to be exchanged for goods of this price a unit."""
    it = line(quantity=units, total=str(total), method=EXCHANGE, variant="v", **of)
    assert it.exchange_for
    told = {"unit_price": None if price is None else Decimal(price)}
    return it.model_copy(update={"exchange_for": it.exchange_for.model_copy(update=told)})


def decided(it: ReturnProcess, *waivers: Waiver) -> Decision:
    return decide(it, rules(), record(waivers=waivers), NOW)


def test_the_hold_says_both_prices_and_an_approval_lets_it_pass() -> None:
    it = process(swap("12.50", "20.00", units=2), reviews=approved(units=2))
    held = decided(it)
    assert isinstance(held, Hold)
    assert (held.rule, held.kind, held.amount) == ("exchange_difference", HoldKind.APPROVAL, Decimal(20))
    assert held.why == (
        "the goods wanted instead cost 25.00 EUR, and those that come back are worth 20.00 EUR: 5.00 EUR more. "
        "Whether the shopper has paid for that, REVER does not tell: look there, then `approve`"
    )
    passed = decided(it, Waiver("exchange_difference", Decimal(20), "EUR"))
    assert isinstance(passed, Compensate)
    assert passed.exchange is not None


@given(prices=st.lists(st.tuples(PRICES | st.none(), PRICES, st.integers(1, 3)), min_size=1, max_size=3))
def test_no_exchange_is_ordered_that_is_dearer_by_the_prices_told(
    prices: list[tuple[Decimal | None, Decimal, int]],
) -> None:
    lines = [
        swap(price, total, units).model_copy(update={"id": f"retl_{n}"})
        for n, (price, total, units) in enumerate(prices)
    ]
    reviews = [it for each in lines for it in approved(each.id, each.quantity)]
    found = decided(process(*lines, reviews=reviews))
    told = [(price * units, total) for price, total, units in prices if price is not None]
    dearer = sum(new for new, _ in told) > sum(back for _, back in told)
    assert (found.rule == "exchange_difference") is dearer
    assert isinstance(found, Hold if dearer else Compensate)


def test_what_is_refunded_beside_it_is_paid_first() -> None:
    other = line("retl_2", method=GIFT)
    it = process(swap("12.50"), other, reviews=[*approved(), *approved("retl_2")])
    found = decided(it)
    assert isinstance(found, Compensate)
    assert [(it.method, it.amount) for it in found.refunds] == [(GIFT, Decimal(10))]
    assert found.exchange is None


def test_prices_in_another_currency_cannot_be_compared_and_are_asked_about() -> None:
    it = swap("1.00")
    assert it.exchange_for
    dollars = it.model_copy(update={"exchange_for": it.exchange_for.model_copy(update={"currency": "USD"})})
    found = decided(process(dollars, reviews=approved()))
    assert found.rule == "exchange_difference"
    assert "are not priced in EUR" in found.why


RAW: dict[str, Any] = {
    "rever_process_id": "retp_1",
    "rever_process_status": "RUNNING",
    "return_line_items": [
        {"id": "retl_1", "quantity": 1, "total_price": "10.00", "currency": "EUR", "compensation_method": EXCHANGE,
         "exchange_for": {"variant_id": "v"}},
        {"id": "retl_2", "quantity": 1, "total_price": "12.00", "currency": "EUR", "pending_purchase": True},
        {"id": "retl_3", "quantity": 0, "total_price": "-1.00", "type": "cost", "pending_purchase": True},
    ],
}  # fmt: skip
"""A return as REVER showed it in 2023: what the exchange brings stands among the lines."""


@pytest.mark.parametrize(("total", "rule"), [("12.00", "exchange_difference"), ("10.00", "on_item_verified")])
def test_goods_that_an_exchange_brings_are_none_that_come_back_and_tell_its_price(total: str, rule: str) -> None:
    lines = [dict(each) for each in RAW["return_line_items"]]
    lines[1]["total_price"] = total
    told = ReturnProcess.model_validate(RAW | {"return_line_items": lines})
    assert [it.id for it in told.return_line_items] == ["retl_1"]
    assert (len(told.new_items), len(told.cost_lines)) == (1, 1)
    shown = process(reviews=approved()).model_copy(
        update={"return_line_items": told.return_line_items, "new_items": told.new_items}
    )
    assert decided(shown).rule == rule
