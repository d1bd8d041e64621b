"""The sandbox's own arithmetic: thirds, halves of a cent, currencies with other minor units."""

from decimal import Decimal

import pytest

from rever_api.models import ReturnLineItem
from rever_api.sandbox.arithmetic import line_value, major, minor


def line(total: str, quantity: int, currency: str) -> ReturnLineItem:
    return ReturnLineItem(id="retl_1", quantity=quantity, total_price=Decimal(total), currency=currency)


@pytest.mark.parametrize(
    ("total", "quantity", "currency", "values"),
    [
        ("10.00", 3, "EUR", [0, 333, 667, 1000]),
        ("0.01", 2, "EUR", [0, 1, 1]),
        ("10.01", 2, "SEK", [0, 501, 1001]),
        ("100", 3, "JPY", [0, 33, 67, 100]),
        ("0.005", 2, "BHD", [0, 3, 5]),
    ],
)
def test_the_value_of_k_units_is_rounded_half_up_and_ends_at_the_total(
    total: str, quantity: int, currency: str, values: list[int]
) -> None:
    assert [line_value(line(total, quantity, currency), units) for units in range(quantity + 1)] == values


def test_minor_units_go_there_and_back() -> None:
    assert str(major(minor(Decimal("7.5"), "EUR"), "EUR")) == "7.50"
    assert str(major(minor(Decimal(7), "JPY"), "JPY")) == "7"
    with pytest.raises(ValueError, match="minor unit"):
        minor(Decimal("7.5"), "JPY")
