"""The rows of a warehouse's file as inspections: which return, which product, how many units, what was found.

Pure. A row that does not say all of it in one way is refused, with the reason; nothing is guessed.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from rever_api.models import ReviewStatus
from tasks.files.dates import read_time, zone_named
from tasks.files.mapped_file import MappedFile, read_mapped_file
from tasks.files.mapped_rows import (
    MOST_UNITS,
    Footer,
    Header,
    RefusedRowError,
    WrongRow,
    below_header,
    named_products,
    quantity_of,
    said_in,
    whole,
)
from tasks.files.mapping import COUNTS, NOT_YET, PRODUCT_KEYS, RETURN_KEYS, InspectionMapping, Outcome, fold
from tasks.files.table import Row


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
    """What was found of one unit. `source` tells the row that says so from others: two alike may be the same row."""

    product: Product
    status: ReviewStatus
    reason: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Inspection:
    """One row. `keys` name the return: field of `RETURN_KEYS` -> text. `label` tells this unit from all others.

    `identified`: the warehouse's own id of the unit or receipt tells whether a row of another file is the same.
    """

    number: int
    cells: tuple[str, ...] = field(repr=False)
    keys: Mapping[str, str]
    units: tuple[InspectedUnit, ...]
    label: str = ""
    inspected_at: datetime | None = None
    identified: bool = False


AnyRow: TypeAlias = Inspection | WrongRow | Footer
WarehouseFile: TypeAlias = MappedFile[InspectionMapping, AnyRow]


def read_warehouse_file(file: Path, mapping: Path, names: tuple[str, str] = ("", "")) -> WarehouseFile:
    """Read a warehouse's file by its mapping; `names` are how people know the two where those are not their paths.

    Raises `InputFileError` for one that cannot be used.
    """
    return read_mapped_file(file, mapping, InspectionMapping, read_inspections, names)


def read_inspections(rows: Iterable[Row], header: Header, mapping: InspectionMapping) -> Iterator[AnyRow]:
    """The rows below the header, each read by itself but for cells that are filled from above."""
    columns = mapping.columns.named()
    for row in below_header(rows, header, mapping, RETURN_KEYS):
        if isinstance(row, Footer):
            yield row
            continue
        try:
            yield _inspection(row, header, mapping, columns)
        except RefusedRowError as refused:
            yield WrongRow(row.number, row.cells, str(refused))


def _inspection(row: Row, header: Header, mapping: InspectionMapping, columns: Mapping[str, str]) -> Inspection:
    said = said_in(row, header, _NAMES)
    keys = {key: said[key] for key in RETURN_KEYS if said.get(key)}
    if not keys:
        named = " or ".join(repr(columns[key]) for key in RETURN_KEYS if key in said)
        raise RefusedRowError(f"it names no return: {named} is empty")
    found = named_products(said, PRODUCT_KEYS, columns, mapping.several_parted_by)
    products = [(Product(**names), counted) for names, counted in found]
    at, label, receipt = _time(said, mapping), said.get("unit", ""), said.get("receipt", "")
    units = tuple(_units(said, products, mapping, columns, at))
    if label and len(units) > 1:
        raise RefusedRowError(f"{label} names one unit, and the row is about {len(units)}")
    told = MappingProxyType(keys)
    return Inspection(row.number, row.cells, told, units, label, at, identified=bool(label or receipt))


_NAMES = (*RETURN_KEYS, *PRODUCT_KEYS, "unit", "receipt")
"""The columns whose cells name something."""


def _source(said: Mapping[str, str], product: Product, status: ReviewStatus, at: datetime | None) -> str:
    """What tells the row of a unit from others of the same return, as far as that is said.

    Where the warehouse names the unit or the receipt, a row that says another outcome is still the same; else it is by
    product, outcome and time, and a row that differs in one of them is another.
    """
    if label := said.get("unit"):
        parts: tuple[str, ...] = ("unit", label)
    elif receipt := said.get("receipt"):
        parts = ("receipt", receipt, product.line, product.sku, product.ean)
    else:
        parts = (status, at.isoformat() if at else "", product.line, product.sku, product.ean)
    return hashlib.blake2b("\0".join(parts).casefold().encode(), digest_size=8).hexdigest()


def _units(
    said: Mapping[str, str],
    products: list[tuple[Product, int | None]],
    mapping: InspectionMapping,
    columns: Mapping[str, str],
    at: datetime | None,
) -> Iterator[InspectedUnit]:
    counts = [name for name in COUNTS if name in said]
    if counts:
        if len(products) > 1:
            raise RefusedRowError("it counts units of several products at once")
        many = _counted(said, counts, mapping, columns)
        product = products[0][0]
        for name in counts:
            status = COUNTS[name]
            declined = status is ReviewStatus.DECLINED and many[name]
            reason = _reason(said, mapping.declined_reason, mapping) if declined else ""
            yield from [InspectedUnit(product, status, reason, _source(said, product, status, at))] * many[name]
        return
    status, reason = _outcome(said, mapping)
    for product, counted in products:
        quantity = quantity_of(said, counted, len(products), mapping.columns.quantity, mapping.decimal)
        yield from [InspectedUnit(product, status, reason, _source(said, product, status, at))] * quantity


def _counted(
    said: Mapping[str, str], counts: Sequence[str], mapping: InspectionMapping, columns: Mapping[str, str]
) -> dict[str, int]:
    """How many units each of these columns counts; a column with a cross is about all units of the row."""
    stated = whole(said["quantity"], columns["quantity"], mapping.decimal) if "quantity" in said else None
    crossed = [name for name in counts if said[name].casefold() in _CROSSES]
    if crossed:
        if len(crossed) > 1 or any(said[name] not in {"", "0"} for name in counts if name not in crossed):
            told = ", ".join(f"{said[name]!r} in {columns[name]!r}" for name in counts if said[name])
            raise RefusedRowError(f"it says more than one thing: {told}")
        many = {name: (1 if stated is None else stated) if name in crossed else 0 for name in counts}
    else:
        many = {name: whole(said[name], columns[name], mapping.decimal) if said[name] else 0 for name in counts}
    if not crossed and (negative := next((name for name in counts if many[name] < 0), None)):
        words = f"{columns[negative]!r} is {said[negative]!r}: units are counted, and a correction is not"
        raise RefusedRowError(f"{words}; write how many there are")
    if not 0 < sum(many.values()) <= MOST_UNITS:
        raise RefusedRowError(f"it counts {sum(many.values())} units")
    if stated is not None and sum(many.values()) != stated:
        found = ", ".join(f"{many[name]} in {columns[name]!r}" for name in counts)
        raise RefusedRowError(f"{columns['quantity']!r} is {stated}, and the units that are counted are {found}")
    return many


_CROSSES = frozenset({"x", "\u2713", "\u2714", "\u2612", "\u2611"})
"""What people put into the one of several columns that is right."""


def _outcome(said: Mapping[str, str], mapping: InspectionMapping) -> tuple[ReviewStatus, str]:
    if mapping.received_is is not None:
        meaning: Outcome | None = mapping.received_is
        word = "received"
    else:
        word = said["outcome"]
        meaning = mapping.words.get(fold(word))
    if meaning is None:
        shown = f"the word {word!r} of {mapping.columns.outcome!r}" if word else f"an empty {mapping.columns.outcome!r}"
        raise RefusedRowError(f"{shown} is not in the mapping (`words`)")
    if meaning.status == NOT_YET:
        raise RefusedRowError(f"{word!r} says that it is not inspected yet")
    status = ReviewStatus(meaning.status)
    return status, _reason(
        said, meaning.reason or mapping.declined_reason, mapping
    ) if status is ReviewStatus.DECLINED else ""


def _reason(said: Mapping[str, str], otherwise: str, mapping: InspectionMapping) -> str:
    """What the shopper reads of a decline. Never the cell's own text, which could say anything."""
    word = said.get("reason", "")
    reason = mapping.reasons.get(fold(word), "") or otherwise
    if not reason:
        raise RefusedRowError(f"it is declined, and the reason {word!r} is not in the mapping (`reasons`)")
    return reason


def _time(said: Mapping[str, str], mapping: InspectionMapping) -> datetime | None:
    text = said.get("inspected_at", "")
    if not text:
        return None
    if time := said.get("inspected_time", ""):
        text = f"{text} {time}"
    zone = zone_named(mapping.zone)
    assert zone is not None  # noqa: S101 - the mapping has been checked
    try:
        return read_time(text, mapping.date_format, zone)
    except (ValueError, OverflowError, OSError) as error:
        raise RefusedRowError(f"{mapping.columns.inspected_at!r} is {text!r}; {error}") from None
