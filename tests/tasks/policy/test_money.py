"""The arithmetic: exact sums, rounding half up, costs taken once."""

from decimal import ROUND_DOWN, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.policy.money import ROUNDINGS, gross, minor_unit, net, net_amounts, payable, shown, unit_value, value
from tasks.policy.record import LineTerms

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
