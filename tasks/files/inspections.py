"""The rows of a warehouse's file as inspections: which return, which product, how many units, what was found.

Pure. A row that does not say all of it in one way is refused, with the reason; nothing is guessed.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import TypeAlias

from rever_api.models import ReviewStatus
from tasks.files.dates import read_time, zone_named
from tasks.files.mapping import COUNTS, NOT_YET, PRODUCT_KEYS, RETURN_KEYS, InspectionMapping, Outcome, fold
from tasks.files.table import InputFileError, Row
from tasks.policy.policy_text import nearest

MOST_UNITS = 1_000
"""Units that one row may be about; more is a slip, or another column."""
HEADER_WITHIN = 50
"""Rows, from the first, among which the header is."""

_DAMAGED = re.compile(r"\d[.,]\d+E\+?\d+|\dE\+\d+", re.IGNORECASE | re.ASCII)
_GROUPED = re.compile(r"-?\d{1,3}([.,])\d{3}(?:\1\d{3})*", re.ASCII)
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
class Product:
    """What names a product of a return, in the file's own words; what is empty is not said."""

    line: str = ""
    sku: str = ""
    ean: str = ""

    @property
    def words(self) -> str:
        """Which product it is, for a sentence."""
        said = (("line", self.line), ("SKU", self.sku), ("EAN", self.ean))
        return ", ".join(f"{name} {text}" for name, text in said if text)


@dataclass(frozen=True, slots=True)
class InspectedUnit:
    """What was found of one unit."""

    product: Product
    status: ReviewStatus
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Inspection:
    """One row. `keys` name the return: field of `RETURN_KEYS` -> text. `label` tells this unit from all others."""

    number: int
    cells: tuple[str, ...] = field(repr=False)
    keys: Mapping[str, str]
    units: tuple[InspectedUnit, ...]
    label: str = ""
    inspected_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WrongRow:
    """A row that says nothing that can be used, and why."""

    number: int
    cells: tuple[str, ...] = field(repr=False)
    why: str


@dataclass(frozen=True, slots=True)
class Footer:
    """A row that is no data, by the mapping."""

    number: int


AnyRow: TypeAlias = Inspection | WrongRow | Footer


class _RefusedError(Exception):
    """Why a row is refused."""


def find_header(rows: Iterable[Row], mapping: InspectionMapping, name: str) -> Header:
    """The first row that has all columns of the mapping, among the first ones of the file of this name.

    Raises `InputFileError` that names the columns that are missing, and the nearest that are there.
    """
    wanted = {field: fold(column) for field, column in mapping.columns.named().items()}
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
    missing = [column for field, column in mapping.columns.named().items() if wanted[field] not in there]
    near = "; ".join(f"{column!r}{nearest(column, [cell for cell in cells if cell])}" for column in missing)
    where = f"row {number} comes nearest" if number else f"none is among the first {HEADER_WITHIN} rows"
    raise InputFileError(f"{name}: no header with the mapping's columns; {where}. Missing: {near}.")


def read_inspections(rows: Iterable[Row], header: Header, mapping: InspectionMapping) -> Iterator[AnyRow]:
    """The rows below the header, each read by itself but for cells that are filled from above."""
    footers, above = {fold(word) for word in mapping.footers}, dict[str, str]()
    for row in rows:
        if row.number <= header.row:
            continue
        if fold(next(cell for cell in row.cells if cell.strip())) in footers:
            yield Footer(row.number)
            continue
        cells = row.cells + ("",) * (len(header.names) - len(row.cells))
        if mapping.fill_down:
            cells = _filled(cells, header, above)
        try:
            yield _inspection(row.number, cells, header, mapping)
        except _RefusedError as refused:
            yield WrongRow(row.number, cells, str(refused))


def _filled(cells: tuple[str, ...], header: Header, above: dict[str, str]) -> tuple[str, ...]:
    """The cells with the keys of the return from above, where they have none of their own at all."""
    places = {key: header.places[key] for key in RETURN_KEYS if key in header.places}
    if any(cells[place].strip() for place in places.values()):
        above |= {key: cells[place] for key, place in places.items()}
        return cells
    given = {place: above.get(key, "") for key, place in places.items()}
    return tuple(given.get(place, cell) for place, cell in enumerate(cells))


def _inspection(number: int, cells: tuple[str, ...], header: Header, mapping: InspectionMapping) -> Inspection:
    if any(cell.strip() for cell in cells[len(header.names) :]):
        raise _RefusedError(f"it has more cells than the header, {len(header.names)}: a separator stands in a cell")
    said = {field: cells[place].strip() for field, place in header.places.items()}
    for name in (*RETURN_KEYS, *PRODUCT_KEYS, "unit"):
        if _DAMAGED.fullmatch(said.get(name, "")):
            words = f"{mapping.columns.named()[name]!r} is {said[name]}, which a spreadsheet program has rounded"
            raise _RefusedError(f"{words}; write the whole number as text")
    keys = {key: said[key] for key in RETURN_KEYS if said.get(key)}
    if not keys:
        columns = " or ".join(repr(mapping.columns.named()[key]) for key in RETURN_KEYS if key in said)
        raise _RefusedError(f"it names no return: {columns} is empty")
    products = _products(said, mapping)
    units = tuple(_units(said, products, mapping))
    if said.get("unit") and len(units) > 1:
        raise _RefusedError(f"{said['unit']} names one unit, and the row is about {len(units)}")
    return Inspection(number, cells, MappingProxyType(keys), units, said.get("unit", ""), _time(said, mapping))


def _products(said: Mapping[str, str], mapping: InspectionMapping) -> list[tuple[Product, int | None]]:
    """The products of a row, each with its quantity where that stands in the same cell."""
    given = {key: said[key] for key in PRODUCT_KEYS if said.get(key)}
    if not given:
        columns = " or ".join(repr(mapping.columns.named()[key]) for key in PRODUCT_KEYS if key in said)
        raise _RefusedError(f"it names no product: {columns} is empty")
    if not mapping.several_parted_by:
        return [(Product(**given), None)]
    parts = {key: _parted(text, mapping.several_parted_by) for key, text in given.items()}
    if len({len(each) for each in parts.values()}) > 1:
        many = ", ".join(f"{len(each)} in {mapping.columns.named()[key]!r}" for key, each in parts.items())
        raise _RefusedError(f"it names several products, and not as many everywhere: {many}")
    found = []
    for place in range(len(next(iter(parts.values())))):
        counted: int | None = None
        names = dict[str, str]()
        for key, each in parts.items():
            times = next((it for it in (form.fullmatch(each[place]) for form in _TIMES) if it), None)
            names[key] = times["what"].strip() if times else each[place]
            counted = int(times["many"]) if times else counted
        found.append((Product(**names), counted))
    return found


def _parted(text: str, separator: str) -> list[str]:
    return [part.strip() for part in text.split(separator) if part.strip()]


def _units(
    said: Mapping[str, str], products: list[tuple[Product, int | None]], mapping: InspectionMapping
) -> Iterator[InspectedUnit]:
    counts = [name for name in COUNTS if name in said]
    if counts:
        if len(products) > 1:
            raise _RefusedError("it counts units of several products at once")
        many = {name: _whole(said[name], name, mapping) if said[name] else 0 for name in counts}
        if not 0 < sum(many.values()) <= MOST_UNITS:
            raise _RefusedError(f"it counts {sum(many.values())} units")
        for name in counts:
            reason = _reason(said, "", mapping) if COUNTS[name] is ReviewStatus.DECLINED and many[name] else ""
            yield from [InspectedUnit(products[0][0], COUNTS[name], reason)] * many[name]
        return
    status, reason = _outcome(said, mapping)
    for product, counted in products:
        quantity = 1
        if counted is not None:
            quantity = counted
        elif "quantity" in said:
            quantity = _whole(said["quantity"], "quantity", mapping)
        if not 0 < quantity <= MOST_UNITS:
            raise _RefusedError(f"its quantity is {quantity}")
        if len(products) > 1 and counted is None and quantity > 1:
            raise _RefusedError(f"it names {len(products)} products and {quantity} units: how many of each is not said")
        yield from [InspectedUnit(product, status, reason)] * quantity


def _outcome(said: Mapping[str, str], mapping: InspectionMapping) -> tuple[ReviewStatus, str]:
    if mapping.received_is is not None:
        meaning: Outcome | None = mapping.received_is
        word = "received"
    else:
        word = said["outcome"]
        meaning = mapping.words.get(fold(word))
    if meaning is None:
        shown = f"the word {word!r} of {mapping.columns.outcome!r}" if word else f"an empty {mapping.columns.outcome!r}"
        raise _RefusedError(f"{shown} is not in the mapping (`words`)")
    if meaning.status == NOT_YET:
        raise _RefusedError(f"{word!r} says that it is not inspected yet")
    status = ReviewStatus(meaning.status)
    return status, _reason(said, meaning.reason, mapping) if status is ReviewStatus.DECLINED else ""


def _reason(said: Mapping[str, str], otherwise: str, mapping: InspectionMapping) -> str:
    """What the shopper reads of a decline. Never the cell's own text, which could say anything."""
    word = said.get("reason", "")
    reason = mapping.reasons.get(fold(word), "") or otherwise
    if not reason:
        raise _RefusedError(f"it is declined, and the reason {word!r} is not in the mapping (`reasons`)")
    return reason


def _whole(text: str, field: str, mapping: InspectionMapping) -> int:
    """A count in whole units, whatever zeros the program wrote behind it."""
    grouping = "," if mapping.decimal == "." else "."
    grouped = _GROUPED.fullmatch(text)
    plain = text.replace(grouping, "") if grouped and grouped[1] == grouping else text
    try:
        number = Decimal("NaN") if grouping in plain else Decimal(plain.replace(mapping.decimal, "."))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number != number.to_integral_value() or abs(number) > 10 * MOST_UNITS:
        raise _RefusedError(f"{mapping.columns.named()[field]!r} is {text!r}; write a whole number of units")
    return int(number)


def _time(said: Mapping[str, str], mapping: InspectionMapping) -> datetime | None:
    text = " ".join(filter(None, (said.get("inspected_at", ""), said.get("inspected_time", ""))))
    if not said.get("inspected_at"):
        return None
    zone = zone_named(mapping.zone)
    assert zone is not None  # noqa: S101 - the mapping has been checked
    try:
        return read_time(text, mapping.date_format, zone)
    except (ValueError, OverflowError, OSError) as error:
        raise _RefusedError(f"{mapping.columns.inspected_at!r} is {text!r}; {error}") from None
