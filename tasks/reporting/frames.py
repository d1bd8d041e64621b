"""The rows of a report as typed frames of pandas, and as Parquet files: for who asks questions of their own.

Amounts stay `Decimal` (columns of objects), times are aware and in UTC, words that come again and again are categories,
ids are texts. A frame has its columns though it has no row. Which frames there are, and what each column is: `FRAMES`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import partial
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_type_hints

from tasks.desk import DeskError
from tasks.ledger import Effect, HeldReturn
from tasks.reporting.daily_data import Payment, ReportData
from tasks.reporting.return_rows import (
    CurrencyCode,
    LineRow,
    ParcelRow,
    RefundRow,
    ReturnId,
    ReturnRow,
    ReviewRow,
    StoreId,
    Told,
    columns_of,
)

if TYPE_CHECKING:
    from pandas import DataFrame, Series


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One effect of the ledger: a refund, an exchange, a label, a review; whatever became of it."""

    effect_id: Annotated[str, Told("the ledger's id of the effect")]
    process_id: ReturnId
    order: Annotated[str, Told("the order's number")]
    store: StoreId
    kind: Annotated[str, Told("what it does: refund, exchange, label, review ...", category=True)]
    state: Annotated[str, Told("what became of it: done, done_by_hand, unknown, refused ...", category=True)]
    method: Annotated[str, Told("how a refund is paid", category=True)]
    currency: CurrencyCode
    amount: Annotated[
        Decimal, Told("what a refund pays, less costs and fees, with all on top; 0 for others", unit="currency")
    ]
    gross: Annotated[Decimal, Told("what its units are worth, before costs", unit="currency")]
    shipping: Annotated[Decimal, Told("of the amount, the order's shipping", unit="currency")]
    units: Annotated[int, Told("how many units it is about", unit="units")]
    carrier: Annotated[str, Told("provider and carrier of a label", category=True)]
    created_at: Annotated[datetime, Told("when it was decided", unit="UTC")]
    sent_at: Annotated[datetime | None, Told("when it was sent last", unit="UTC")]
    closed_at: Annotated[datetime | None, Told("when the ledger had its outcome", unit="UTC")]
    rule: Annotated[str, Told("the rule that asked for it", category=True)]
    adopted: Annotated[bool, Told("whether REVER had made it before the desk did")]
    approved_by: Annotated[str, Told("who let a rule pass for it; empty: nobody was asked", category=True)]
    approved_at: Annotated[datetime | None, Told("when", unit="UTC")]


@dataclass(frozen=True, slots=True)
class MoneyRow:
    """One refund that was paid in the window, and how REVER shows it: the rows of all sums of money of the report."""

    effect_id: Annotated[str, Told("the ledger's id of the refund")]
    process_id: ReturnId
    store: StoreId
    day: Annotated[date, Told("the store's own date of the payment")]
    closed_at: Annotated[datetime | None, Told("when the ledger had REVER's yes, or a person's word", unit="UTC")]
    processed_at: Annotated[datetime | None, Told("when REVER says it was paid, where that is clear", unit="UTC")]
    method: Annotated[str, Told("how it was paid", category=True)]
    rule: Annotated[str, Told("the rule that paid it", category=True)]
    country: Annotated[str, Told("the shopper's country; empty where the return was not read", category=True)]
    currency: CurrencyCode
    refunded: Annotated[Decimal, Told("paid, on its way and not shown together", unit="currency")]
    paid: Annotated[Decimal, Told("of it, what REVER shows as paid", unit="currency")]
    on_its_way: Annotated[Decimal, Told("of it, what REVER has accepted and not paid", unit="currency")]
    not_shown: Annotated[Decimal, Told("of it, what REVER does not show", unit="currency")]
    by_hand: Annotated[Decimal, Told("what a person said was paid past the desk; in no sum", unit="currency")]


@dataclass(frozen=True, slots=True)
class HoldRow:
    """One question to a person."""

    hold_id: Annotated[str, Told("the hold's id")]
    process_id: ReturnId
    store: StoreId
    kind: Annotated[str, Told("what is asked", category=True)]
    rule: Annotated[str, Told("the rule that held", category=True)]
    amount: Annotated[Decimal | None, Told("the money at stake", unit="currency")]
    currency: CurrencyCode
    since: Annotated[datetime, Told("when it was opened", unit="UTC")]
    state: Annotated[str, Told("open, answered, or closed by itself", category=True)]
    answer: Annotated[str, Told("what was answered", category=True)]
    answered_by: Annotated[str, Told("who answered, as typed", category=True)]
    answered_at: Annotated[datetime | None, Told("when", unit="UTC")]


def _ledger(effect: Effect) -> LedgerRow:
    return LedgerRow(
        effect_id=effect.id,
        process_id=effect.process_id,
        order=effect.order,
        store=effect.store,
        kind=str(effect.kind),
        state=str(effect.state),
        method=effect.method,
        currency=effect.currency,
        amount=effect.amount,
        gross=effect.gross,
        shipping=effect.shipping,
        units=effect.units,
        carrier=effect.carrier,
        created_at=effect.created_at,
        sent_at=effect.sent_at,
        closed_at=effect.closed_at,
        rule=effect.rule,
        adopted=effect.adopted,
        approved_by=effect.approved_by,
        approved_at=effect.approved_at,
    )


def _money(data: ReportData, payment: Payment) -> MoneyRow:
    effect = payment.effect
    parts, closed = data.by_id.get(effect.process_id), effect.closed_at
    assert closed is not None  # noqa: S101 - it is in the window
    return MoneyRow(
        effect_id=effect.id,
        process_id=effect.process_id,
        store=effect.store,
        day=data.windows[effect.store].day(closed),
        closed_at=closed,
        processed_at=payment.refunded_at,
        method=effect.method,
        rule=effect.rule,
        country=parts.row.country if parts else "",
        currency=effect.currency,
        refunded=payment.refunded,
        paid=payment.paid,
        on_its_way=payment.on_its_way,
        not_shown=payment.not_shown,
        by_hand=payment.by_hand,
    )


def _hold(hold: HeldReturn) -> HoldRow:
    return HoldRow(
        hold_id=hold.id,
        process_id=hold.process_id,
        store=hold.store,
        kind=hold.kind,
        rule=hold.rule,
        amount=hold.amount,
        currency=hold.currency,
        since=hold.since,
        state=hold.state,
        answer=hold.answer,
        answered_by=hold.answered_by,
        answered_at=hold.answered_at,
    )


class Frame(StrEnum):
    """The frames there are."""

    RETURNS = "returns"
    LINES = "lines"
    REVIEWS = "reviews"
    PARCELS = "parcels"
    REFUNDS = "refunds"
    LEDGER = "ledger"
    MONEY = "money"
    HOLDS = "holds"


FRAMES: Mapping[Frame, type] = MappingProxyType(
    {
        Frame.RETURNS: ReturnRow,
        Frame.LINES: LineRow,
        Frame.REVIEWS: ReviewRow,
        Frame.PARCELS: ParcelRow,
        Frame.REFUNDS: RefundRow,
        Frame.LEDGER: LedgerRow,
        Frame.MONEY: MoneyRow,
        Frame.HOLDS: HoldRow,
    }
)
"""Frame -> the class of its rows, which says what each column is (`columns_of`)."""

_ROWS: Mapping[Frame, Callable[[ReportData], Iterator[Any]]] = MappingProxyType(
    {
        Frame.RETURNS: lambda data: (parts.row for parts in data.returns),
        Frame.LINES: lambda data: (row for parts in data.returns for row in parts.lines),
        Frame.REVIEWS: lambda data: (row for parts in data.returns for row in parts.reviews),
        Frame.PARCELS: lambda data: (row for parts in data.returns for row in parts.parcels),
        Frame.REFUNDS: lambda data: (row for parts in data.returns for row in parts.refunds),
        Frame.LEDGER: lambda data: map(_ledger, data.effects),
        Frame.MONEY: lambda data: (_money(data, payment) for payment in data.payments),
        Frame.HOLDS: lambda data: map(_hold, data.holds),
    }
)


def frame_of(data: ReportData, name: Frame) -> "DataFrame":
    """One frame. The shopper's columns are in it only where the data was read with shoppers."""
    return to_frame(FRAMES[name], _ROWS[name](data), personal=data.personal)


def to_frame(row: type, rows: Iterable[Any], *, personal: bool = False) -> "DataFrame":
    """Rows of a class as a frame, its columns typed by the class's fields."""
    from pandas import DataFrame  # noqa: PLC0415 - it takes a second and much memory, and files do without

    told, kinds = columns_of(row), _kinds(row)
    columns = _columns(row, rows, personal=personal)
    typed = {}
    for name in list(columns):  # one column after another, so that only one of them is there twice
        typed[name] = _series(columns.pop(name), kinds[name], category=told[name].category)
    return DataFrame(typed)


def _columns(row: type, rows: Iterable[Any], *, personal: bool) -> dict[str, list[Any]]:
    """Field -> its values, row for row."""
    told = columns_of(row)
    names = [each.name for each in fields(row) if personal or not told[each.name].personal]
    columns: dict[str, list[Any]] = {name: [] for name in names}
    add = [(columns[name].append, name) for name in names]
    for each in rows:
        for append, name in add:
            append(getattr(each, name))
    return columns


def _kinds(row: type) -> dict[str, type]:
    """Field -> the type of its values, None left out."""
    found = {}
    for name, hint in get_type_hints(row).items():
        known = [each for each in get_args(hint) if each is not type(None)] or [hint]
        found[name] = known[0]
    return found


def _series(values: Sequence[Any], kind: type, *, category: bool) -> "Series[Any]":
    from pandas import CategoricalDtype, DatetimeTZDtype, Series  # noqa: PLC0415

    if kind is datetime:
        return Series(values, dtype=DatetimeTZDtype("us", "UTC"))
    if category:
        words = list(map(str, values))
        return Series(words, dtype=CategoricalDtype(sorted(set(words))))
    if issubclass(kind, bool | int):
        return Series(values, dtype="bool" if kind is bool else "int64")
    return Series(values, dtype="str" if kind is str else "object")


AT_ONCE = 10_000
"""Rows that are written at a time, so that a year of them is not in memory twice."""


def write_frames(folder: Path, data: ReportData) -> dict[str, int]:
    """Write each frame to a Parquet file, for its owner alone; returns how many rows each has. Raises `DeskError`.

    An amount is an exact decimal there, with two decimals, or as many as the longest of its column has.
    """
    from pyarrow import ArrowException  # noqa: PLC0415 - few runs write any

    written = {}
    try:
        for name, row in FRAMES.items():
            path = folder / f"{name}.parquet"
            path.touch(mode=0o600)
            written[path.name] = _write(path, row, partial(_ROWS[name], data), personal=data.personal)
    except (OSError, ArrowException) as error:
        raise DeskError(f"the frames could not be written to {folder}: {error}") from None
    return written


def _write(path: Path, row: type, rows: Callable[[], Iterator[Any]], *, personal: bool) -> int:
    """Write the rows, so many at a time. They are gone over twice: for the longest amounts, and to write."""
    from pyarrow import Table  # noqa: PLC0415
    from pyarrow.parquet import ParquetWriter  # noqa: PLC0415

    schema = _schema(row, _decimals(row, rows()), personal=personal)
    made, many, listed = 0, AT_ONCE, rows()
    with ParquetWriter(path, schema) as file:
        while many == AT_ONCE:
            columns = _columns(row, islice(listed, AT_ONCE), personal=personal)
            many = len(columns[schema.names[0]])
            made += many
            file.write_table(Table.from_arrays([_array(columns.pop(it.name), it.type) for it in schema], schema=schema))
    return made


def _array(values: list[Any], kind: Any) -> Any:
    """Values as Arrow has them: exactly, and each word that comes again and again once."""
    import pyarrow as pa  # noqa: PLC0415

    if pa.types.is_dictionary(kind):
        return pa.array(list(map(str, values)), pa.string()).dictionary_encode()
    return pa.array(values, kind)


def _decimals(row: type, rows: Iterator[Any]) -> dict[str, int]:
    """Amount -> how many decimals the longest has; at least 2."""
    names = [name for name, kind in _kinds(row).items() if kind is Decimal]
    found = dict.fromkeys(names, 2)
    for each in rows if names else ():
        for name in names:
            amount = getattr(each, name)
            if amount is not None and -(exponent := amount.as_tuple().exponent) > found[name]:
                found[name] = -exponent
    return found


def _schema(row: type, decimals: Mapping[str, int], *, personal: bool) -> Any:
    """The types of a Parquet file's columns, each with what it is and its unit."""
    import pyarrow as pa  # noqa: PLC0415

    listed = []
    kinds = _kinds(row)
    for name, told in columns_of(row).items():
        if told.personal and not personal:
            continue
        match kinds[name]:
            case kind if kind is Decimal:
                found = pa.decimal128(38, decimals[name])
            case kind if kind is datetime:
                found = pa.timestamp("us", "UTC")
            case kind if kind is date:
                found = pa.date32()
            case kind if issubclass(kind, bool):
                found = pa.bool_()
            case kind if issubclass(kind, int):
                found = pa.int64()
            case _ if told.category:
                found = pa.dictionary(pa.int32(), pa.string())
            case _:
                found = pa.string()
        listed.append(pa.field(name, found, metadata={"about": told.about, "unit": told.unit}))
    return pa.schema(listed, metadata={"with_shoppers": "yes" if personal else "no"})
