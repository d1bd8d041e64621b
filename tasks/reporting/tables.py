"""Tables of figures: what a column holds, and how a cell is written for people, for files and for programs.

A report is a list of them; each form (page, CSV, workbook, HTML, JSON) only says how a table looks there.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar, overload

from tasks.policy.money import minor_unit, payable

Cell = str | int | Decimal | date | datetime | None
"""What stands in a table. None is "not known", and is written as an empty cell, never as 0."""


T = TypeVar("T")


class Kind(StrEnum):
    """What the cells of a column are. Money has its currency in the column `currency` of the same row."""

    TEXT = "text"
    ID = "id"
    RETURN = "return"
    COUNT = "count"
    MONEY = "money"
    RATE = "rate"
    SHARE = "share"
    DAYS = "days"
    DAY = "day"
    TIME = "time"

    @property
    def is_number(self) -> bool:
        """Whether it stands to the right."""
        return self in {Kind.COUNT, Kind.MONEY, Kind.SHARE, Kind.DAYS, Kind.RATE}


class Basis(StrEnum):
    """By which date something is in a window of time or not."""

    STARTED = "started"
    REVIEWED = "reviewed"
    PAID = "paid"
    CLOSED = "closed"
    HELD = "held"
    SENT = "sent"
    NOW = "now"

    @property
    def words(self) -> str:
        """What decides what is in it, in words."""
        return _BASES[self]


_BASES = {
    Basis.STARTED: "by when the shopper started the return",
    Basis.REVIEWED: "by when a unit was inspected",
    Basis.PAID: "by when the ledger had REVER's yes to the payment, or a person's word for it",
    Basis.CLOSED: "by when the ledger had the outcome",
    Basis.HELD: "by when the hold was opened",
    Basis.SENT: "by when the refund was sent, and earlier ones that the files have",
    Basis.NOW: "as it stands when the report is made, whatever the window",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """How a figure is worked out. `n` says what its number of cases counts, `left_out` what is not in it."""

    name: str
    title: str
    formula: str
    basis: Basis
    left_out: str
    n: str


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. One that is `rarely` used is left out of pages where all its cells are empty or `usual`."""

    name: str
    title: str
    kind: Kind = Kind.TEXT
    rarely: bool = False
    usual: int = 0

    @property
    def is_sentence(self) -> bool:
        """Whether it holds sentences, which wrap."""
        return self.name in _SENTENCES


_SENTENCES = frozenset({"why", "how"})

RETURN, ORDER = Column("process_id", "Return", Kind.RETURN), Column("order", "Order", Kind.ID)
STORE, CURRENCY = Column("store", "Store"), Column("currency", "Currency")
HOURS = Column("hours", "Hours", Kind.COUNT, rarely=True, usual=24)
"""How long a day is; said where clocks change."""


class RowsOf(Sequence[tuple[Cell, ...]]):
    """Rows that are made of things as they are asked for: a year of single payments is never in memory as rows."""

    def __init__(self, things: Sequence[T], make: Callable[[T], tuple[Cell, ...]]) -> None:
        self._things, self._make = things, make

    def __len__(self) -> int:
        return len(self._things)

    def __iter__(self) -> Iterator[tuple[Cell, ...]]:
        return map(self._make, self._things)

    @overload
    def __getitem__(self, place: int) -> tuple[Cell, ...]: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[tuple[Cell, ...]]: ...
    def __getitem__(self, place: int | slice) -> tuple[Cell, ...] | Sequence[tuple[Cell, ...]]:
        if isinstance(place, slice):
            return [self._make(it) for it in self._things[place]]
        return self._make(self._things[place])


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one figure, or of several that are worked out alike. `n` is how many cases are in it.

    `chart` names the column of which a chart is drawn, `label` the one that names its bars; `why_empty` is what stands
    in the place of rows where there are none. A table that `lists` single cases is for files alone. Of one that is
    `sparse`, pages leave out the rows whose counts and amounts are all 0.
    """

    name: str
    title: str
    figure: Figure
    columns: tuple[Column, ...]
    rows: Sequence[tuple[Cell, ...]] = ()
    n: int = 0
    chart: str = ""
    label: str = ""
    why_empty: str = "none in this window"
    lists: bool = False
    sparse: bool = False
    notes: tuple[str, ...] = field(default=())

    def place(self, column: str) -> int:
        """The place of a column in each row; -1 where the table has no such column."""
        return next((place for place, each in enumerate(self.columns) if each.name == column), -1)

    @property
    def sentences(self) -> list[int]:
        """The places of the columns whose sentences wrap; those of long lists stay on one line."""
        return [place for place, each in enumerate(self.columns) if each.is_sentence and not self.lists]

    def page_columns(self) -> list[int]:
        """The places of the columns that a page shows: those that say something."""
        nothing: set[Cell] = {None, ""}
        return [
            place
            for place, column in enumerate(self.columns)
            if any(
                row[place] not in nothing and not (column.rarely and row[place] == column.usual) for row in self.rows
            )
        ]

    def page_rows(self) -> list[tuple[Cell, ...]]:
        """The rows that a page shows."""
        told = [place for place, column in enumerate(self.columns) if column.kind.is_number and column.name != "hours"]
        return [row for row in self.rows if not self.sparse or any(row[place] for place in told)]

    def records(self) -> Iterable[Mapping[str, Cell]]:
        """The rows by the names of their columns."""
        names = [column.name for column in self.columns]
        return (dict(zip(names, row, strict=True)) for row in self.rows)

    def currency(self, row: tuple[Cell, ...]) -> str:
        """The currency of a row's money."""
        place = self.place("currency")
        return str(row[place] or "") if place >= 0 else ""


def exact(cell: Cell) -> str:
    """A cell for files and programs: exact decimals, ISO 8601 times in UTC, empty where nothing is known."""
    match cell:
        case None:
            return ""
        case Decimal():
            return format(cell, "f")
        case datetime():
            return cell.astimezone(UTC).isoformat(timespec="seconds")
        case date():
            return cell.isoformat()
        case _:
            return str(cell)


def readable(cell: Cell, kind: Kind, currency: str = "") -> str:
    """A cell for people: money with its currency's decimals and thousands, shares in percent, times to the minute.

    A time is shown in the zone that it has.
    """
    if cell is None:
        return ""
    match kind:
        case Kind.COUNT | Kind.MONEY if isinstance(cell, int | Decimal):
            return f"{in_decimals(cell, currency) if isinstance(cell, Decimal) else cell:,}"
        case Kind.SHARE if isinstance(cell, Decimal):
            return f"{(cell * 100).quantize(Decimal('0.1'))} %"
        case Kind.DAYS if isinstance(cell, Decimal):
            return f"{cell.quantize(Decimal('0.1'))}"
        case Kind.TIME if isinstance(cell, datetime):
            return cell.strftime("%Y-%m-%d %H:%M")
        case _:
            return exact(cell)


def in_decimals(amount: Decimal, currency: str) -> Decimal:
    """An amount with the decimals of its currency; as it is where it has more."""
    return amount.quantize(Decimal(1).scaleb(-minor_unit(currency))) if payable(amount, currency) else amount


def share_of(part: Decimal | int, whole: Decimal | int | None) -> Decimal | None:
    """`part / whole`; None where there is no whole, or it is not known."""
    return (Decimal(part) / Decimal(whole)).quantize(Decimal("0.000001")) if whole else None
