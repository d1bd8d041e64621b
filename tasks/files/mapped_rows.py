"""The rows of a file by the columns that a mapping names: where the header is, and what a cell says.

What files of inspections and of new returns have in common. Pure. A cell that can be read in two ways is refused.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from tasks.files.mapping import FileMapping, fold
from tasks.files.table import BLANKS, InputFileError, Row
from tasks.policy.policy_text import nearest

MOST_UNITS = 1_000
"""Units that one row may be about; more is a slip, or another column."""
HEADER_WITHIN = 50
"""Rows, from the first, among which the header is."""

_DIGITS = frozenset("0123456789")
_SHORT = 6
"""Digits of a number that is far from damaged."""
_DAMAGED = re.compile(r"\d[.,]\d+E\+?\d+|\dE\+\d+", re.IGNORECASE | re.ASCII)
_GROUPED = re.compile(r"-?\d{1,3}([.,])\d{3}(?:\1\d{3})*", re.ASCII)
_RULES = frozenset({"---", "===", "___", "***", "+--", "+=="})
_RULED = "-=_*+| \t"
_PLAIN = re.compile(r"[+-]?\d+(?:\.\d*)?", re.ASCII)
_TIMES = (
    re.compile(r"(?P<many>\d+)\s*[x\u00d7*]\s+(?P<what>.+)", re.IGNORECASE),
    re.compile(r"[x\u00d7](?P<many>\d+)\s+(?P<what>.+)", re.IGNORECASE),
    re.compile(r"(?P<what>.+?)\s+[x\u00d7](?P<many>\d+)", re.IGNORECASE),
)


@dataclass(frozen=True, slots=True)
class Header:
    """Where the header is, what it says, and in which place of a row each field stands."""

    row: int
    names: tuple[str, ...]
    places: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class WrongRow:
    """A row that says nothing that can be used, and why."""

    number: int
    cells: tuple[str, ...] = field(repr=False)
    why: str


@dataclass(frozen=True, slots=True)
class Footer:
    """A row that is no data: by the mapping, or a ruled line, or the header again."""

    number: int


class RefusedRowError(Exception):
    """Why a row is refused."""


def find_header(rows: Iterable[Row], columns: Mapping[str, str], name: str) -> Header:
    """The first row that has all these columns, field -> name, among the first ones of the file of this name.

    Raises `InputFileError` that names the columns that are missing, and the nearest that are there.
    """
    wanted = {field: fold(column) for field, column in columns.items()}
    best: tuple[int, tuple[str, ...], set[str]] = (0, (), set())
    for many, row in enumerate(rows):
        if many == HEADER_WITHIN:
            break
        folded = [fold(cell) for cell in row.cells]
        there = set(wanted.values()) & set(folded)
        if len(there) == len(set(wanted.values())):
            if double := next((column for column in there if folded.count(column) > 1), None):
                words = f"the column {row.cells[folded.index(double)]!r} is there twice in row {row.number}"
                raise InputFileError(f"{name}: {words}; rename one of them.")
            return Header(row.number, row.cells, {field: folded.index(column) for field, column in wanted.items()})
        if len(there) > len(best[2]):
            best = (row.number, row.cells, there)
    number, cells, there = best
    missing = [column for field, column in columns.items() if wanted[field] not in there]
    near = "; ".join(f"{column!r}{nearest(column, [cell for cell in cells if cell])}" for column in missing)
    where = f"row {number} comes nearest" if number else f"none is among the first {HEADER_WITHIN} rows"
    raise InputFileError(f"{name}: no header with the mapping's columns; {where}. Missing: {near}.")


def first_of(row: Row) -> str:
    """The first cell of a row that holds anything."""
    return next(cell for cell in row.cells if cell and not cell.isspace())


def is_no_data(row: Row, header: Sequence[str]) -> bool:
    """Whether a row is a ruled line, or the header again: each page of a printed list begins with both."""
    if first_of(row)[:3] in _RULES:
        return all(not cell.strip(_RULED) for cell in row.cells)
    # A row of data is told by its first cell, mostly: to fold every cell would take as long as all the rest.
    again = row.cells[0].strip(BLANKS) == header[0].strip(BLANKS)
    return again and list(map(fold, row.cells)) == list(map(fold, header))


def below_header(
    rows: Iterable[Row], header: Header, mapping: FileMapping, filled: Sequence[str]
) -> Iterator[Row | Footer]:
    """The rows below the header, as wide as it. With `fill_down` the fields of `filled` come from above.

    They do where a row has none of them at all.
    """
    footers, above = {fold(word) for word in mapping.footers}, dict[str, str]()
    places = {key: header.places[key] for key in filled if key in header.places}
    for row in rows:
        if row.number <= header.row:
            continue
        if (footers and fold(first_of(row)) in footers) or is_no_data(row, header.names):
            yield Footer(row.number)
            continue
        cells = row.cells + ("",) * (len(header.names) - len(row.cells))
        if mapping.fill_down and any(cells[place].strip() for place in places.values()):
            above = {key: cells[place] for key, place in places.items()}
        elif mapping.fill_down:
            given = {place: above.get(key, "") for key, place in places.items()}
            cells = tuple(given.get(place, cell) for place, cell in enumerate(cells))
        yield Row(row.number, cells)


def said_in(row: Row, header: Header, names: Iterable[str]) -> dict[str, str]:
    """Field -> what its cell says. Raises `RefusedRowError` where one of `names`, which name something, is damaged."""
    if len(row.cells) > len(header.names) and any(cell.strip() for cell in row.cells[len(header.names) :]):
        raise RefusedRowError(f"it has more cells than the header, {len(header.names)}: a separator stands in a cell")
    said = {name: row.cells[place].strip(BLANKS) for name, place in header.places.items()}
    for name in names:
        if (text := said.get(name)) and text[-1] in _DIGITS and text[0] in _DIGITS and _DAMAGED.fullmatch(text):
            column = header.names[header.places[name]]
            words = f"{column!r} is {said[name]}, which a spreadsheet program has rounded"
            raise RefusedRowError(f"{words}; write the whole number as text")
    return said


def named_products(
    said: Mapping[str, str], keys: Sequence[str], columns: Mapping[str, str], parted_by: str
) -> list[tuple[dict[str, str], int | None]]:
    """The products of a row, by field, each with its quantity where that stands in the same cell (`x2 SKU-1`).

    `parted_by` parts several in one cell; empty for one a row. Raises `RefusedRowError`.
    """
    given = {key: said[key] for key in keys if said.get(key)}
    if not given:
        named = " or ".join(repr(columns[key]) for key in keys if key in said)
        raise RefusedRowError(f"it names no product: {named} is empty")
    if not parted_by:
        return [(given, None)]
    parts = {key: [part.strip() for part in text.split(parted_by) if part.strip()] for key, text in given.items()}
    if len({len(each) for each in parts.values()}) > 1:
        many = ", ".join(f"{len(each)} in {columns[key]!r}" for key, each in parts.items())
        raise RefusedRowError(f"it names several products, and not as many everywhere: {many}")
    found = []
    for place in range(len(next(iter(parts.values())))):
        counted: int | None = None
        names = dict[str, str]()
        for key, each in parts.items():
            times = next((it for it in (form.fullmatch(each[place]) for form in _TIMES) if it), None)
            names[key] = times["what"].strip() if times else each[place]
            counted = int(times["many"]) if times else counted
        found.append((names, counted))
    return found


def quantity_of(said: Mapping[str, str], counted: int | None, products: int, column: str, decimal: str) -> int:
    """How many units of one of the `products` of a row: as its cell says, else as the column `quantity` does, else one.

    Raises `RefusedRowError`.
    """
    many = 1 if counted is None else counted
    if counted is None and "quantity" in said:
        many = whole(said["quantity"], column, decimal)
    if not 0 < many <= MOST_UNITS:
        raise RefusedRowError(f"its quantity is {many}")
    if products > 1 and counted is None and many > 1:
        raise RefusedRowError(f"it names {products} products and {many} units: how many of each is not said")
    return many


def whole(text: str, column: str, decimal: str) -> int:
    """A count in whole units, whatever zeros the program wrote behind it. Raises `RefusedRowError`."""
    if len(text) < _SHORT and text.isascii() and text.isdigit():
        return int(text)
    grouping = "," if decimal == "." else "."
    grouped = _GROUPED.fullmatch(text)
    plain = text.replace(grouping, "") if grouped and grouped[1] == grouping else text
    plain = plain.replace(decimal, ".") if grouping not in plain else ""
    number = Decimal(plain) if _PLAIN.fullmatch(plain) else Decimal("NaN")
    if not number.is_finite() or number != number.to_integral_value() or abs(number) > 10 * MOST_UNITS:
        raise RefusedRowError(f"{column!r} is {text!r}; write a whole number of units")
    return int(number)
