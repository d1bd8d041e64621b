"""The arithmetic: exact sums, rounding half up, costs taken once."""

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rever_api.models import ReturnLineItem, ReturnProcess
from tasks.policy.decide import decide
from tasks.policy.decision import Compensate, Decision, Hold
from tasks.policy.money import (
    ROUNDINGS,
    Due,
    FreeUnits,
    due_of,
    gross,
    minor_unit,
    net,
    net_amounts,
    payable,
    shown,
    unit_value,
    value,
)
from tasks.policy.record import TO_PAY_SEEN, HoldKind, LineTerms, Waiver
from tests.tasks.policy.factories import (
    BANK,
    EXCHANGE,
    GIFT,
    NOW,
    ORIGINAL,
    approved,
    line,
    process,
    record,
    rules,
    terms,
)

CURRENCIES = ["EUR", "SEK", "JPY", "BHD", "HUF", "CLF"]


@st.composite
def line_terms(draw: st.DrawFn) -> LineTerms:
    currency = draw(st.sampled_from(CURRENCIES))
    minor = draw(st.integers(0, 10**9))
    return LineTerms(Decimal(minor).scaleb(-minor_unit(currency)), draw(st.integers(1, 60)), currency)


@given(line_terms())
@settings(max_examples=200, deadline=None)
def test_all_units_are_worth_exactly_the_total(terms: LineTerms) -> None:
    units = range(1, terms.quantity + 1)
    assert gross(terms, units) == terms.total
    assert all(unit_value(terms, unit) >= 0 for unit in units)
    assert all(payable(unit_value(terms, unit), terms.currency) for unit in units)


def test_a_unit_is_rounded_as_its_line_was_first_paid(monkeypatch: pytest.MonkeyPatch) -> None:
    def down(total: Decimal, quantity: int, approved: int, _currency: str) -> Decimal:
        return (total * approved / quantity).quantize(Decimal("0.01"), ROUND_DOWN)

    monkeypatch.setattr("tasks.policy.money.ROUNDINGS", {**ROUNDINGS, "down": down})
    worth = {name: LineTerms(Decimal("0.05"), 2, "EUR", name) for name in ("half_up", "down")}
    assert [unit_value(worth["half_up"], unit) for unit in (1, 2)] == [Decimal("0.03"), Decimal("0.02")]
    assert [unit_value(worth["down"], unit) for unit in (1, 2)] == [Decimal("0.02"), Decimal("0.03")]


@pytest.mark.parametrize(
    ("currency", "digits"), [("EUR", 2), ("HUF", 2), ("JPY", 0), ("KRW", 0), ("ISK", 0), ("BHD", 3), ("XYZ", 2)]
)
def test_minor_units(currency: str, digits: int) -> None:
    assert minor_unit(currency) == digits


@pytest.mark.parametrize(
    ("total", "quantity", "approved", "currency", "worth"),
    [
        ("10.00", 3, 1, "EUR", "3.33"),
        ("10.00", 3, 2, "EUR", "6.67"),
        ("0.01", 2, 1, "EUR", "0.01"),
        ("0.05", 2, 1, "EUR", "0.03"),
        ("5", 2, 1, "JPY", "3"),
        ("1.001", 2, 1, "BHD", "0.501"),
    ],
)
def test_value_rounds_half_up(total: str, quantity: int, approved: int, currency: str, worth: str) -> None:
    assert value(Decimal(total), quantity, approved, currency) == Decimal(worth)


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=8), st.integers(0, 30_000), st.integers(0, 10_000))
@settings(max_examples=200, deadline=None)
def test_costs_come_off_once_and_from_the_first(values: list[int], costs: int, before: int) -> None:
    steps = [Decimal(each).scaleb(-2) for each in values]
    cost, earlier = Decimal(costs).scaleb(-2), Decimal(before).scaleb(-2)
    amounts = net_amounts(steps, earlier, cost)
    assert sum(amounts) == net(earlier + sum(steps), cost) - net(earlier, cost)
    assert all(0 <= amount <= step for amount, step in zip(amounts, steps, strict=True))
    paid = [amount for amount, step in zip(amounts, steps, strict=True) if step]
    first = next((index for index, amount in enumerate(paid) if amount), len(paid))
    assert all(paid[first + 1 :]), "nothing is taken off after the first amount that is paid"


def test_payable_refuses_what_the_currency_cannot_express() -> None:
    assert payable(Decimal("10.100"), "EUR")
    assert not payable(Decimal("10.001"), "EUR")
    assert not payable(Decimal("1E+400"), "EUR")
    assert not payable(Decimal("0.5"), "JPY")


def test_an_amount_is_shown_with_its_decimals() -> None:
    assert shown(Decimal("24"), "EUR") == "24.00 EUR"
    assert shown(Decimal("24"), "JPY") == "24 JPY"


@pytest.mark.parametrize(
    ("amount", "currency", "words"),
    [
        ("1.005", "EUR", "1.005 EUR"),
        ("24.5", "JPY", "24.5 JPY"),
        ("1E+15", "EUR", "1E+15 EUR"),
        ("NaN", "EUR", "NaN EUR"),
    ],
)
def test_an_amount_that_nobody_can_pay_is_shown_as_it_is_and_never_rounded(
    amount: str, currency: str, words: str
) -> None:
    assert not payable(Decimal(amount), currency)
    assert shown(Decimal(amount), currency) == words


def due(parts: Sequence[tuple[ReturnLineItem, str]], before: str = "0", costs: str = "0", *, ready: bool = True) -> Due:
    """What is due of one unit of each of these lines, worth so much."""
    free = [FreeUnits(it, str(it.compensation_method), terms(total, 1, it.currency), (1,)) for it, total in parts]
    return due_of(free, Decimal(before), Decimal(costs), exchange_ready=ready)


def test_costs_go_on_from_method_to_method_and_from_what_was_paid_before() -> None:
    """Of costs of 10.00, 3.00 were taken before; 4.00 come off the first refund here, 3.00 off the second."""
    parts = [(line("a"), "4.00"), (line("b", method=GIFT), "5.00"), (line("c", method=BANK), "6.00")]
    found = due(parts, before="3.00", costs="10.00")
    assert [(each.method, str(each.amount), str(each.gross)) for each in found.refunds] == [
        (ORIGINAL, "0.00", "4.00"),
        (GIFT, "2.00", "5.00"),
        (BANK, "6.00", "6.00"),
    ]


def test_worth_keeps_the_decimals_of_its_currency() -> None:
    [refund] = due([(line(currency="BHD"), "1.234")]).refunds
    assert (refund.gross, refund.amount) == (Decimal("1.234"), Decimal("1.234"))


def test_refunds_are_due_while_an_exchange_waits_for_its_inspection() -> None:
    found = due([(line("a"), "4.00"), (line("b", method=EXCHANGE, variant="v"), "5.00")], ready=False)
    assert [str(each.amount) for each in found.refunds] == ["4.00"]
    assert (found.exchange, found.exchange_waits) == (None, 1)


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
        "the shopper is to pay 5.00 EUR: the goods wanted instead cost 25.00 EUR, and those that come back are worth "
        "20.00 EUR. REVER does not tell whether that is paid: look there, and `approve` orders the exchange"
    )
    approved_it = Waiver("exchange_difference", Decimal(20), "EUR")
    passed = decided(it, approved_it, Waiver(TO_PAY_SEEN, Decimal(5), "EUR"))
    assert isinstance(passed, Compensate)
    assert passed.exchange is not None
    assert isinstance(decided(it, approved_it, Waiver(TO_PAY_SEEN, Decimal("4.99"), "EUR")), Hold)


def test_the_hold_of_goods_that_are_worth_nothing_says_in_which_currency_the_shopper_pays() -> None:
    held = decided(process(swap("5.00", "0.00"), reviews=approved()))
    assert isinstance(held, Hold)
    assert (held.rule, held.amount, held.to_pay, held.currency) == ("exchange_difference", None, Decimal(5), "EUR")


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
