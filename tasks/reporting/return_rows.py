"""Returns as flat rows, for reports and for frames: the return, its lines, inspections, parcels, and REVER's refunds.

Each field says what it is, and in which unit; the docs and the frames have that from here. The shopper is in fields
that are marked as `personal`, and they are empty unless asked for.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from sys import intern
from typing import Annotated, get_args, get_type_hints

from rever_api.models import ProcessStatus, ReturnLineItem, ReturnProcess, ReviewStatus, ShippingStatus
from tasks.policy.comparison import compare
from tasks.policy.facts import goods_here, goods_sent, paid_of, refunds_shown, strange
from tasks.policy.label_case import DEAD_PARCEL
from tasks.policy.money import ZERO, shared, value
from tasks.policy.parcel import parcel_of
from tasks.policy.record import IntentKind, IntentState, Record
from tasks.policy.tracking import goods_moved, parcel_statuses


@dataclass(frozen=True, slots=True)
class Told:
    """What a field of a row is: in words, its unit, whether it has few values that come again and again, and whether
    the shopper is in it.
    """

    about: str
    unit: str = ""
    category: bool = False
    personal: bool = False


ReturnId = Annotated[str, Told("REVER's id of the return")]
StoreId = Annotated[str, Told("the store's e-commerce id", category=True)]
CurrencyCode = Annotated[str, Told("its currency", category=True)]
"""Fields that most rows have."""


class Stage(StrEnum):
    """How far a return has come that still waits, by what REVER shows."""

    NO_LABEL = "no label yet"
    LABEL = "label made, not used"
    ON_THE_WAY = "on the way to the warehouse"
    ARRIVED = "arrived, not inspected"
    PART_INSPECTED = "inspected in part"
    INSPECTED = "inspected, not paid"
    ENDED = "at its end"


@dataclass(frozen=True, slots=True)
class ReturnRow:
    """One return as REVER shows it, and what the ledger last decided of it."""

    process_id: ReturnId
    order: Annotated[str, Told("the order's number, as REVER has it")]
    store: StoreId
    status: Annotated[str, Told("REVER's status of the process", category=True)]
    return_status: Annotated[str, Told("REVER's status of the return", category=True)]
    country: Annotated[str, Told("the shopper's country, by the address of the pickup", category=True)]
    return_method: Annotated[str, Told("how the goods come back", category=True)]
    started_at: Annotated[datetime | None, Told("when the shopper started it", unit="UTC")]
    moved_at: Annotated[
        datetime | None, Told("when the goods began to move; known where their parcel was watched", unit="UTC")
    ]
    arrived_at: Annotated[
        datetime | None, Told("when the goods arrived; known where their parcel was watched", unit="UTC")
    ]
    reviewed_at: Annotated[datetime | None, Told("when the last unit was inspected, of those that are", unit="UTC")]
    moved: Annotated[bool, Told("whether the goods have been seen to move")]
    units: Annotated[int, Told("units of all its lines", unit="units")]
    value: Annotated[Decimal, Told("what its lines cost, discounts and taxes in, before costs", unit="currency")]
    refunded: Annotated[Decimal, Told("what REVER shows as refunded, on its way or paid", unit="currency")]
    currency: Annotated[str, Told("the currency of its lines", category=True)]
    stage: Annotated[Stage, Told("how far it has come", category=True)]
    waits: Annotated[bool, Told("whether it is not at its end: running or on hold at REVER")]
    decision: Annotated[
        str, Told("what the ledger last decided; empty where no run has looked at it", category=True)
    ] = ""
    rule: Annotated[str, Told("the rule of that decision", category=True)] = ""
    name: Annotated[str, Told("the shopper's name", personal=True)] = field(default="", repr=False)
    email: Annotated[str, Told("the shopper's e-mail", personal=True)] = field(default="", repr=False)

    @property
    def unrefunded(self) -> Decimal:
        """Of its value, what REVER does not show as refunded."""
        return max(ZERO, self.value - self.refunded)


@dataclass(frozen=True, slots=True)
class LineRow:
    """One line of a return: units of one product."""

    process_id: ReturnId
    line_id: Annotated[str, Told("REVER's id of the line")]
    store: StoreId
    sku: Annotated[str, Told("the product's SKU; not shown where it names the shopper", category=True)]
    product: Annotated[
        str, Told("the product's name and variant; not shown where it may name the shopper", category=True)
    ]
    reason: Annotated[str, Told("why it comes back; not shown where it may name the shopper", category=True)]
    method: Annotated[str, Told("what the shopper chose for it: how it is compensated", category=True)]
    quantity: Annotated[int, Told("units", unit="units")]
    total: Annotated[Decimal | None, Told("what the line cost, discounts and taxes in", unit="currency")]
    currency: CurrencyCode


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """The inspection of one unit."""

    process_id: ReturnId
    line_id: Annotated[str, Told("REVER's id of the line")]
    store: StoreId
    status: Annotated[str, Told("REVER's word for the outcome", category=True)]
    reviewed_at: Annotated[datetime | None, Told("when it was inspected", unit="UTC")]
    value: Annotated[
        Decimal | None, Told("what a unit of the line cost, to the cent: its total by its quantity", unit="currency")
    ]
    currency: CurrencyCode


@dataclass(frozen=True, slots=True)
class ParcelRow:
    """One parcel of a return."""

    process_id: ReturnId
    store: StoreId
    tracking: Annotated[str, Told("the tracking number, by which a carrier shows an address", personal=True)]
    carrier: Annotated[str, Told("the carrier", category=True)]
    status: Annotated[str, Told("REVER's word for where it is", category=True)]
    return_method: Annotated[str, Told("how it comes back", category=True)]


@dataclass(frozen=True, slots=True)
class RefundRow:
    """One refund that REVER shows, whoever made it."""

    process_id: ReturnId
    order: Annotated[str, Told("the order's number, as REVER has it")]
    store: StoreId
    method: Annotated[str, Told("how it was paid", category=True)]
    amount: Annotated[Decimal, Told("its amount", unit="currency")]
    paid: Annotated[Decimal, Told("how much of it REVER shows as paid; the rest is on its way", unit="currency")]
    currency: CurrencyCode
    refunded_at: Annotated[datetime | None, Told("when it was paid, where REVER says", unit="UTC")]


@dataclass(frozen=True, slots=True)
class Seen:
    """What REVER shows of a done refund of the ledger: the amount, how much of it is paid, and when.

    `refunded_at` is None where REVER does not say, or where nobody can tell which of several refunds is this one.
    """

    effect_id: str
    amount: Decimal
    paid: Decimal
    refunded_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReturnParts:
    """All rows of one return. `seen` says what REVER shows of the ledger's done refunds."""

    row: ReturnRow
    lines: tuple[LineRow, ...]
    reviews: tuple[ReviewRow, ...]
    parcels: tuple[ParcelRow, ...]
    refunds: tuple[RefundRow, ...]
    seen: tuple[Seen, ...]

    def seen_of(self, effect_id: str) -> Seen | None:
        """What REVER shows of a done refund of the ledger."""
        return next((each for each in self.seen if each.effect_id == effect_id), None)


def return_parts(
    process: ReturnProcess,
    store: str,
    record: Record,
    decision: tuple[str, str] = ("", ""),
    *,
    personal: bool = False,
) -> ReturnParts:
    """The rows of a return. `decision` is the ledger's last one and its rule; `personal` fills in the shopper."""
    process_id, reviews = intern(process.rever_process_id), process.reviews or ()
    lines = {line.id: line for line in process.return_line_items}
    currency = intern(next((line.currency for line in process.return_line_items), ""))
    refunds = tuple(
        RefundRow(
            process_id,
            process.order_name,
            store,
            intern(str(it.type)),
            shared(it.amount),
            shared(it.amount if strange(it) else paid_of(it)),
            intern(it.currency),
            it.refunded_at,
        )
        for it in refunds_shown(process)
    )
    dated = [review.review_date for review in reviews if review.review_date is not None]
    waits = process.rever_process_status in {ProcessStatus.RUNNING, ProcessStatus.ON_HOLD}
    shopper = process.shopper if personal else None
    moved = goods_moved(record.parcels or ())
    sent = goods_sent(process) or (process.logistics is None and moved.scanned_at is not None)
    row = ReturnRow(
        process_id=process_id,
        order=process.order_name,
        store=store,
        status=intern(str(process.rever_process_status)),
        return_status=intern(str(process.return_status)),
        country=intern(_country(process)),
        return_method=intern(str(process.return_method)),
        started_at=process.started_at,
        moved_at=_watched(moved.scanned_at, record),
        arrived_at=_watched(moved.arrived_at, record),
        reviewed_at=max(dated, default=None),
        moved=sent or bool(reviews),
        units=sum(max(0, line.quantity) for line in process.return_line_items),
        value=shared(sum((it.total_price for it in process.return_line_items if it.total_price is not None), ZERO)),
        refunded=shared(sum((it.amount for it in refunds if it.currency == currency), ZERO)),
        currency=currency,
        stage=_stage(process, record, sent=sent) if waits else Stage.ENDED,
        waits=waits,
        decision=decision[0],
        rule=decision[1],
        name=f"{shopper.first_name} {shopper.last_name}".strip() if shopper else "",
        email=shopper.email if shopper else "",
    )
    return ReturnParts(
        row=row,
        lines=_lines(process, process_id, store),
        reviews=tuple(
            ReviewRow(
                process_id,
                known.id if (known := lines.get(it.line_item_id)) else it.line_item_id,
                store,
                intern(str(it.status)),
                it.review_date,
                _unit_value(known),
                currency,
            )
            for it in reviews
        ),
        parcels=tuple(
            ParcelRow(
                process_id,
                store,
                it.tracking_number if personal else "",
                it.carrier,
                intern(str(it.status)),
                intern(str(it.method)),
            )
            for it in process.logistics or ()
        ),
        refunds=refunds,
        seen=_seen(process, record, refunds),
    )


def _lines(process: ReturnProcess, process_id: str, store: str) -> tuple[LineRow, ...]:
    harmless = parcel_of(process, most=len(process.return_line_items))
    return tuple(
        LineRow(
            process_id=process_id,
            line_id=line.id,
            store=store,
            sku=intern(shown.sku),
            product=intern(shown.product),
            reason=intern(shown.reason),
            method=intern(str(line.compensation_method)),
            quantity=line.quantity,
            total=None if line.total_price is None else shared(line.total_price),
            currency=intern(line.currency),
        )
        for line, shown in zip(process.return_line_items, harmless, strict=True)
    )


def _unit_value(line: ReturnLineItem | None) -> Decimal | None:
    if line is None or line.total_price is None or line.quantity < 1 or line.total_price < 0:
        return None
    return shared(value(line.total_price, line.quantity, 1, line.currency))


def _watched(at: datetime | None, record: Record) -> datetime | None:
    """A time of the goods; None where nobody saw them before it and REVER does not say when it was."""
    first = [it.seen_at for it in record.parcels or () if not it.before and it.told_at is None]
    return None if at in first else at


def _country(process: ReturnProcess) -> str:
    """The shopper's country: of the pickup's address, else of a parcel's."""
    places = [process.pickup_address, *(parcel.from_ for parcel in process.logistics or ())]
    return next(
        (place.country_code or place.country for place in places if place and (place.country_code or place.country)), ""
    )


def _stage(process: ReturnProcess, record: Record, *, sent: bool) -> Stage:
    """How far a return has come that waits. Where the read does not tell of parcels, what was seen of them counts."""
    units = sum(max(0, line.quantity) for line in process.return_line_items)
    reviews = [it for it in process.reviews or () if it.status in set(ReviewStatus)]
    parcels = parcel_statuses(process, record)
    if reviews:
        return Stage.INSPECTED if len(reviews) >= units else Stage.PART_INSPECTED
    if goods_here(process) or ShippingStatus.IN_WAREHOUSE in parcels:
        return Stage.ARRIVED
    if sent:
        return Stage.ON_THE_WAY
    return Stage.LABEL if any(status and status not in DEAD_PARCEL for status in parcels) else Stage.NO_LABEL


def _seen(process: ReturnProcess, record: Record, refunds: Sequence[RefundRow]) -> tuple[Seen, ...]:
    """What REVER shows of the done refunds."""
    done = [it for it in record.intents if it.kind is IntentKind.REFUND and it.state is IntentState.DONE and it.amount]
    if not done:
        return ()
    ours = Counter((it.method, it.amount, it.currency) for it in done)
    theirs: dict[tuple[str, Decimal, str], list[datetime | None]] = defaultdict(list)
    for refund in refunds:
        theirs[refund.method, refund.amount, refund.currency].append(refund.refunded_at)
    found: dict[str, Seen] = {}
    for it in compare(process, record).standings:
        shape = (it.intent.method, it.intent.amount, it.intent.currency)
        clear = ours[shape] == len(theirs[shape]) == 1
        paid = max(ZERO, min(it.paid, it.intent.amount))
        shown = max(paid, min(it.amount, it.intent.amount))
        found[it.intent.id] = Seen(it.intent.id, shared(shown), shared(paid), theirs[shape][0] if clear else None)
    return (*found.values(), *(Seen(it.id, ZERO, ZERO, None) for it in done if it.id not in found))


def columns_of(row: type) -> dict[str, Told]:
    """Each field of a row, and what it is."""
    return {
        name: next(each for each in get_args(kind) if isinstance(each, Told))
        for name, kind in get_type_hints(row, include_extras=True).items()
    }


AGES = ((7, "under 7 days"), (15, "7 to 14 days"), (22, "15 to 21 days"), (31, "22 to 30 days"))
"""REVER's buckets of age: below so many whole days, and in words."""

OLDEST = "over 30 days"


def age_in_words(age: timedelta) -> str:
    """The bucket of an age: whole days that have passed."""
    return next((words for below, words in AGES if age.days < below), OLDEST)
