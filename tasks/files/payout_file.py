"""A payout file as it comes: which provider's it is by its header, its rows, and the rows that are refused.

What the providers' formats are is in `payout_formats`. Names, e-mails and card numbers stand in columns that are never
read, and a cell is quoted only where nothing personal can be in it.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

from tasks.files.dates import DateFormat, read_time
from tasks.files.fact_rows import FactTableError, TableReader
from tasks.files.mapped_file import content_digest
from tasks.files.mapped_rows import HEADER_WITHIN, RefusedRowError
from tasks.files.mapping import fold
from tasks.files.open_table import open_table
from tasks.files.table import InputFileError, Row, Table
from tasks.policy.money import is_currency, minor_unit, payable
from tasks.policy.payouts import FileRow, RowKind, Source

_HARMLESS = re.compile(r"[0-9 .,:/+-]{0,30}")
_WORD = re.compile(r"[A-Z]{1,4}", re.ASCII)
_REFERENCE = re.compile(r"(?=.*[0-9])[A-Za-z0-9#._:/-]{1,64}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9][0-9.,]*")


def quoted(cell: str, *, word: bool = False) -> str:
    """A cell as it may be shown: itself where it is a number or a date (or a short code), else its length alone."""
    if not cell:
        return "empty"
    if _HARMLESS.fullmatch(cell) or (word and _WORD.fullmatch(cell)):
        return f"is {cell!r}"
    return f"is a text of {len(cell)} characters"


def shown_reference(cell: str) -> str:
    """A reference as it may be shown: empty for what may be a name or an e-mail."""
    return cell if _REFERENCE.fullmatch(cell) else ""


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of one row by their columns, and how they are read. `names` are the columns as the header has them."""

    row: Row
    places: Mapping[str, int]
    names: Sequence[str]
    zone: tzinfo | None

    def named(self, column: str) -> str:
        """A column as the file's header has it."""
        return repr(" ".join(self.names[self.places[column]].split()) if column in self.places else column)

    def text(self, *columns: str) -> str:
        """The first of these columns that is there and not empty."""
        for column in columns:
            place = self.places.get(column)
            if place is not None and place < len(self.row.cells) and (cell := self.row.cells[place].strip()):
                return cell
        return ""

    def currency(self, *columns: str) -> str:
        """The currency, in capitals. Raises `RefusedRowError`."""
        cell = self.text(*columns)
        if not is_currency(cell.upper()):
            raise RefusedRowError(
                f"{self.named(columns[0])} {quoted(cell)}; right would be a currency's code such as EUR"
            )
        return cell.upper()

    def amount(self, column: str, currency: str) -> Decimal:
        """An amount in major units, with a point or a comma. Raises `RefusedRowError` where it may be two amounts."""
        cell = self.text(column)
        right = f"an amount with {minor_unit(currency)} decimals at most, such as {example(currency)}"
        amount = decimal_of(cell, currency) if _NUMBER.fullmatch(cell) else None
        if amount is None or not payable(amount, currency):
            raise RefusedRowError(f"{self.named(column)} {quoted(cell)}; right would be {right}")
        return amount

    def at(
        self, column: str, written: DateFormat = DateFormat.ISO, zone: tzinfo | None = None, clock: str = ""
    ) -> datetime:
        """A time, in UTC; `zone` is that of a time without one. Raises `RefusedRowError`."""
        cell = f"{self.text(column)} {self.text(clock) if clock else ''}".strip()
        try:
            return read_time(cell, written, zone or self.zone or UTC).astimezone(UTC)
        except (ValueError, OverflowError):
            raise RefusedRowError(f"{self.named(column)} {quoted(cell)}; right would be a time as {written}") from None


def example(currency: str) -> str:
    """An amount of this currency as it is written."""
    return str(Decimal(2400).scaleb(-minor_unit(currency)))


def decimal_of(cell: str, currency: str) -> Decimal | None:
    """A number with a point or comma as the sign of decimals, and the other one between thousands.

    None where it could be two: 1.234 euros are 1234 or 1.234.
    """
    sign, plain = ("-", cell[1:]) if cell.startswith("-") else ("", cell)
    last = max(plain.rfind("."), plain.rfind(","))
    if last < 0:
        return Decimal(sign + plain)
    whole, mark, decimals = plain[:last], plain[last], plain[last + 1 :]
    other = "," if mark == "." else "."
    if mark in whole or (len(decimals) == 3 and minor_unit(currency) != 3 and other not in whole):
        return None
    groups = whole.split(other)
    if not decimals or (len(groups) > 1 and not (1 <= len(groups[0]) <= 3 and all(len(it) == 3 for it in groups[1:]))):
        return None
    return Decimal(f"{sign}{''.join(groups)}.{decimals}")


Read = Callable[[Cells], FileRow]
"""What a row says. Raises `RefusedRowError`."""


@dataclass(frozen=True, slots=True)
class PayoutFormat:
    """A provider's file. `needed` are the columns, folded, by which it is recognised, `known` all that it usually has.

    A group of `needed` is there where one of its columns is. `read` makes a row, `zone` says of which zone its times
    are, and `typed` is the first cell of the header where each line says of what type it is.
    """

    source: Source
    name: str
    needed: tuple[tuple[str, ...], ...]
    known: tuple[str, ...]
    read: Read
    zone: str
    typed: str = ""

    def fits(self, names: Sequence[str]) -> bool:
        """Whether a header has all that is needed."""
        return all(any(column in names for column in group) for group in self.needed)

    def lacks(self, names: Sequence[str]) -> list[str]:
        """What a header lacks."""
        return [" or ".join(group) for group in self.needed if not any(column in names for column in group)]


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row of a file that could not be read, and why. It holds none of its cells."""

    file: str
    number: int
    why: str


@dataclass(frozen=True, slots=True)
class PayoutFile:
    """A payout file that was read. `how` says as what, in which zone, and how sure that is."""

    name: str
    source: Source
    digest: str
    how: str
    rows: tuple[FileRow, ...]
    refused: tuple[RefusedRow, ...]
    ends: datetime | None
    notes: tuple[str, ...] = field(default=())


def read_payout_file(path: Path, formats: Sequence[PayoutFormat], zone: tzinfo | None, zone_name: str) -> PayoutFile:
    """Recognise a file by its header and read it; `zone` is that of times whose file does not say theirs.

    Raises `InputFileError` for a file that is no provider's, or cannot be read.
    """
    name = path.name
    try:
        table = open_table(path)
    except InputFileError as error:
        raise InputFileError(str(error).replace(str(path), name)) from error
    form, header, names = _recognise(table, formats, name)
    there = [each for each in form.known if each in names]
    sure = "sure" if len(there) == len(form.known) else "probable"
    if form.zone == NEEDS_ZONE and zone is None:
        raise InputFileError(
            f"{name}: {form.name}: its times have no zone; name the one it was made for (zone, such as Europe/Madrid)."
        )
    how = f"{name}: {form.name} ({sure}: {len(there)} of the {len(form.known)} columns that it has); {table.how}"
    how += f"; times by {zone_name if form.zone == NEEDS_ZONE else form.zone}"
    rows, refused = list[FileRow](), list[RefusedRow]()
    places: dict[str, int] = {}
    columns: tuple[str, ...] = ()
    for row in table.rows():
        if row.number < header:
            continue
        first = row.cells[0].strip()
        if row.number == header or (form.typed and first == form.typed):
            places, columns = _places(row), row.cells
            continue
        if form.typed and first in _TYPED_LINES:
            continue
        why = _misfit(row, form, len([cell for cell in columns if cell.strip()]))
        if not why:
            try:
                rows.append(form.read(Cells(row, places, columns, zone)))
                continue
            except RefusedRowError as error:
                why = str(error)
        refused.append(RefusedRow(name, row.number, why))
    found = tuple(named_rows(rows, name))
    ends = max((it.at for it in found), default=None)
    whole = sorted({it.currency for it in found if not minor_unit(it.currency)}) if form.typed else []
    notes = tuple(
        f"{name}: amounts in {each} are read without decimals, of which PayPal's text is unclear" for each in whole
    )
    refunds = [it for it in found if it.kind is RowKind.REFUND]
    if refunds and not any(it.order for it in refunds):
        notes += (f"{name}: none of its refunds names an order; only those that name an id of ours can be matched",)
    return PayoutFile(name, form.source, content_digest(path), how, found, tuple(refused), ends, notes)


NEEDS_ZONE = "the zone that was asked for"
"""Stands for the zone of a format whose times are in one that the file does not name."""

_TYPED_LINES = frozenset({"RH", "FH", "SH", "SF", "SC", "RF", "RC", "FF"})
"""PayPal's lines that are about the file and not about a payment."""


def read_order_references(path: Path) -> dict[str, str]:
    """A shop's table of `reference` and `order`: the provider's code of an order or payment -> the order's number.

    Raises `InputFileError` with every problem of the file.
    """
    reader = TableReader(path, MappingProxyType({}), ("reference",), ("order",))
    orders: dict[str, str] = {}
    try:
        for row in reader.rows():
            reference, order = row.id("reference"), row.id("order")
            if not reference or not order:
                column = "order" if reference else "reference"
                right = "the order's number" if reference else "the provider's reference"
                row.refuse(column, "is empty", right)
            elif orders.setdefault(reference, order) != order:
                row.refuse("order", f"is another than before for {reference}", "one order for each reference")
        reader.end()
    except FactTableError as problems:
        raise InputFileError(" ".join(problems.problems)) from None
    return orders


def _misfit(row: Row, form: PayoutFormat, wide: int) -> str:
    """Why a row cannot be one of this format; empty where it can."""
    if form.typed:
        return "" if row.cells[0].strip() == "SB" else f"the line's type {quoted(row.cells[0].strip(), word=True)}"
    if any(cell.strip() for cell in row.cells[wide:]):
        return f"it has more cells than the header, {wide}: a separator stands in a cell"
    return ""


def _places(row: Row) -> dict[str, int]:
    return {fold(cell): place for place, cell in reversed(list(enumerate(row.cells))) if cell.strip()}


def _recognise(table: Table, formats: Sequence[PayoutFormat], name: str) -> tuple[PayoutFormat, int, list[str]]:
    """The format whose header is among the first rows, the header's row and its columns. Raises `InputFileError`."""
    best: tuple[int, PayoutFormat, list[str]] | None = None
    first: list[str] = []
    for many, row in enumerate(table.rows()):
        if many == HEADER_WITHIN:
            break
        names = [fold(cell) for cell in row.cells]
        first = first or names
        fitting = [form for form in formats if form.fits(names) and form.typed in {"", row.cells[0].strip()}]
        if fitting:
            form = max(fitting, key=lambda it: sum(each in names for each in it.known))
            if double := next((it for it in form.known if names.count(it) > 1), None):
                raise InputFileError(f"{name}: the column {double!r} is there twice in row {row.number}; keep one.")
            return form, row.number, names
        for form in formats:
            have = len(form.needed) - len(form.lacks(names))
            if have > 1 and (best is None or have > best[0]):
                best = (have, form, form.lacks(names))
    known = "; ".join(form.name for form in formats)
    if best is not None:
        _, form, lacks = best
        raise InputFileError(
            f"{name}: is nearest to {form.name}, and lacks {', '.join(lacks)}; export it with these columns."
        )
    raise InputFileError(
        f"{name}: no header of a known payout file is among its first {HEADER_WITHIN} rows (the first has"
        f" {len(first)} cells); known are: {known}. Of REVER's statement give a mapping."
    )


def named_rows(rows: Sequence[FileRow], name: str) -> list[FileRow]:
    """The rows with the file's name, each told apart from all others: by its id, else by what it says and how often."""
    times: Counter[str] = Counter()
    named = []
    for row in rows:
        unique = row.unique
        if not unique:
            said = "|".join(map(str, (row.source, row.type, row.amount, row.asked, row.currency, row.at, row.order)))
            said += "|" + "|".join(row.references)
            times[said] += 1
            unique = hashlib.sha256(f"{said}|{times[said]}".encode()).hexdigest()
        named.append(replace(row, file=name, unique=unique))
    return named
