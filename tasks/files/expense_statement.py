"""REVER's monthly statement of supplied expenses: what it advanced for refunds. Its columns are told by a mapping.

Nobody has published what it looks like, so nothing is recognised. Where a row is a refund:

```yaml
columns: {order: Order, amount: Gross, currency: Currency, date: Date}
date_format: DD/MM/YYYY
zone: Europe/Madrid
methods: [BANK_TRANSFER]
```

Where a row is the sum of a month, name `period` and `count` and no `order`: then sums are compared, not refunds.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from tasks.files.dates import DateFormat, zone_named
from tasks.files.mapped_file import read_mapped_file
from tasks.files.mapped_rows import Footer, Header, RefusedRowError, below_header, said_in
from tasks.files.mapping import FileColumns, FileMapping, ZoneName
from tasks.files.payout_file import Cells, PayoutFile, RefusedRow, named_rows, quoted, shown_reference
from tasks.files.table import Row
from tasks.policy.money import is_currency
from tasks.policy.payouts import FileRow, RowKind, Source

_YEAR_FIRST = re.compile(r"(?P<year>2[0-9]{3})[-/](?P<month>[0-9]{1,2})")
_YEAR_LAST = re.compile(r"(?P<month>[0-9]{1,2})[-/](?P<year>2[0-9]{3})")


class StatementColumns(FileColumns):
    """The columns of the statement."""

    order: str = Field("", description="The order's name.")
    reference: str = Field("", description="REVER's id of the return or of the refund.")
    amount: str = Field("", description="What was advanced: the gross amount.")
    currency: str = Field("", description="The currency; without it `currency` of the mapping.")
    date: str = Field("", description="When it was paid.")
    period: str = Field("", description="The month that a row sums up, as 2026-11 or 11/2026.")
    count: str = Field("", description="How many refunds a row sums up.")


class StatementMapping(FileMapping):
    """What the columns of the statement mean."""

    columns: StatementColumns
    currency: str = Field("", description="The currency of all rows.")
    methods: tuple[str, ...] = Field(("BANK_TRANSFER",), description="The methods whose refunds REVER advances.")
    date_format: DateFormat = Field(DateFormat.ISO, description="How dates are written.")
    zone: ZoneName = Field("UTC", description="The zone of dates and months: Europe/Madrid, or +01:00.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        there = self.columns.named()
        if "amount" not in there:
            raise ValueError("the column `amount`")
        if "currency" not in there and not is_currency(self.currency):
            raise ValueError("the column `currency`, or the currency of all rows such as `currency: EUR`")
        if "period" in there:
            if "count" not in there or "order" in there or "date" in there:
                raise ValueError("of a statement of sums `period`, `count` and `amount`, without `order` and `date`")
        elif "date" not in there or not {"order", "reference"} & there.keys():
            raise ValueError("the column `date`, and `order` or `reference`; or `period` and `count` of sums")
        return self


@dataclass(frozen=True, slots=True)
class MonthSum:
    """A row of a statement of sums: what it has for a month, in one currency. `since` and `until` bound the month."""

    period: str
    since: datetime
    until: datetime
    currency: str
    count: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that was read: its rows as those of a payout file, or its sums, and the methods that it covers."""

    file: PayoutFile
    months: tuple[MonthSum, ...]
    methods: frozenset[str]


def read_statement(path: Path, mapping: Path) -> Statement:
    """Read a statement by its mapping. Raises `InputFileError` for one of them that cannot be used."""
    read = read_mapped_file(path, mapping, StatementMapping, _rows, (path.name, mapping.name))
    rules = read.mapping
    rows = named_rows([it for it in read.rows if isinstance(it, FileRow)], path.name)
    months = tuple(it for it in read.rows if isinstance(it, MonthSum))
    refused = tuple(replace(it, file=path.name) for it in read.rows if isinstance(it, RefusedRow))
    ends = max([*(it.at for it in rows), *(it.until - timedelta(seconds=1) for it in months)], default=None)
    how = f"{path.name}: REVER's statement, by the mapping {mapping.name}; {read.table.how}; times by {rules.zone}"
    file = PayoutFile(path.name, Source.STATEMENT, read.digest, how, tuple(rows), refused, ends)
    return Statement(file, months, frozenset(rules.methods))


def _rows(rows: Iterable[Row], header: Header, mapping: StatementMapping) -> Iterable[FileRow | MonthSum | RefusedRow]:
    zone = zone_named(mapping.zone) or UTC
    for row in below_header(rows, header, mapping, ()):
        if isinstance(row, Footer):
            continue
        try:
            said_in(row, header, ("order", "reference"))
            cells = Cells(row, header.places, header.names, zone)
            yield _month(cells, mapping, zone) if mapping.columns.period else _refund(cells, mapping)
        except RefusedRowError as error:
            yield RefusedRow("", row.number, str(error))


def _money(cells: Cells, mapping: StatementMapping) -> tuple[Decimal, str]:
    currency = cells.currency("currency") if mapping.columns.currency else mapping.currency
    return cells.amount("amount", currency), currency


def _refund(cells: Cells, mapping: StatementMapping) -> FileRow:
    amount, currency = _money(cells, mapping)
    reference = cells.text("reference")
    return FileRow(
        source=Source.STATEMENT,
        file="",
        number=cells.row.number,
        kind=RowKind.REFUND if amount > 0 else RowKind.REVERSED if amount < 0 else RowKind.OTHER,
        type="supplied expense",
        amount=amount,
        asked=abs(amount),
        currency=currency,
        at=cells.at("date", mapping.date_format),
        order=shown_reference(cells.text("order")),
        reference=shown_reference(reference),
        references=(reference,) if reference else (),
    )


def _month(cells: Cells, mapping: StatementMapping, zone: tzinfo) -> MonthSum:
    amount, currency = _money(cells, mapping)
    said, count = cells.text("period"), cells.text("count")
    found = _YEAR_FIRST.fullmatch(said) or _YEAR_LAST.fullmatch(said)
    if found is None or not 1 <= int(found["month"]) <= 12:
        raise RefusedRowError(f"{cells.named('period')} {quoted(said)}; right would be a month such as 2026-11")
    if not (count.isascii() and count.isdigit()):
        raise RefusedRowError(f"{cells.named('count')} {quoted(count)}; right would be a whole number")
    year, month = int(found["year"]), int(found["month"])
    since = datetime(year, month, 1, tzinfo=zone).astimezone(UTC)
    until = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=zone).astimezone(UTC)
    return MonthSum(f"{year}-{month:02}", since, until, currency, int(count), amount)
