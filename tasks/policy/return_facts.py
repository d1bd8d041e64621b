"""What is known of one return at one moment: the facts that a merchant's rules ask for, and which of them are unknown.

A fact is a value, None where it is known that there is none (the parcel was not scanned), or `Unknown`. REVER tells a
part of them (`facts_of`). The rest needs the shop's own order (tags, dates, gateway), a table of its products, or the
shopper's earlier returns: they are unknown until `side_facts.enriched` fills them in.

Days are whole calendar days in the store's zone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias, TypeVar

from rever_api.models import Product, ReturnLineItem, ReturnProcess, Review, ShippingStatus
from tasks.policy.country import country_of
from tasks.policy.facts import (
    LineInspection,
    believed,
    exchange_shown,
    goods_here,
    goods_sent,
    inspected_lines,
    one_mailbox,
    refunds_shown,
)
from tasks.policy.measures import Grams, Size
from tasks.policy.record import IntentKind, IntentState, Record, money_intents
from tasks.policy.store import StoreRules
from tasks.policy.tracking import changes, goods_moved, view_of

ValueT = TypeVar("ValueT")

_DONE = frozenset({IntentState.DONE, IntentState.DONE_BY_HAND})


@dataclass(frozen=True, slots=True)
class Unknown:
    """A fact that is not there. `needs` says what is missing, so that a person can supply it."""

    needs: str


Fact: TypeAlias = ValueT | Unknown | None


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in a currency. Two of different currencies cannot be compared."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class EarlierReturn:
    """Another return of the same shopper in the stores of this desk, cancelled ones included.

    `refunded` is what was refunded for it, a sum for each currency; `wrong_items` whether units were missing or
    declined; `bonus` whether a bonus was paid on top; `value` what its lines are worth, None where that is not known.
    `shown` is false where REVER does not show it and the ledger alone tells of its refunds: then `started_on` is the
    day of the first, by which it had begun, and its order is not known.
    """

    process_id: str
    order_id: str
    started_on: date
    cancelled: bool = False
    refunded: Mapping[str, Decimal] | Unknown = field(default_factory=dict)
    value: Money | None = None
    wrong_items: bool | Unknown = False
    bonus: bool | Unknown = False
    shown: bool = True
    began: datetime | None = None


EarlierReturns: TypeAlias = tuple[EarlierReturn, ...] | Unknown
EARLIER_NOT_TOLD = Unknown("the shopper's earlier returns")


@dataclass(frozen=True, slots=True)
class ShippingPart:
    """What of an order's shipping costs went with the refund of one return, of this desk; the `number`-th of the order.

    `worth` is the value of the goods that it went with. One that is not `live` was given back, and holds its number;
    `sent_at` is when it was sent all the same, None where it never was.
    """

    process_id: str
    number: int
    amount: Decimal
    worth: Decimal
    live: bool = True
    sent_at: datetime | None = None


_ORDERS, _PRODUCTS = "the table of orders", "the table of products"
_ORDER = f"{_ORDERS} or the shop's order"
"""Who may tell what REVER does not."""


class LineFacts(NamedTuple):
    """What is known of one line. `weight` and `size` are of one unit, as it is packed."""

    line_id: str
    quantity: int
    sku: Fact[str] = Unknown("the line's SKU")
    product_id: Fact[str] = Unknown("the line's product id")
    variant_id: Fact[str] = Unknown("the line's variant id")
    reason: Fact[str] = Unknown("the line's return reason")
    method: Fact[str] = Unknown("the compensation wished for")
    currency: Fact[str] = Unknown("the line's currency")
    value: Fact[Money] = Unknown("the line's total")
    unit_price: Fact[Money] = Unknown("the line's unit price")
    discount: Fact[Money] = Unknown("the line's discounts")
    discount_share: Fact[Decimal] = Unknown("the line's discounts and subtotal")
    reviews: Fact[frozenset[str]] = Unknown("the line's reviews")
    reject_reasons: Fact[frozenset[str]] = Unknown("the line's reviews")
    inspectors: Fact[frozenset[str]] = Unknown("the line's reviews")
    product_type: Fact[str] = Unknown(f"the product's type ({_PRODUCTS})")
    vendor: Fact[str] = Unknown(f"the product's vendor ({_PRODUCTS})")
    product_tags: Fact[frozenset[str]] = Unknown(f"the product's tags ({_PRODUCTS})")
    variants: Fact[int] = Unknown(f"the number of the product's variants ({_PRODUCTS})")
    cost: Fact[Money] = Unknown(f"the product's cost ({_PRODUCTS})")
    weight: Fact[Grams] = Unknown(f"the product's weight ({_PRODUCTS})")
    size: Fact[Size] = Unknown(f"the product's size ({_PRODUCTS})")


_PERSONAL = frozenset({"postcode", "shopper"})


class ReturnFacts(NamedTuple):
    """What is known of one return. `now` is in the store's zone.

    A tuple with names, as many are made: each look at a return takes one, and each moment of a backtest.
    """

    process_id: str
    store: str
    now: datetime
    lines: tuple[LineFacts, ...]
    order_id: str = ""
    order_name: str = ""
    began: datetime | None = None
    country: Fact[str] = Unknown("the country of the pickup address")
    postcode: Fact[str] = Unknown("the postcode of the pickup address")
    return_method: Fact[str] = Unknown("the return method")
    shipping_statuses: Fact[frozenset[str]] = Unknown("the parcels' status")
    started_on: Fact[date] = Unknown("the day the return began")
    first_scanned_on: Fact[date] = Unknown("the day of the first scan")
    arrived_on: Fact[date] = Unknown("the day the parcel arrived")
    reviewed_on: Fact[date] = Unknown("the day of the last review")
    scanned: Fact[bool] = Unknown("whether the parcel was scanned")
    arrived: Fact[bool] = Unknown("whether the parcel arrived")
    reviewed: Fact[bool] = Unknown("the reviews")
    all_approved: Fact[bool] = Unknown("the reviews")
    refunded: Fact[bool] = Unknown("REVER's refunds")
    held: Fact[bool] = Unknown("the ledger's holds")
    value: Fact[Money] = Unknown("the lines' totals")
    costs: Fact[Money] = Unknown("the return's costs")
    shopper: Fact[str] = Unknown("the shopper's e-mail")
    ordered_on: Fact[date] = Unknown(f"the order's date ({_ORDER})")
    fulfilled_on: Fact[date] = Unknown(f"the order's fulfilment date ({_ORDER})")
    delivered_on: Fact[date] = Unknown(f"the order's delivery date ({_ORDERS})")
    order_value: Fact[Money] = Unknown(f"the order's total ({_ORDER})")
    order_tags: Fact[frozenset[str]] = Unknown(f"the order's tags ({_ORDER})")
    customer_tags: Fact[frozenset[str]] = Unknown(f"the customer's tags ({_ORDERS})")
    gateway: Fact[str] = Unknown(f"the order's payment gateway ({_ORDER})")
    fraud_risk: Fact[str] = Unknown(f"the order's fraud risk ({_ORDERS})")
    whole_order: Fact[bool] = Unknown(f"whether the whole order comes back ({_ORDER})")
    shipping: Fact[Money] = Unknown(f"the order's shipping costs ({_ORDER})")
    goods_value: Fact[Money] = Unknown(f"the value of the order's goods ({_ORDER})")
    shipping_parts: tuple[ShippingPart, ...] | Unknown = ()
    label_cost: Fact[Money] = Unknown(f"what the return's label costs ({_ORDERS})")
    earlier: EarlierReturns = EARLIER_NOT_TOLD

    def __repr__(self) -> str:
        """Without what is the shopper's own."""
        told = (f"{name}={value!r}" for name, value in self._asdict().items() if name not in _PERSONAL)
        return f"ReturnFacts({', '.join(told)})"

    @property
    def today(self) -> date:
        """The store's own date."""
        return self.now.date()


def facts_of(
    process: ReturnProcess,
    record: Record,
    rules: StoreRules,
    now: datetime,
    zone: tzinfo,
    earlier: EarlierReturns = EARLIER_NOT_TOLD,
) -> ReturnFacts:
    """The facts that REVER and the ledger tell. `now` is aware, `zone` is the store's.

    `earlier` are the shopper's other returns, where they are known already.

    REVER names no time of a scan or an arrival. Their days are those on which this desk saw them, or the first unit was
    reviewed: they were then at the latest. Where no changes are kept, only whether there was one is known.
    """
    process = believed(process, now)
    inspected = inspected_lines(process, rules)
    return facts_now(lasting_facts(process, rules, zone), process, inspected, record, rules, now, zone, earlier)


def lasting_facts(process: ReturnProcess, rules: StoreRules, zone: tzinfo) -> ReturnFacts:
    """The facts that no review, scan, refund or hold changes, and no day that passes; the others are unknown in it.

    Its time is none (year 1), its lines are as if nothing was reviewed. A return that is looked at many times has these
    worked out once.
    """
    began, shopper = process.started_at, one_mailbox(process.shopper.email) if process.shopper else ""
    currency = _currency(process)
    return ReturnFacts(
        process.rever_process_id,
        rules.store,
        _BARE.now,
        tuple(_line(line, told=_told(process, rules)) for line in process.return_line_items),
        order_id=process.order_id,
        order_name=process.order_name,
        began=began,
        country=country_of(process.pickup_address) or _BARE.country,
        postcode=_postcode(process) or _BARE.postcode,
        return_method=str(process.return_method) or _BARE.return_method,
        started_on=began.astimezone(zone).date() if began else _BARE.started_on,
        value=value_of(process) or _BARE.value,
        costs=Money(process.return_costs, currency) if process.return_costs is not None and currency else _BARE.costs,
        shopper=shopper or _BARE.shopper,
    )


def facts_now(
    lasting: ReturnFacts,
    process: ReturnProcess,
    inspected: Sequence[LineInspection],
    record: Record,
    rules: StoreRules,
    now: datetime,
    zone: tzinfo,
    earlier: EarlierReturns = EARLIER_NOT_TOLD,
) -> ReturnFacts:
    """The facts of a return at one moment, as `facts_of`: those that last, and what this read of it shows.

    The process tells no time that cannot be (`facts.believed`); `inspected` are its lines by their inspection.
    """
    told = _told(process, rules)
    return lasting._replace(
        now=now.astimezone(zone),
        lines=tuple(_reviewed(line, process.reviews) for line in lasting.lines) if process.reviews else lasting.lines,
        refunded=_refunded(process, record, rules, _BARE.refunded),
        held=bool(record.holds),
        earlier=earlier,
        **_of_parcels(process, record, rules, now, zone),
        **(_of_reviews(process, inspected, zone) if told else {}),
    )


_BARE = ReturnFacts("", "", datetime.min.replace(tzinfo=UTC), ())
_BARE_LINE = LineFacts("", 0)
"""Of which nothing is known: what each fact needs."""


def _told(process: ReturnProcess, rules: StoreRules) -> bool:
    """Whether REVER says which reviews there are, none included."""
    return process.reviews is not None or rules.omits_empty_fields


def _of_reviews(process: ReturnProcess, lines: Sequence[LineInspection], zone: tzinfo) -> dict[str, Any]:
    """The facts about reviews, where REVER says which there are."""
    reviewed = all(line.reviewed for line in lines)
    days = [at.astimezone(zone).date() for review in process.reviews or () if (at := review.review_date)]
    dated = bool(days) and len(days) == len(process.reviews or ())
    return {
        "reviewed": reviewed,
        "all_approved": all(line.approved == line.quantity for line in lines),
        "reviewed_on": None if not reviewed else max(days) if dated else _BARE.reviewed_on,
    }


def _of_parcels(
    process: ReturnProcess, record: Record, rules: StoreRules, now: datetime, zone: tzinfo
) -> dict[str, Any]:
    """The facts about parcels. What this read shows and the ledger does not know yet was seen now."""
    statuses = frozenset([str(entry.status) for entry in process.logistics or ()])
    told = (process.logistics is not None or rules.omits_empty_fields) and statuses <= _STATUSES
    here = goods_here(process) or bool(process.reviews)
    scanned = True if goods_sent(process) or here else False if told else _BARE.scanned
    arrived = True if here else False if told else _BARE.arrived
    seen: tuple[datetime | None, datetime | None] = (None, None)
    if record.parcels is not None:
        moved = goods_moved((*record.parcels, *changes(record.parcels, view_of(process), now)))
        reviewed = min((at for review in process.reviews or () if (at := review.review_date)), default=None)
        there = _first(moved.arrived_at, reviewed)
        seen = _first(moved.scanned_at, there), there
    return {
        "shipping_statuses": statuses if told else _BARE.shipping_statuses,
        "scanned": scanned,
        "arrived": arrived,
        "first_scanned_on": _day(scanned, seen[0], zone, _BARE.first_scanned_on),
        "arrived_on": _day(arrived, seen[1], zone, _BARE.arrived_on),
    }


def _first(*times: datetime | None) -> datetime | None:
    return min((at for at in times if at is not None), default=None)


def _day(came: Fact[bool], at: datetime | None, zone: tzinfo, unknown: Fact[date]) -> Fact[date]:
    """The day of what came; None where it did not."""
    if came is False:
        return None
    return at.astimezone(zone).date() if came is True and at is not None else unknown


_STATUSES = frozenset(map(str, ShippingStatus))


def _refunded(process: ReturnProcess, record: Record, rules: StoreRules, unknown: Fact[bool]) -> Fact[bool]:
    """Whether anything was refunded or exchanged, by REVER's word or the ledger's. What came to 0 is no refund."""
    ours = any(it.state in _DONE and (it.amount or it.kind is IntentKind.EXCHANGE) for it in money_intents(record))
    if ours or any(it.amount for it in refunds_shown(process)) or exchange_shown(process):
        return True
    told = process.compensation is not None and process.compensation.refunds is not None
    return False if told or rules.omits_empty_fields else unknown


def _postcode(process: ReturnProcess) -> str:
    return "".join(process.pickup_address.postcode.split()).upper() if process.pickup_address else ""


def _currency(process: ReturnProcess) -> str:
    """The one currency of the lines; empty where there is none or more than one."""
    currencies = {line.currency for line in process.return_line_items}
    return currencies.pop() if len(currencies) == 1 else ""


def value_of(process: ReturnProcess) -> Money | None:
    """What all lines are worth, where each has a total and all are in one currency."""
    currency = _currency(process)
    totals = [line.total_price for line in process.return_line_items if line.total_price is not None]
    if not currency or len(totals) < len(process.return_line_items):
        return None
    return Money(sum(totals, Decimal(0)), currency)


def _line(line: ReturnLineItem, *, told: bool) -> LineFacts:
    product = line.product or Product()
    return LineFacts(
        line.id,
        line.quantity,
        sku=product.sku or _BARE_LINE.sku,
        product_id=product.product_id or _BARE_LINE.product_id,
        variant_id=product.variant_id or _BARE_LINE.variant_id,
        reason=line.return_reason or _BARE_LINE.reason,
        method=str(line.compensation_method) or _BARE_LINE.method,
        currency=line.currency or _BARE_LINE.currency,
        value=_money(line.total_price, line) or _BARE_LINE.value,
        unit_price=_money(line.unit_price, line) or _BARE_LINE.unit_price,
        discount=_money(line.total_discounts, line) or _BARE_LINE.discount,
        discount_share=_share(line, _BARE_LINE.discount_share),
        reviews=frozenset() if told else _BARE_LINE.reviews,
        reject_reasons=frozenset() if told else _BARE_LINE.reject_reasons,
        inspectors=frozenset() if told else _BARE_LINE.inspectors,
    )


def _reviewed(line: LineFacts, of_return: Sequence[Review]) -> LineFacts:
    """A line with what its reviews say, of those that there are."""
    reviews = [review for review in of_return if review.line_item_id == line.line_id]
    users = [review.user for review in reviews]
    return line._replace(
        reviews=frozenset([str(review.status) for review in reviews]),
        reject_reasons=frozenset([it.reject_reason for it in reviews if it.reject_reason]),
        inspectors=frozenset(users) if all(users) else _BARE_LINE.inspectors,
    )


def _money(amount: Decimal | None, line: ReturnLineItem) -> Money | None:
    return Money(amount, line.currency) if amount is not None and line.currency else None


def _share(line: ReturnLineItem, unknown: Fact[Decimal]) -> Fact[Decimal]:
    """The discounts in percent of what the line cost before them, not rounded."""
    if line.total_discounts is None:
        return unknown
    before = line.subtotal_price
    if before is None and line.unit_price is not None:
        before = line.unit_price * line.quantity
    if before is None or before <= 0:
        return Decimal(0) if line.total_discounts == 0 else unknown
    return line.total_discounts * 100 / before
