"""A shop's own counts of what it sold, by day, and rates of exchange: the two files that a report may be given."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

from tasks.desk import WrongNameError
from tasks.files.fact_rows import (
    CURRENCY,
    Columns,
    FactTableError,
    TableReader,
    WrongCellError,
    day,
    money,
    number,
    text,
)
from tasks.policy.money import ZERO, is_currency
from tasks.reporting.daily_data import Rate, Sold, StoreWindow

_RATE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,12})?")


def _currency(cell: str, _: str) -> str:
    if not is_currency(cell):
        raise WrongCellError("a currency's code, such as EUR")
    return cell


def _rate(cell: str, _: str) -> Decimal:
    if not _RATE.fullmatch(cell) or not Decimal(cell):
        raise WrongCellError("what one unit is worth, in plain digits with a point, such as 0.0871")
    return Decimal(cell)


SOLD_COLUMNS: Columns = MappingProxyType(
    {
        "store": ("store", text),
        "orders": ("orders", number),
        "units": ("units", number),
        "sales": ("sales", money),
    }
)
DAY = "day"
RATE_COLUMNS: Columns = MappingProxyType({"into": ("into", _currency), "rate": ("rate", _rate)})


@dataclass(frozen=True, slots=True)
class SoldRow:
    """What a store sold on a day; None where the file does not say."""

    store: str
    day: date
    orders: int | None
    units: int | None
    sales: Decimal | None
    currency: str


@dataclass(frozen=True, slots=True)
class SoldTable:
    """What stores sold, day by day."""

    rows: tuple[SoldRow, ...]

    def of(self, windows: Mapping[str, StoreWindow]) -> dict[str, Sold]:
        """What each store sold in its window; a store is left out of which a day has no row.

        The file counts by day: of a window that begins or ends within one, the whole day counts.
        """
        found = {}
        for store, window in windows.items():
            days = {each.day for each in window.days()}
            mine = [row for row in self.rows if row.store == store and row.day in days]
            if {row.day for row in mine} == days:
                found[store] = Sold(
                    orders=_whole([row.orders for row in mine]),
                    units=_whole([row.units for row in mine]),
                    sales=_by_currency(mine),
                )
        return found


def _whole(counts: Sequence[int | None]) -> int | None:
    known = [each for each in counts if each is not None]
    return sum(known) if len(known) == len(counts) else None


def _by_currency(rows: Sequence[SoldRow]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for row in rows:
        if row.sales is not None:
            sums[row.currency] = sums.get(row.currency, ZERO) + row.sales
    return sums


def read_sold(path: Path, stores: Sequence[str]) -> SoldTable:
    """The file of what was sold: `day`, `orders`, `units`, `sales` with `currency`; `store` if there are several.

    Raises `WrongNameError` with every problem of the file.
    """
    reader = TableReader(path, SOLD_COLUMNS, (DAY,))
    rows = []
    try:
        for row in reader.rows():
            told, cell = row.facts(), row.cell(DAY)
            store = told.get("store") or (stores[0] if len(stores) == 1 else "")
            if not store:
                row.refuse("store", "is empty", f"one of {', '.join(stores)}")
            try:
                on = day(cell, "")
            except WrongCellError:
                on = None
            if on is None:
                row.refuse(DAY, f"is {cell[:60]!r}", "a date of the store's zone, such as 2026-12-01")
            if on is None or row.wrong:
                continue
            sales = told.get("sales")
            amount, currency = (sales.amount, sales.currency) if sales else (None, "")
            rows.append(SoldRow(store, on, told.get("orders"), told.get("units"), amount, currency))
        for (store, on, _), many in Counter((it.store, it.day, it.currency) for it in rows).items():
            if many > 1:
                reader.problem(f"{store} has {many} rows for {on}; keep one for each store, day and currency")
        reader.end()
    except FactTableError as problems:
        raise WrongNameError(" ".join(problems.problems)) from None
    return SoldTable(tuple(rows))


def read_rates(path: Path) -> tuple[Rate, ...]:
    """The file of rates: `currency`, `into`, `rate`, one row for each currency.

    Raises `WrongNameError` with every problem of the file.
    """
    reader = TableReader(path, RATE_COLUMNS, (CURRENCY,))
    rates: dict[str, Rate] = {}
    try:
        for row in reader.rows():
            told, currency = row.facts(), row.cell(CURRENCY)
            if not is_currency(currency):
                row.refuse(CURRENCY, f"is {currency[:60]!r}", "a currency's code, such as SEK")
            for column in RATE_COLUMNS:
                if column not in told and not row.wrong:
                    row.refuse(column, "is empty", f"a row such as {CURRENCY}=SEK, into=EUR, rate=0.0871")
            if row.wrong:
                continue
            if currency in rates:
                row.refuse(CURRENCY, f"{currency} has a row already", "one row for each currency")
            rates[currency] = Rate(currency, told["into"], told["rate"])
        reader.end()
    except FactTableError as problems:
        raise WrongNameError(" ".join(problems.problems)) from None
    return tuple(rates.values())
