"""On which day a pickup is ordered, so that the carrier comes on a working day."""

from datetime import date

import pytest

from rever_api.models import Address
from tasks.policy.pickup_days import day_off, order_on

SPAIN = Address(country_code="ES")
FRIDAY = date(2026, 12, 4)


@pytest.mark.parametrize(
    ("day", "address", "why"),
    [
        (date(2026, 12, 1), SPAIN, ""),
        (date(2026, 12, 5), SPAIN, "Saturday"),
        (date(2026, 12, 6), SPAIN, "Sunday"),
        (date(2026, 12, 8), SPAIN, "Immaculate Conception"),
        (date(2026, 12, 8), Address(country="Francia"), ""),
        (date(2026, 7, 14), Address(country="Francia"), "National Day"),
        (date(2026, 9, 11), SPAIN, ""),
        (date(2026, 9, 11), Address(country_code="ES", state_province="Catalunya"), "National Day of Catalonia"),
        (date(2026, 9, 11), Address(country_code="ES", state_province_code="CT"), "National Day of Catalonia"),
        (date(2026, 9, 11), Address(country_code="ES", state_province_code="ES-CT"), "National Day of Catalonia"),
        (date(2026, 9, 11), Address(country_code="ES", state_province_code="ct"), "National Day of Catalonia"),
        (date(2026, 9, 11), Address(country_code="ES", state_province="Nowhere", state_province_code="B"), ""),
        (date(2026, 12, 4), Address(country_code="IL"), "Friday"),
        (date(2026, 12, 5), Address(country_code="KP"), "Saturday"),
        (date(2026, 12, 5), None, "Saturday"),
    ],
)
def test_what_makes_a_day_one_off(day: date, address: Address | None, why: str) -> None:
    assert day_off(day, address) == why


def test_a_pickup_is_ordered_so_that_it_comes_on_a_working_day() -> None:
    assert order_on(date(2026, 12, 1), 1, SPAIN) == (date(2026, 12, 1), "")
    assert order_on(FRIDAY, 1, SPAIN) == (date(2026, 12, 6), "2026-12-05 is Saturday")
    assert order_on(FRIDAY, 3, SPAIN) == (FRIDAY, ""), "Monday"
    assert order_on(FRIDAY, 4, SPAIN) == (date(2026, 12, 5), "2026-12-08 is Immaculate Conception")
    assert order_on(date(2026, 12, 24), 1, SPAIN)[0] == date(2026, 12, 27)


def test_over_a_change_of_the_year_the_holidays_of_the_next_one_count() -> None:
    assert order_on(date(2026, 12, 31), 1, SPAIN) == (date(2027, 1, 3), "2027-01-01 is New Year's Day")
    assert order_on(date(2027, 12, 31), 5, SPAIN) == (date(2027, 12, 31), ""), "a Wednesday"
    assert order_on(date(2027, 12, 31), 6, SPAIN) == (date(2028, 1, 1), "2028-01-06 is Epiphany")
