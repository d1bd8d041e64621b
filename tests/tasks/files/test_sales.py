"""What a shop sold, by day, and rates of exchange: read whole, or refused with every problem."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tasks.desk import WrongNameError
from tasks.files.sales import SoldTable, read_rates, read_sold
from tasks.reporting.daily_data import Rate, Sold, StoreWindow
from tests.tasks.policy.factories import NOW

HEADER = "store,day,orders,units,sales,currency\n"


def sold(folder: Path, rows: str, *stores: str) -> SoldTable:
    path = folder / "sold.csv"
    path.write_text(HEADER + rows)
    return read_sold(path, stores or ("acme",))


def test_days_are_summed_and_a_store_that_lacks_one_is_left_out(tmp_path: Path) -> None:
    rows = "acme,2026-03-19,4,6,90.00,EUR\nacme,2026-03-20,1,,10.50,EUR\nacme,2026-03-20,0,,5.00,SEK\n"
    table = sold(tmp_path, f"{rows}nordic,2026-03-19,9,9,9.00,SEK\n", "acme", "nordic")
    midnight = NOW.replace(hour=0)
    windows = {it: StoreWindow(it, midnight - timedelta(days=2), midnight) for it in ("acme", "nordic")}
    sums = {"EUR": Decimal("100.50"), "SEK": Decimal("5.00")}
    assert table.of(windows) == {"acme": Sold(orders=5, units=None, sales=sums)}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (",-,4,6,90.00,EUR\n", "row 2, day is '-'; right would be a date of the store's zone, such as 2026-12-01"),
        (",,4,6,90.00,EUR\n", "row 2, day is ''; right would be a date of the store's zone"),
        (",2026-03-19,4,6,90.00,EUR\n,2026-03-19,1,1,1.00,EUR\n", "acme has 2 rows for 2026-03-19; keep one"),
        (",2026-03-19,four,6,90.00,\n", "orders is 'four'; right would be a whole number"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(tmp_path: Path, rows: str, said: str) -> None:
    with pytest.raises(WrongNameError) as refused:
        sold(tmp_path, rows)
    assert said in str(refused.value)


def test_rates_are_read_and_each_currency_has_one(tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    path.write_text("currency,into,rate\nSEK,EUR,0.0871\n")
    assert read_rates(path) == (Rate("SEK", "EUR", Decimal("0.0871")),)
    path.write_text("currency,into,rate\nSEK,EUR,0.0871\nSEK,USD,0.1\nNOK,,0.1\n")
    with pytest.raises(WrongNameError) as refused:
        read_rates(path)
    assert "row 3, currency SEK has a row already; right would be one row for each currency" in str(refused.value)
    assert "row 4, into is empty" in str(refused.value)
