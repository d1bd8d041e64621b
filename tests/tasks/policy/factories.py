"""Returns, settings and records with sensible defaults, so that a test says only what it is about."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from rever_api.models import (
    Address,
    Carrier,
    Compensation,
    EcommerceSettings,
    ExchangeOrder,
    LogisticsEntry,
    Product,
    Refund,
    RefundSettings,
    ReturnLineItem,
    ReturnProcess,
    Review,
)
from tasks.policy.record import (
    HoldKind,
    Intent,
    IntentKind,
    IntentState,
    LineTerms,
    LineUnits,
    OpenHold,
    Record,
)
from tasks.policy.store import RefundsBy, StorePolicy, StoreRules

NOW = datetime(2026, 3, 21, 12, 0, tzinfo=UTC)
STARTED = NOW - timedelta(days=3)

ORIGINAL = "ORIGINAL_PAYMENT_METHOD"
BANK = "BANK_TRANSFER"
GIFT = "GIFT_CARD"
EXCHANGE = "EXCHANGE"


def line(
    line_id: str = "retl_1",
    quantity: int = 1,
    total: str | None = "10.00",
    method: str = ORIGINAL,
    currency: str = "EUR",
    reason: str = "",
    variant: str | None = None,
) -> ReturnLineItem:
    """A line; `variant` is what is wanted in exchange."""
    return ReturnLineItem(
        id=line_id,
        quantity=quantity,
        return_reason=reason,
        total_price=None if total is None else Decimal(total),
        currency=currency,
        compensation_method=method,
        exchange_for=Product(product_id=f"p-{variant}", variant_id=variant) if variant else None,
    )


def reviews(line_id: str = "retl_1", *statuses: str, at: datetime | None = NOW - timedelta(hours=1)) -> list[Review]:
    """One review per status, of units of one line."""
    return [Review(line_item_id=line_id, status=status, review_date=at) for status in statuses]


def approved(line_id: str = "retl_1", units: int = 1) -> list[Review]:
    """So many approved units of a line."""
    return reviews(line_id, *["APPROVED"] * units)


def refund(amount: str = "10.00", method: str = ORIGINAL, currency: str = "EUR", missing: str | None = None) -> Refund:
    """A refund as REVER shows it."""
    short = None if missing is None else Decimal(missing)
    return Refund(amount=Decimal(amount), currency=currency, type=method, refunded_at=NOW, missing_amount=short)


def order(*variants: str) -> ExchangeOrder:
    """An exchange order as REVER shows it."""
    return ExchangeOrder(order_id="ex-1", ordered_items=tuple(Product(variant_id=it) for it in variants))


def process(
    *lines: ReturnLineItem,
    reviews: Sequence[Review] | None = (),
    refunds: Sequence[Refund] = (),
    exchange: ExchangeOrder | None = None,
    logistics: Sequence[str] | None = ("IN_WAREHOUSE",),
    costs: str | None = "0.00",
    status: str = "RUNNING",
    return_status: str = "REVIEW_REQUIRED",
    method: str = "DROP_OFF_POINT",
    country: str = "ES",
    **fields: Any,
) -> ReturnProcess:
    """A running return whose goods are at the warehouse; `logistics` gives the parcels' statuses."""
    told: dict[str, Any] = {
        "rever_process_id": "retp_1",
        "rever_process_status": status,
        "return_line_items": lines or (line(),),
        "return_status": return_status,
        "ecommerce_id": "acme",
        "order_name": "#1001",
        "started_at": STARTED,
        "return_method": method,
        "pickup_address": Address(address_line_1="Calle 1", city="Somewhere", country_code=country),
        "reviews": None if reviews is None else tuple(reviews),
        "compensation": Compensation(refunds=tuple(refunds), exchange_order=exchange),
        "logistics": None if logistics is None else tuple(LogisticsEntry(status=it) for it in logistics),
        "return_costs": None if costs is None else Decimal(costs),
    }
    return ReturnProcess(**{**told, **fields})


def rules(
    refunds_by: RefundsBy = RefundsBy.US,
    timing: str = "ON_ITEM_VERIFIED",
    carriers: Sequence[Carrier] = (Carrier(provider="SENDCLOUD", carrier="DHL"),),
    omits: bool = False,
    **policy: Any,
) -> StoreRules:
    """A store whose refunds are ours; keywords are fields of its policy."""
    return StoreRules(
        store="acme",
        settings=EcommerceSettings(
            ecommerce_id="acme", currency="EUR", refund=RefundSettings(timing=timing), carriers=tuple(carriers)
        ),
        refunds_by=refunds_by,
        policy=StorePolicy(**policy),
        omits_empty_fields=omits,
    )


def record(*intents: Intent, **fields: Any) -> Record:
    """A record of these intents; the terms of `lines` and `costs` are the caller's to give."""
    return Record(process_id="retp_1", store="acme", intents=intents, **fields)


def intent(
    kind: IntentKind = IntentKind.REFUND,
    state: IntentState = IntentState.DONE,
    units: Sequence[int] = (1,),
    line_id: str = "retl_1",
    amount: str = "10.00",
    method: str = ORIGINAL,
    **fields: Any,
) -> Intent:
    """An intent on units of one line."""
    money = kind is IntentKind.REFUND
    made: dict[str, Any] = {
        "id": f"{kind}-{state}-{line_id}-{len(units)}",
        "kind": kind,
        "state": state,
        "items": () if kind is IntentKind.LABEL else (LineUnits(line_id, tuple(units)),),
        "method": method if money else "",
        "currency": "" if kind is IntentKind.LABEL else "EUR",
        "amount": Decimal(amount) if money else Decimal(0),
        "gross": Decimal(amount) if money else Decimal(0),
        "created_at": NOW - timedelta(hours=2),
        "sent_at": NOW - timedelta(hours=2),
        "look_at": NOW + timedelta(minutes=5),
    }
    return Intent(**{**made, **fields})


def terms(total: str = "10.00", quantity: int = 1, currency: str = "EUR") -> LineTerms:
    """The terms that a first intent fixed."""
    return LineTerms(Decimal(total), quantity, currency)


def hold(rule: str = "foreign_refund", *, label: bool = False) -> OpenHold:
    """A hold nobody has answered."""
    return OpenHold("hold-1", 1, HoldKind.FOREIGN_REFUND, rule, "somebody else has paid", NOW, label=label)
