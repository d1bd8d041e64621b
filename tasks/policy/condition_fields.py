"""The fields that a condition may ask about: what each means, in which unit, and where it is read.

A field is of the return, or of each of its lines. Its kind says which operators fit it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from rever_api.models import CompensationMethod, ReturnMethod, ReviewStatus, ShippingStatus
from tasks.policy.country import COUNTRIES
from tasks.policy.currencies import CURRENCIES
from tasks.policy.facts import one_mailbox
from tasks.policy.return_facts import EarlierReturn, EarlierReturns, Fact, LineFacts, Money, ReturnFacts, Unknown

Value = str | bool | int | Decimal | date | Money | frozenset[str]
"""What a fact may be."""


class FieldKind(StrEnum):
    """What sort of value a field has, in the words of an error."""

    TEXT = "a text"
    TEXTS = "texts"
    FLAG = "true or false"
    NUMBER = "a whole number"
    MONEY = "an amount with its currency, such as 24.00 EUR"
    PERCENT = "a percentage, such as 50 %"
    DAY = "a date, such as 2026-12-01"


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `read_line` is None for a field of the return, `read` for one of its lines.

    `counts` takes the earlier returns of a window, for a field that has one (`within_days`). The values of a `hidden`
    field are shown nowhere; of a `personal` one neither is what a rule asks for. `words` are all that it can be, where
    that is a closed list. `spelled` brings a list's entries into the one spelling that its values have.
    """

    name: str
    kind: FieldKind
    about: str
    read: Callable[[ReturnFacts], Fact[Value]] | None = None
    read_line: Callable[[LineFacts], Fact[Value]] | None = None
    counts: Callable[[ReturnFacts, Iterable[EarlierReturn]], Fact[Value]] | None = None
    personal: bool = False
    hidden: bool = False
    words: frozenset[str] = frozenset()
    spelled: Callable[[str], str] = str

    def __post_init__(self) -> None:
        if self.personal:
            object.__setattr__(self, "hidden", True)

    def reader(self, within_days: int | None = None) -> Callable[[ReturnFacts, LineFacts | None], Fact[Value]]:
        """What reads it from the facts of a return, or of one of its lines."""
        if (counts := self.counts) is not None:

            def count(facts: ReturnFacts, _: LineFacts | None) -> Fact[Value]:
                counted = _within(facts, within_days)
                return counted if isinstance(counted, Unknown) else counts(facts, counted)

            return count
        if (read_line := self.read_line) is not None:
            return lambda _, line: read_line(line) if line is not None else Unknown("a line")
        if (read := self.read) is not None:
            return lambda facts, _: read(facts)
        raise ValueError(f"the field {self.name} is read nowhere")


def _within(facts: ReturnFacts, days: int | None) -> EarlierReturns:
    """The returns that began at most so many days ago and were not cancelled; all of them without a window.

    Of one that REVER does not show it is known by when it had begun: whether that was in the window may be unknown.
    """
    if isinstance(facts.earlier, Unknown):
        return facts.earlier
    found = []
    for other in facts.earlier:
        recent = days is None or other.started_on >= facts.today - timedelta(days=days)
        if recent and not other.cancelled and other.process_id != facts.process_id:
            if days is not None and not other.shown:
                return Unknown(f"the day on which the shopper's other return {other.process_id} began")
            found.append(other)
    return tuple(found)


def days_between(earlier: Fact[date], later: Fact[date]) -> Fact[int]:
    """Whole calendar days from one day to another: 0 on the day itself. None where one of them has not come."""
    for day in (earlier, later):
        if isinstance(day, Unknown):
            return day
    return None if earlier is None or later is None else (later - earlier).days  # type: ignore[operator]


def _since(day: Callable[[ReturnFacts], Fact[date]]) -> Callable[[ReturnFacts], Fact[Value]]:
    return lambda facts: days_between(day(facts), facts.today)


def _until_start(day: Callable[[ReturnFacts], Fact[date]]) -> Callable[[ReturnFacts], Fact[Value]]:
    return lambda facts: days_between(day(facts), facts.started_on)


def _share(part: Fact[Money], whole: Fact[Money]) -> Fact[Decimal]:
    """A part in percent of the whole, not rounded."""
    for money in (part, whole):
        if isinstance(money, Unknown):
            return money
    if not isinstance(part, Money) or not isinstance(whole, Money) or whole.amount <= 0:
        return Unknown("an amount to compare with")
    if part.currency != whole.currency:
        return Unknown(f"both amounts in {whole.currency}")
    return part.amount * 100 / whole.amount


def _added(amounts: Iterable[Fact[Money]]) -> Fact[Money]:
    """The sum of amounts of one currency."""
    total: Money | None = None
    for money in amounts:
        if not isinstance(money, Money):
            return money or Unknown("the value of each return")
        if total is not None and total.currency != money.currency:
            return Unknown(f"all amounts in {total.currency}")
        total = money if total is None else Money(total.amount + money.amount, money.currency)
    return total or Unknown("an amount")


def _of_order(
    facts: ReturnFacts,
    earlier: Iterable[EarlierReturn],
    of_these: Callable[[Sequence[EarlierReturn]], Fact[Value]],
) -> Fact[Value]:
    """A fact of the other returns of the same order."""
    every = tuple(earlier)
    if not facts.order_id or not all(other.shown for other in every):
        return Unknown("the order's id" if not facts.order_id else "the orders of the shopper's other returns")
    return of_these([other for other in every if other.order_id == facts.order_id])


def _before(facts: ReturnFacts, earlier: Iterable[EarlierReturn]) -> tuple[EarlierReturn, ...] | Unknown:
    """Those that began before this one; of one of the same day it must be known when."""
    if not isinstance(facts.started_on, date):
        return facts.started_on or Unknown("the day the return began")
    found = []
    for other in earlier:
        same_day, sure = other.started_on == facts.started_on, other.shown
        if sure and same_day and other.began is not None and facts.began is not None:
            before = (other.began, other.process_id) < (facts.began, facts.process_id)
        elif (sure and same_day) or (not sure and other.started_on >= facts.started_on):
            return Unknown(f"whether the shopper's other return {other.process_id} began before this one")
        else:
            before = other.started_on < facts.started_on
        found += [other] if before else []
    return tuple(found)


def _how_many_before(facts: ReturnFacts, earlier: Iterable[EarlierReturn]) -> Fact[Value]:
    before = _before(facts, earlier)
    return before if isinstance(before, Unknown) else len(before)


def _number_of_order(facts: ReturnFacts, earlier: Iterable[EarlierReturn]) -> Fact[Value]:
    def count(of_order: Sequence[EarlierReturn]) -> Fact[Value]:
        before = _before(facts, of_order)
        return before if isinstance(before, Unknown) else 1 + len(before)

    return _of_order(facts, earlier, count)


def _refunds(facts: ReturnFacts, earlier: Iterable[EarlierReturn]) -> Fact[Value]:
    """What was refunded to the shopper, in this return's currency. A refund in another cannot be added."""
    if not isinstance(facts.value, Money):
        return facts.value
    total, currency = Decimal(0), facts.value.currency
    for other in earlier:
        if isinstance(other.refunded, Unknown):
            return other.refunded
        if any(amount and code != currency for code, amount in other.refunded.items()):
            return Unknown(f"all earlier refunds in {currency}")
        total += other.refunded.get(currency, Decimal(0))
    return Money(total, currency)


def _how_many(
    asked: Callable[[EarlierReturn], bool | Unknown],
) -> Callable[[ReturnFacts, Iterable[EarlierReturn]], Fact[Value]]:
    """How many earlier returns are so; unknown where it is not known of one of them."""

    def count(_: ReturnFacts, earlier: Iterable[EarlierReturn]) -> Fact[Value]:
        found = [asked(other) for other in earlier]
        return next((each for each in found if isinstance(each, Unknown)), found.count(True))

    return count


_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_RETURN_METHODS, _STATUSES = frozenset(map(str, ReturnMethod)), frozenset(map(str, ShippingStatus))
_METHODS, _OUTCOMES = frozenset(map(str, CompensationMethod)), frozenset(map(str, ReviewStatus))
_K = FieldKind

_RETURN_FIELDS = (
    Field("store", _K.TEXT, "the store's id", lambda it: it.store),
    Field(
        "country",
        _K.TEXT,
        "the country of the pickup address, two capital letters",
        lambda it: it.country,
        words=COUNTRIES,
    ),
    Field(
        "postcode", _K.TEXT, "the postcode of the pickup address, without blanks", lambda it: it.postcode, hidden=True
    ),
    Field(
        "return_method",
        _K.TEXT,
        "how the goods come back, as DROP_OFF_POINT",
        lambda it: it.return_method,
        words=_RETURN_METHODS,
    ),
    Field(
        "shipping_status",
        _K.TEXTS,
        "the status of each parcel, as COLLECTED",
        lambda it: it.shipping_statuses,
        words=_STATUSES,
    ),
    Field("scanned", _K.FLAG, "whether the carrier has the goods", lambda it: it.scanned),
    Field("arrived", _K.FLAG, "whether the goods are at the warehouse", lambda it: it.arrived),
    Field("reviewed", _K.FLAG, "whether every unit is reviewed", lambda it: it.reviewed),
    Field("all_approved", _K.FLAG, "whether every unit is approved", lambda it: it.all_approved),
    Field("refunded", _K.FLAG, "whether anything was refunded, more than 0, or exchanged", lambda it: it.refunded),
    Field("held", _K.FLAG, "whether a question about the return is open", lambda it: it.held),
    Field("return_value", _K.MONEY, "what all lines are worth", lambda it: it.value),
    Field("return_costs", _K.MONEY, "the return's costs at REVER", lambda it: it.costs),
    Field("lines", _K.NUMBER, "how many lines", lambda it: len(it.lines)),
    Field("units", _K.NUMBER, "how many units", lambda it: sum(line.quantity for line in it.lines)),
    Field("shopper", _K.TEXT, "the shopper's mailbox", lambda it: it.shopper, personal=True, spelled=one_mailbox),
    Field("today", _K.DAY, "the store's date", lambda it: it.today),
    Field(
        "weekday",
        _K.TEXT,
        "the store's day of the week, as monday",
        lambda it: _WEEKDAYS[it.now.weekday()],
        words=frozenset(_WEEKDAYS),
    ),
    Field("hour", _K.NUMBER, "the store's hour, 0 to 23", lambda it: it.now.hour),
    Field("started_on", _K.DAY, "the day the return began", lambda it: it.started_on),
    Field("ordered_on", _K.DAY, "the day of the order", lambda it: it.ordered_on),
    Field("fulfilled_on", _K.DAY, "the day of the fulfilment", lambda it: it.fulfilled_on),
    Field("delivered_on", _K.DAY, "the day of the delivery", lambda it: it.delivered_on),
    Field("days_since_start", _K.NUMBER, "days since the return began", _since(lambda it: it.started_on)),
    Field("days_since_first_scan", _K.NUMBER, "days since the first scan", _since(lambda it: it.first_scanned_on)),
    Field("days_since_arrival", _K.NUMBER, "days since the arrival", _since(lambda it: it.arrived_on)),
    Field("days_since_review", _K.NUMBER, "days since the last review", _since(lambda it: it.reviewed_on)),
    Field("days_since_order", _K.NUMBER, "days since the order", _since(lambda it: it.ordered_on)),
    Field("days_since_fulfilment", _K.NUMBER, "days since the fulfilment", _since(lambda it: it.fulfilled_on)),
    Field("days_since_delivery", _K.NUMBER, "days since the delivery", _since(lambda it: it.delivered_on)),
    Field("days_from_order", _K.NUMBER, "days from the order to the return", _until_start(lambda it: it.ordered_on)),
    Field("days_from_fulfilment", _K.NUMBER, "the same from fulfilment", _until_start(lambda it: it.fulfilled_on)),
    Field("days_from_delivery", _K.NUMBER, "the same from delivery", _until_start(lambda it: it.delivered_on)),
    Field("order_value", _K.MONEY, "the order's total", lambda it: it.order_value),
    Field("order_tags", _K.TEXTS, "the order's tags", lambda it: it.order_tags),
    Field("customer_tags", _K.TEXTS, "the customer's tags", lambda it: it.customer_tags),
    Field("gateway", _K.TEXT, "the order's payment gateway", lambda it: it.gateway),
    Field("fraud_risk", _K.TEXT, "the order's fraud risk", lambda it: it.fraud_risk),
    Field("whole_order", _K.FLAG, "whether the whole order comes back", lambda it: it.whole_order),
    Field("label_cost", _K.MONEY, "what the return's label costs", lambda it: it.label_cost),
    Field(
        "label_cost_share",
        _K.PERCENT,
        "the label's cost of the lines' value",
        lambda it: _share(it.label_cost, it.value),
    ),
    Field("earlier_returns", _K.NUMBER, "the shopper's other returns", counts=lambda _, all_: sum(1 for _ in all_)),
    Field(
        "earlier_refunds",
        _K.NUMBER,
        "those of them that were refunded",
        counts=_how_many(
            lambda other: other.refunded if isinstance(other.refunded, Unknown) else any(other.refunded.values())
        ),
    ),
    Field("earlier_refund_value", _K.MONEY, "what was refunded to the shopper before", counts=_refunds),
    Field(
        "earlier_wrong_items",
        _K.NUMBER,
        "the shopper's other returns with missing or declined units",
        counts=_how_many(lambda other: other.wrong_items),
    ),
    Field(
        "earlier_bonuses",
        _K.NUMBER,
        "the shopper's other returns with a bonus",
        counts=_how_many(lambda other: other.bonus),
    ),
    Field("returns_before", _K.NUMBER, "the shopper's returns that began before this one", counts=_how_many_before),
    Field(
        "number_of_order",
        _K.NUMBER,
        "which of the order's returns this is, by when they began: 1 is the first",
        counts=_number_of_order,
    ),
    Field(
        "returns_of_order",
        _K.NUMBER,
        "the returns of the order, this one included",
        counts=lambda it, all_: _of_order(it, all_, lambda others: 1 + len(others)),
    ),
    Field(
        "order_returns_value",
        _K.MONEY,
        "what all returns of the order are worth, this one included",
        counts=lambda it, all_: _of_order(
            it, all_, lambda others: _added([it.value, *(other.value for other in others)])
        ),
    ),
)

_LINE_FIELDS = (
    Field("sku", _K.TEXT, "the line's SKU", read_line=lambda it: it.sku),
    Field("product", _K.TEXT, "the line's product id", read_line=lambda it: it.product_id),
    Field("variant", _K.TEXT, "the line's variant id", read_line=lambda it: it.variant_id),
    Field("reason", _K.TEXT, "the line's return reason", read_line=lambda it: it.reason),
    Field(
        "method", _K.TEXT, "the compensation wished for, as GIFT_CARD", read_line=lambda it: it.method, words=_METHODS
    ),
    Field("quantity", _K.NUMBER, "how many units of the line", read_line=lambda it: it.quantity),
    Field("currency", _K.TEXT, "the line's currency, as EUR", read_line=lambda it: it.currency, words=CURRENCIES),
    Field("line_value", _K.MONEY, "what the line is worth", read_line=lambda it: it.value),
    Field("unit_price", _K.MONEY, "the price of a unit", read_line=lambda it: it.unit_price),
    Field("discount", _K.MONEY, "the line's discounts", read_line=lambda it: it.discount),
    Field(
        "discount_share", _K.PERCENT, "the discounts of the price before them", read_line=lambda it: it.discount_share
    ),
    Field(
        "review",
        _K.TEXTS,
        "the outcomes of the line's units, as DECLINED",
        read_line=lambda it: it.reviews,
        words=_OUTCOMES,
    ),
    Field("reject_reason", _K.TEXTS, "why units were not approved", read_line=lambda it: it.reject_reasons),
    Field("inspector", _K.TEXTS, "who inspected", read_line=lambda it: it.inspectors, personal=True),
    Field("product_type", _K.TEXT, "the product's type", read_line=lambda it: it.product_type),
    Field("vendor", _K.TEXT, "the product's vendor", read_line=lambda it: it.vendor),
    Field("product_tags", _K.TEXTS, "the product's tags", read_line=lambda it: it.product_tags),
    Field("variants", _K.NUMBER, "how many variants the product has", read_line=lambda it: it.variants),
    Field("product_cost", _K.MONEY, "what the product costs", read_line=lambda it: it.cost),
)

FIELDS = MappingProxyType({field.name: field for field in (*_RETURN_FIELDS, *_LINE_FIELDS)})
"""Name -> field. All names that a condition may use."""
