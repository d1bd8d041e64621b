"""Rows of a table of facts: each cell as its column means it, and all that is wrong, with file, row and column.

An empty cell tells nothing; a dash says that there is none. Ids are text, digit by digit. Whatever could be read in two
ways is refused: a wrong fact would decide about money.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from tasks.files.open_table import open_table
from tasks.files.table import InputFileError, Row
from tasks.files.text_table import KEPT_TEXT
from tasks.policy.measures import Grams, Size, read_size, read_weight
from tasks.policy.money import is_currency, payable
from tasks.policy.policy_file import PolicyFileError
from tasks.policy.policy_text import nearest
from tasks.policy.return_facts import Money, Unknown
from tasks.policy.side_facts import NOT_TOLD, OrderFacts, OrderItem, ProductFacts

FactsT = TypeVar("FactsT", ProductFacts, OrderFacts)

CURRENCY = "currency"
"""The column of the currency of a row's amounts."""
NONE = "-"
"""A cell that says: there is none."""
MOST_ROWS = 1_000_000

_MOST_SHOWN = 20
_KEPT = 4096
"""Cells whose meaning is remembered: a table says the same tags, days and amounts over and over."""
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,4})?")
_WHOLE = re.compile(r"[0-9]{1,9}")
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_ROUNDED = re.compile(r"[0-9]([.,][0-9]+)?E\+[0-9]+", re.IGNORECASE)
_FLOAT = re.compile(r"[0-9]{3,}\.0+")
_EMPTY_OF_OTHERS = frozenset({"nan", "null", "none", "n/a", "undefined", "<na>"})
_ERRORS = frozenset({"#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!"})


class FactTableError(PolicyFileError):
    """A table that the policy file names cannot be read, or says something in two ways."""


class WrongCellError(Exception):
    """A cell cannot mean what its column is for. `right` is what would, `found` what is there where that is more than
    the cell's text, and `column` the one to be mended where it is another.
    """

    def __init__(self, right: str, found: str = "", column: str = "") -> None:
        super().__init__(right)
        self.right, self.found, self.column = right, found, column


Parse = Callable[[str, str], Any]
"""What a cell that is not empty means, given the row's currency. Raises `WrongCellError`."""


def text(cell: str, _: str) -> str | None:
    """A text, as it is."""
    return None if cell == NONE else cell


@lru_cache(maxsize=_KEPT)
def tags(cell: str, _: str) -> frozenset[str]:
    """Texts parted by |. Other programs part them by commas: one long tag would be found by no rule."""
    if "," in cell or ";" in cell:
        raise WrongCellError("tags parted by |, as vip|wholesale")
    return frozenset() if cell == NONE else frozenset(tag for part in cell.split("|") if (tag := part.strip()))


def number(cell: str, _: str) -> int:
    """A whole number."""
    if not _WHOLE.fullmatch(cell):
        raise WrongCellError("a whole number in plain digits, such as 24")
    return int(cell)


@lru_cache(maxsize=_KEPT)
def day(cell: str, _: str) -> date | None:
    """A date."""
    if cell == NONE:
        return None
    right = "a date of the store's zone, such as 2026-12-01"
    if not _DAY.fullmatch(cell):
        raise WrongCellError(right)
    try:
        return date.fromisoformat(cell)
    except ValueError:
        raise WrongCellError(right) from None


@lru_cache(maxsize=_KEPT)
def money(cell: str, currency: str) -> Money:
    """An amount, in the currency of its row."""
    if not _AMOUNT.fullmatch(cell):
        raise WrongCellError("an amount in plain digits with a point, such as 24.00")
    if not is_currency(currency):
        found = f"is {currency!r}" if currency else "is empty"
        raise WrongCellError("the currency of the row's amounts, such as EUR", found, CURRENCY)
    if not payable(Decimal(cell), currency):
        raise WrongCellError(f"an amount with no more decimals than {currency} has")
    return Money(Decimal(cell), currency)


@lru_cache(maxsize=_KEPT)
def weight(cell: str, _: str) -> Grams:
    """The weight of one unit, with its unit of measure."""
    try:
        return read_weight(cell)
    except ValueError as error:
        raise WrongCellError(str(error)) from None


@lru_cache(maxsize=_KEPT)
def size(cell: str, _: str) -> Size:
    """The size of one unit as it is packed, with its unit of measure."""
    try:
        return read_size(cell)
    except ValueError as error:
        raise WrongCellError(str(error)) from None


@lru_cache(maxsize=_KEPT)
def items(cell: str, _: str) -> tuple[OrderItem, ...]:
    """`SKU-1:2|SKU-2:1`: SKU and units of all that was bought."""
    found = []
    for part in cell.split("|"):
        sku, colon, units = (piece.strip() for piece in part.rpartition(":"))
        if not sku or not colon or not _WHOLE.fullmatch(units) or int(units) < 1:
            raise WrongCellError("SKU and units of each line of the order, as SKU-1:2|SKU-2:1")
        found.append(OrderItem(int(units), sku))
    return tuple(found)


Columns = Mapping[str, tuple[str, Parse]]
"""Column -> the name of the fact that it tells, and what its cells mean."""


@dataclass(slots=True)
class FactRow:
    """A row of a table while it is read."""

    reader: "TableReader"
    number: int
    cells: tuple[str, ...]
    wrong: bool = False

    @property
    def source(self) -> str:
        """Where this stands, as an unknown fact names it."""
        return f"{self.reader.name}, row {self.number}"

    def cell(self, column: str) -> str:
        """The text of a cell; empty where there is no such column."""
        place = self.reader.places.get(column)
        return "" if place is None else self.cells[place]

    def refuse(self, column: str, found: str, right: str) -> None:
        """Note what is wrong with a cell."""
        self.wrong = True
        self.reader.problem(f"row {self.number}, {column} {found}; right would be {right}")

    def id(self, column: str) -> str:
        """An id, digit by digit. What a program has made of one is refused, for it would find another or none."""
        cell = self.cell(column)
        if _ROUNDED.fullmatch(cell) or _FLOAT.fullmatch(cell):
            self.refuse(column, f"is {cell}, which a program has made of digits", "the digits as the shop has them")
            return ""
        return "" if cell == NONE else cell

    def facts(self) -> dict[str, Any]:
        """What the row tells."""
        told: dict[str, Any] = {}
        cells, currency = self.cells, self.cell(CURRENCY)
        for column, (name, parse) in self.reader.columns.items():
            place = self.reader.places.get(column)
            if place is not None and (cell := cells[place]):
                try:
                    told[name] = parse(cell, currency)
                except WrongCellError as wrong:
                    self.refuse(wrong.column or column, wrong.found or f"is {cell[:60]!r}", wrong.right)
        return told


class TableReader:
    """Reads the rows of a table, and notes all that is wrong with it."""

    def __init__(self, path: Path, columns: Columns, keys: tuple[str, ...], also: tuple[str, ...] = ()) -> None:
        self.path, self.name, self.columns, self.keys = path, path.name, columns, keys
        self.known = (*keys, *also, *columns, CURRENCY)
        self.places: dict[str, int] = {}
        self.problems: dict[str, None] = {}

    @property
    def told(self) -> frozenset[str]:
        """The facts that there is a column for."""
        return frozenset(name for column, (name, _) in self.columns.items() if column in self.places)

    def problem(self, words: str) -> None:
        """Note what is wrong, so that all is said at once."""
        self.problems[f"{self.path}, {words}."] = None

    def end(self) -> None:
        """Raise `FactTableError` where anything is wrong."""
        if self.problems:
            rest = len(self.problems) - _MOST_SHOWN
            more = [f"{self.path}: and {rest:,} more problems like these."] if rest > 0 else []
            raise FactTableError((*list(self.problems)[:_MOST_SHOWN], *more))

    def rows(self) -> Iterator[FactRow]:
        """The rows below the header, their cells checked for what has no place in any. Raises `FactTableError`."""
        rows = _text_rows(self.path)
        header = next(rows, Row(1, ()))
        self._header(header.number, tuple(map(_plain, header.cells)))
        for many, each in enumerate(rows, start=1):
            if many > MOST_ROWS:
                raise FactTableError((f"{self.path}: has more than {MOST_ROWS:,} rows; leave old orders out.",))
            number, cells = each.number, tuple(map(_plain, each.cells))
            row = FactRow(self, number, cells)
            if len(cells) < len(self.places) or any(cells[len(self.places) :]):
                self.problem(
                    f"row {number} has {len(cells)} cells, and the header has {len(self.places)}; right would be as"
                    " many: a cell that holds the separator stands in quotes"
                )
                continue
            for column, place in self.places.items():
                if wrong := _misplaced(cells[place]):
                    row.refuse(column, *wrong)
            if not row.wrong:
                yield row

    def _header(self, row: int, cells: tuple[str, ...]) -> None:
        """Note where each column stands. Raises `FactTableError` where that cannot be told."""
        while cells and not cells[-1]:  # a separator at the end of each row
            cells = cells[:-1]
        for place, cell in enumerate(cells):
            name = "_".join(cell.casefold().split())
            if name not in self.known:
                words = f"{cell!r} is no column of this table{nearest(name, self.known)}"
                self.problem(f"row {row}: {words}; there are {', '.join(self.known)}; leave out what is personal")
            elif name in self.places:
                self.problem(f"row {row}: the column {name} is there twice; keep one of them")
            self.places[name] = place
        if not any(key in self.places for key in self.keys):
            self.problem(f"row {row}: there is no column {' or '.join(self.keys)}, by which a row is found")
        self.end()

    def add(self, found: dict[str, FactsT], key: str, row: FactRow, facts: FactsT, what: str) -> None:
        """Keep what a row tells; a second row of the same key may add to the first, and not contradict it."""
        first = found.setdefault(key, facts)
        if first is facts:
            return
        new: dict[str, Any] = {}
        for name in (each.name for each in fields(facts) if each.name != "source"):
            was, now = getattr(first, name), getattr(facts, name)
            if isinstance(was, Unknown):
                new[name] = now
            elif not isinstance(now, Unknown) and now != was:
                column = next(column for column, (told, _) in self.columns.items() if told == name)
                row.refuse(column, f"is another than that of {what} in {first.source}", "one row, or the same in both")
        found[key] = replace(first, **{name: value for name, value in new.items() if value is not NOT_TOLD})


@lru_cache(maxsize=_KEPT)
def _misplaced(cell: str) -> tuple[str, str] | None:
    """What is wrong with a cell of whichever column, and what would be right."""
    if "@" in cell and _EMAIL.search(cell):
        return "holds an e-mail address", "nothing personal"
    if cell.casefold() in _EMPTY_OF_OTHERS:
        right = "an empty cell where it is not known, - where there is none"
        return f"is {cell!r}, a program's word for no value", right
    if not cell.isprintable():
        return "holds a line break, or an invisible character", "one line of text"
    if cell in _ERRORS:
        return f"is {cell!r}, a spreadsheet's error", "the value"
    return None


def _text_rows(path: Path) -> Iterator[Row]:
    """The rows of a file that are not empty. Raises `FactTableError`."""
    try:
        table = open_table(path)
        if table.encoding and not table.encoding.startswith("utf"):
            raise FactTableError((f"{path}: is not text in UTF-8; save it as CSV UTF-8.",))
        if len(table.sheets) > 1:
            raise FactTableError((f"{path}: has several sheets, {', '.join(table.sheets)}; keep one of them.",))
        yield from table.rows()
    except InputFileError as error:
        raise FactTableError((str(error),)) from error


def _plain(cell: str) -> str:
    plain = cell.strip()
    if kept := KEPT_TEXT.fullmatch(plain):
        return kept[1].strip()
    return plain[1:] if plain[:1] == "'" and plain[1:2].isdigit() else plain
