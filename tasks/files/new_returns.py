"""The rows of a file as returns that are to be made: of which order, for whom, which goods, under which key. Pure.

The key is what makes a return happen once, however often and in whatever file it is asked for: the shop's own, where a
column has it, else derived from order, goods and reasons. A row that does not say all in one way is refused, with every
other row of its return.
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from rever_api.models import NOT_RECEIVED
from tasks.files.mapped_file import MappedFile, read_mapped_file
from tasks.files.mapped_rows import (
    Footer,
    Header,
    RefusedRowError,
    WrongRow,
    below_header,
    named_products,
    quantity_of,
    said_in,
)
from tasks.files.mapping import fold
from tasks.files.return_mapping import FROM_ABOVE, NEEDED, ReturnMapping, ReturnPer
from tasks.files.table import Row
from tasks.lookup import bare_order
from tasks.policy.order_returns import OrderKey, folded

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]+\.[^@\s.]+")
_LONGEST_EMAIL = 254


@dataclass(frozen=True, slots=True)
class WantedItem:
    """Units of one product that come back for one reason; reason and method are REVER's words, empty for its choice."""

    sku: str
    quantity: int
    reason: str = ""
    method: str = ""


@dataclass(frozen=True, slots=True)
class ReturnRow:
    """One row. `key` is the shop's own, empty where no column has it. The e-mail stays out of its repr."""

    number: int
    cells: tuple[str, ...] = field(repr=False)
    order_name: str
    email: str = field(repr=False)
    items: tuple[WantedItem, ...]
    key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class WrongReturnRow(WrongRow):
    """A row that is refused. `order_name` and `key` are what it says of its return, empty where it does not."""

    order_name: str = ""
    key: str = field(default="", repr=False)


AnyReturnRow: TypeAlias = ReturnRow | WrongReturnRow | Footer
ReturnsFile: TypeAlias = MappedFile[ReturnMapping, AnyReturnRow]


@dataclass(frozen=True, slots=True)
class WantedReturn:
    """One return that a file asks for, and its rows. `source` is its key as the ledger keeps it, without a name in it.

    `derived` is the key that order, goods and reasons come to. `source` is another one where the shop gave its own:
    only then may a product of the order be asked back a second time.
    """

    source: str
    derived: str
    order_name: str
    email: str = field(repr=False)
    items: tuple[WantedItem, ...]
    rows: tuple[ReturnRow, ...] = field(repr=False)

    @property
    def own(self) -> bool:
        """Whether the shop itself gave the key."""
        return self.source != self.derived

    @property
    def never_arrived(self) -> bool:
        """Whether some of its goods have not reached the shopper, so that there is nothing to inspect."""
        return any(item.reason == NOT_RECEIVED for item in self.items)

    @property
    def units(self) -> Counter[str]:
        """Folded SKU -> units of it."""
        found = Counter[str]()
        for item in self.items:
            found[folded(item.sku)] += item.quantity
        return found


def read_returns_file(file: Path, mapping: Path, names: tuple[str, str] = ("", "")) -> ReturnsFile:
    """Read a file of returns by its mapping; `names` are how people know the two where those are not their paths.

    Raises `InputFileError` for one that cannot be used.
    """
    return read_mapped_file(file, mapping, ReturnMapping, read_return_rows, names)


def read_return_rows(rows: Iterable[Row], header: Header, mapping: ReturnMapping) -> Iterator[AnyReturnRow]:
    """The rows below the header, each read by itself but for cells that are filled from above."""
    for row in below_header(rows, header, mapping, FROM_ABOVE):
        if isinstance(row, Footer):
            yield row
            continue
        named = {name: row.cells[place].strip() for name, place in header.places.items() if name in FROM_ABOVE}
        try:
            yield _return_row(row, header, mapping)
        except RefusedRowError as refused:
            order, key = named.get("order", ""), named.get("key", "")
            yield WrongReturnRow(row.number, row.cells, str(refused), order, key)


def _return_row(row: Row, header: Header, mapping: ReturnMapping) -> ReturnRow:
    columns = mapping.columns.named()
    said = said_in(row, header, ("key", "order", "sku"))
    for name in ("key", *NEEDED):
        if name in said and not said[name]:
            raise RefusedRowError(f"{columns[name]!r} is empty")
    try:
        OrderKey("any", said["order"])
    except ValueError as error:
        raise RefusedRowError(f"{columns['order']!r} names no order: {error}") from None
    if len(said["email"]) > _LONGEST_EMAIL or not said["email"].isprintable() or not _EMAIL.fullmatch(said["email"]):
        raise RefusedRowError(f"{columns['email']!r} is no e-mail address")
    if "@" in said.get("key", ""):
        raise RefusedRowError(f"{columns['key']!r} is an e-mail address; a key names a return, and no shopper")
    reason = _meaning("reason", said, columns, mapping.reasons, mapping.reason)
    method = _meaning("method", said, columns, mapping.methods, mapping.method)
    products = named_products(said, ("sku",), columns, mapping.several_parted_by)
    items = []
    for names, counted in products:
        quantity = quantity_of(said, counted, len(products), mapping.columns.quantity, mapping.decimal)
        items.append(WantedItem(names["sku"], quantity, reason, method))
    return ReturnRow(row.number, row.cells, said["order"], said["email"], tuple(items), said.get("key", ""))


def _meaning(
    name: str, said: Mapping[str, str], columns: Mapping[str, str], words: Mapping[str, str], every: str
) -> str:
    """REVER's word for what a row says. Raises `RefusedRowError` for a word that the mapping does not have."""
    if name not in said:
        return every
    word = said[name]
    if (meaning := words.get(fold(word))) is not None:
        return meaning
    shown = "an e-mail address" if "@" in word else f"the word {word!r}" if word else "an empty cell"
    raise RefusedRowError(f"{shown} of {columns[name]!r} is not in the mapping (`{name}s`)")


# Rows of one return, and the key that it has.


def wanted_returns(
    rows: Iterable[AnyReturnRow], mapping: ReturnMapping, store: str
) -> tuple[list[WantedReturn], list[WrongRow]]:
    """The returns that a file asks of a store for, in the order of their first rows; and the rows that are refused.

    A return is made whole or not at all: with one of its rows all are refused.
    """
    groups = defaultdict[str, list[ReturnRow | WrongReturnRow]](list)
    for row in rows:
        if not isinstance(row, Footer):
            groups[_group(row, mapping.per)].append(row)
    wanted: list[WantedReturn] = []
    refused: list[WrongRow] = []
    for group in groups.values():
        if why := _refusal(group, mapping):
            refused += [it if isinstance(it, WrongRow) else WrongRow(it.number, it.cells, why) for it in group]
        else:
            wanted.append(_wanted([it for it in group if isinstance(it, ReturnRow)], mapping.per, store))
    return wanted, refused


def _group(row: ReturnRow | WrongReturnRow, per: ReturnPer) -> str:
    """What the rows of one return have in common; a row that does not say it is by itself."""
    name = {ReturnPer.KEY: fold(row.key), ReturnPer.ORDER: bare_order(row.order_name), ReturnPer.ROW: ""}[per]
    return f"named {name}" if name else f"row {row.number}"


def _refusal(group: Sequence[ReturnRow | WrongReturnRow], mapping: ReturnMapping) -> str:
    """Why these rows cannot be one return; empty where they can."""
    if wrong := next((it for it in group if isinstance(it, WrongRow)), None):
        return f"row {wrong.number} is of the same return, and it is refused"
    rows = [it for it in group if isinstance(it, ReturnRow)]
    numbers = ", ".join(str(it.number) for it in rows[:20])
    if len({bare_order(it.order_name) for it in rows}) > 1:
        return f"the rows {numbers} have one key, and name more than one order"
    if len({it.email.casefold() for it in rows}) > 1:
        return f"the rows {numbers} are one return, and name more than one e-mail address"
    if mapping.per is ReturnPer.ROW and len({folded(item.sku) for item in rows[0].items}) < len(rows[0].items):
        return "it names one product twice"
    return ""


def _wanted(rows: Sequence[ReturnRow], per: ReturnPer, store: str) -> WantedReturn:
    first = rows[0]
    found = dict[tuple[str, str, str], WantedItem]()
    for item in (item for row in rows for item in row.items):
        same = folded(item.sku), item.reason, item.method
        before = found.get(same)
        found[same] = item if before is None else WantedItem(before.sku, before.quantity + item.quantity, *same[1:])
    items = tuple(found.values())
    goods = [[sku, item.quantity, reason] for (sku, reason, _), item in sorted(found.items())]
    derived = _source(store, first.order_name, goods)
    source = _source(store, first.order_name, fold(first.key)) if per is ReturnPer.KEY else derived
    return WantedReturn(source, derived, first.order_name, first.email, items, tuple(rows))


def _source(store: str, order_name: str, what: object) -> str:
    """A key as the ledger keeps it. Only a digest: nobody knows what stands in a shop's column."""
    text = repr((store, bare_order(order_name), what))
    return f"file {hashlib.sha256(text.encode()).hexdigest()[:32]}"
