"""What REVER returns: a return process, its parcel and logistic orders, pages, and what became of an import.

REVER's enums are all open: the type of a field is `SomeEnum | str`, and an unknown value stays the string it was.
"""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from rever_api.models.base import (
    ApiModel,
    Bounded,
    Count,
    Currency,
    Id,
    InputModel,
    Instant,
    Loose,
    LooseCountedList,
    LooseId,
    LooseList,
    LooseWords,
    Money,
    Text,
    loose_word,
    word,
)


class ProcessStatus(StrEnum):
    """Workflow status of a return process (confirmed: REVER's webhook reference)."""

    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    ON_HOLD = "ON_HOLD"


class ReturnStatus(StrEnum):
    """The business's view of a return (observed)."""

    STARTED = "STARTED"
    COLLECTED = "COLLECTED"
    REVIEW_REQUIRED = "REVIEW_REQUIRED"
    COMPLETED = "COMPLETED"


class ShippingStatus(StrEnum):
    """Where a parcel is (observed)."""

    NO_SHIPPING_STATUS = "NO_SHIPPING_STATUS"
    CREATED = "CREATED"
    COLLECTED = "COLLECTED"
    IN_WAREHOUSE = "IN_WAREHOUSE"
    ERROR = "ERROR"
    CANCELED = "CANCELED"


class ReturnMethod(StrEnum):
    """How the goods come back (confirmed)."""

    NO_RETURN_METHOD = "NO_RETURN_METHOD"
    HOME_PICK_UP = "HOME_PICK_UP"
    DROP_OFF_POINT = "DROP_OFF_POINT"
    DELIVERY_PICKUP = "DELIVERY_PICKUP"
    IN_STORE = "IN_STORE"


class PickupRange(StrEnum):
    """Hours in which a pickup may come (confirmed)."""

    NO_RANGE = "NO_RANGE"
    RANGE_8_TO_12 = "RANGE_8_TO_12"
    RANGE_12_TO_16 = "RANGE_12_TO_16"
    RANGE_16_TO_20 = "RANGE_16_TO_20"


class ReviewStatus(StrEnum):
    """The outcome of one unit's inspection (observed)."""

    APPROVED = "APPROVED"
    DECLINED = "DECLINED"
    MISSING = "MISSING"


class CompensationMethod(StrEnum):
    """What the shopper gets for a line (assumed: the exact strings are not in REVER's visible reference)."""

    ORIGINAL_PAYMENT_METHOD = "ORIGINAL_PAYMENT_METHOD"
    BANK_TRANSFER = "BANK_TRANSFER"
    GIFT_CARD = "GIFT_CARD"
    PROMO_CODE = "PROMO_CODE"
    EXCHANGE = "EXCHANGE"


class RefundTiming(StrEnum):
    """When a store refunds (observed)."""

    NO_TIMING = "NO_TIMING"
    ON_START = "ON_START"
    ON_ITEM_SENT = "ON_ITEM_SENT"
    ON_ITEM_VERIFIED = "ON_ITEM_VERIFIED"


NOT_RECEIVED = "NOT_RECEIVED"
"""The return reason of a line that never reached the shopper: there is nothing to inspect (observed)."""

_SAME = {"CANCELLED": "CANCELED", "REJECTED": "DECLINED", "ACCEPTED": "APPROVED"}


def canonical(value: Any) -> Any:
    """Map the older spellings that REVER's earlier clients used to today's, on input only."""
    return _SAME.get(value, value) if isinstance(value, str) else value


def _word(value: Any) -> str:
    return str(canonical(word(value)))


def _loose_word(value: Any) -> str:
    return str(canonical(loose_word(value)))


OpenProcessStatus = Annotated[ProcessStatus | str, BeforeValidator(_word)]
OpenReviewStatus = Annotated[ReviewStatus | str, BeforeValidator(_word)]
OpenCompensationMethod = Annotated[CompensationMethod | str, BeforeValidator(word)]
OpenShippingStatus = Annotated[ShippingStatus | str, BeforeValidator(_loose_word)]
OpenReturnStatus = Annotated[ReturnStatus | str, BeforeValidator(loose_word)]
OpenReturnMethod = Annotated[ReturnMethod | str, BeforeValidator(loose_word)]
OpenPickupRange = Annotated[PickupRange | str, BeforeValidator(loose_word)]
OpenRefundTiming = Annotated[RefundTiming | str, BeforeValidator(word)]


_LONGEST_URL = 8_000


class Address(ApiModel):
    """A postal address (confirmed). Personal data: never logged."""

    rever_id: LooseId = ""
    first_name: Text = Field("", repr=False)
    last_name: Text = Field("", repr=False)
    company: Text = Field("", repr=False)
    address_line_1: Text = Field("", repr=False)
    address_line_2: Text = Field("", repr=False)
    city: Text = Field("", repr=False)
    state_province: Text = Field("", repr=False)
    state_province_code: Text = Field("", repr=False)
    postcode: Text = Field("", repr=False)
    country: Text = ""
    country_code: Text = ""
    email: Text = Field("", repr=False)
    phone: Text = Field("", repr=False)


class Shopper(ApiModel):
    """Who returns (confirmed). Personal data: never logged."""

    email: Text = Field("", repr=False)
    first_name: Text = Field("", repr=False)
    last_name: Text = Field("", repr=False)
    phone_number: Text = Field("", repr=False)


class Product(ApiModel):
    """A product variant of the shop (confirmed).

    `unit_price` and `currency` (assumed) are what it costs, where REVER says so of goods wanted in an exchange.
    """

    product_id: LooseId = ""
    variant_id: LooseId = ""
    sku: LooseId = ""
    ean: LooseId = ""
    name: Text = ""
    variant_name: Text = ""
    unit_price: Money | None = None
    currency: Currency = ""


class NewItem(ApiModel):
    """Goods that an exchange brings, which REVER lists among the lines (observed: a line with `pending_purchase`)."""

    quantity: Count = 1
    total_price: Money | None = None
    currency: Currency = ""


class ReturnLineItem(ApiModel):
    """One line of a return: `quantity` units of one product (confirmed).

    `total_price` is for the whole line, discounts and taxes in, in `currency`. `quantity` is not checked here: a
    contradictory line is the policy's to hold, not the parser's to refuse.
    """

    id: Id
    quantity: Count
    return_reason: Text = ""
    product: Annotated[Product | None, Loose] = None
    unit_price: Money | None = None
    subtotal_price: Money | None = None
    total_discounts: Money | None = None
    total_taxes: Money | None = None
    total_price: Money | None = None
    currency: Currency = ""
    compensation_method: OpenCompensationMethod = ""
    exchange_for: Annotated[Product | None, Loose] = None


class CostLine(ApiModel):
    """A cost that REVER lists among the lines of a return, of type `cost` and with a negative total (observed)."""

    id: LooseId = ""
    name: Text = ""
    total_price: Money | None = None
    currency: Currency = ""


class LineFee(ApiModel):
    """A fee of a return (SHIPPING_FEE, HANDLING_FEE; the names of its fields are assumed)."""

    type: Text = ""
    amount: Money | None = None
    currency: Currency = ""


class Review(ApiModel):
    """The inspection of one unit of a line (confirmed)."""

    line_item_id: Id
    status: OpenReviewStatus
    reject_reason: Text = ""
    review_date: Instant = None
    user: Text = Field("", repr=False)


class Refund(ApiModel):
    """A refund that REVER shows (confirmed). `missing_amount` is the part still to be paid (inferred)."""

    amount: Money
    currency: Currency
    type: OpenCompensationMethod = ""
    refunded_at: Instant = None
    missing_amount: Money | None = None


class ExchangeOrder(ApiModel):
    """The order of replacement goods (confirmed)."""

    order_id: LooseId = ""
    order_name: Text = ""
    shipping_address: Annotated[Address | None, Loose] = None
    ordered_items: Annotated[tuple[Product, ...], LooseList] = ()


class Compensation(ApiModel):
    """What was paid or sent so far. `refunds` is None where REVER left it out, which is not the same as none."""

    refunds: Annotated[tuple[Refund, ...] | None, Bounded] = None
    exchange_order: ExchangeOrder | None = None


def _secret_url(value: Any) -> Any:
    """An address that may be signed, and so is a secret; empty where it is none, or too long to be cut."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    fits = isinstance(text, str) and len(text) <= _LONGEST_URL and text.isprintable()
    return SecretStr(text.strip() if fits else "")


class LogisticsEntry(ApiModel):
    """One parcel of a return (confirmed). `label_url` is an address of its label's file, where REVER shows one
    (observed of an older API); it may be signed, so it is a secret.
    """

    tracking_number: LooseId = ""
    tracking_url: Text = ""
    status: OpenShippingStatus = ""
    carrier: Text = ""
    method: OpenReturnMethod = ""
    from_: Annotated[Address | None, Loose] = Field(None, alias="from")
    to: Annotated[Address | None, Loose] = None
    label_url: Annotated[SecretStr, BeforeValidator(_secret_url)] = Field(SecretStr(""), repr=False)


class ReturnProcess(ApiModel):
    """A return process. `reviews`, `compensation`, `return_costs` and `logistics` are None where the read left them
    out, so that a caller who pays can tell "none" from "unknown".

    `return_line_items` are goods that come back alone. REVER lists others among them: `cost_lines` are the lines of
    type `cost`, `new_items` the goods that an exchange brings. Costs may come in `return_costs`, as such lines or in
    `line_fees`, and may be the same ones twice.
    """

    rever_process_id: Id
    rever_process_status: OpenProcessStatus
    return_line_items: Annotated[tuple[ReturnLineItem, ...], Bounded]
    return_status: OpenReturnStatus = ""
    portal_name: Text = ""
    platform_process_id: LooseId = ""
    ecommerce_id: Id = ""
    ecommerce_group: LooseId = ""
    started_at: Instant = None
    updated_at: Instant = None
    order_id: LooseId = ""
    order_name: Text = ""
    shopper: Annotated[Shopper | None, Loose] = None
    pickup_address: Annotated[Address | None, Loose] = None
    return_method: OpenReturnMethod = ""
    pickup_ranges: Annotated[tuple[OpenPickupRange, ...], LooseWords] = ()
    return_costs: Money | None = None
    cost_lines: Annotated[tuple[CostLine, ...], Bounded] = Field((), exclude=True)
    line_fees: Annotated[tuple[LineFee, ...], Bounded] = Field((), exclude=True)
    new_items: Annotated[tuple[NewItem, ...], Bounded] = Field((), exclude=True)
    reviews: Annotated[tuple[Review, ...] | None, Bounded] = None
    compensation: Compensation | None = None
    logistics: Annotated[tuple[LogisticsEntry, ...] | None, LooseCountedList] = None

    @model_validator(mode="before")
    @classmethod
    def _part_costs(cls, value: Any) -> Any:
        """Take costs and goods that do not come back out of the lines: nothing may inspect, refund or exchange one."""
        lines = value.get("return_line_items") if type(value) is dict else None
        if not isinstance(lines, list | tuple):
            return value
        costs = [line for line in lines if _is_cost(line)]
        news = [line for line in lines if _is_new(line)]
        if not costs and not news:
            return value
        goods = [line for line in lines if not _is_cost(line) and not _is_new(line)]
        return {**value, "return_line_items": goods, "cost_lines": costs, "new_items": news}


def _is_cost(line: Any) -> bool:
    kind = line.get("type") if isinstance(line, dict) else None
    return isinstance(kind, str) and kind.strip().casefold() == "cost"


def _is_new(line: Any) -> bool:
    return isinstance(line, dict) and line.get("pending_purchase") is True and not _is_cost(line)


class LogisticOrder(ApiModel):
    """A pickup or drop-off at a carrier (confirmed; `id` assumed)."""

    id: LooseId = ""
    process_id: LooseId = ""
    provider: LooseId = ""
    carrier: LooseId = ""
    return_method: OpenReturnMethod = ""
    tracking_id: LooseId = ""
    tracking_url: Text = ""
    from_: Annotated[Address | None, Loose] = Field(None, alias="from")
    to: Annotated[Address | None, Loose] = None


class LogisticCustomer(InputModel):
    """The shopper as createOrderV2 wants them (confirmed). Personal data: never logged."""

    email: str = Field("", repr=False)
    first_name: str = Field("", repr=False)
    last_name: str = Field("", repr=False)
    rever_id: str = ""


class LogisticAddress(InputModel):
    """An address as createOrderV2 takes it: ten fields, no names and no e-mail (REVER's reference lists these alone).

    Personal data: never logged.
    """

    company: str = Field("", repr=False)
    address_line_1: str = Field("", repr=False)
    address_line_2: str = Field("", repr=False)
    city: str = Field("", repr=False)
    state_province: str = Field("", repr=False)
    state_province_code: str = Field("", repr=False)
    postcode: str = Field("", repr=False)
    country: str = ""
    country_code: str = ""
    phone: str = Field("", repr=False)


def logistic_address(address: Address | None, country_code: str = "") -> LogisticAddress | None:
    """The ten fields of an address; `country_code` where it has none. None for None."""
    if address is None:
        return None
    fields = address.model_dump(include=set(LogisticAddress.model_fields))
    return LogisticAddress(**{**fields, "country_code": address.country_code or country_code})


class LogisticOrderRequest(InputModel):
    """The body of createOrderV2 (confirmed). Each call may order another pickup."""

    process_id: str
    provider: str
    carrier: str
    return_method: OpenReturnMethod = ""
    customer: LogisticCustomer | None = None
    customer_address: LogisticAddress | None = None
    ecommerce_warehouse_address: LogisticAddress | None = None
    ecommerce_id: str = ""
    ecommerce_group: str = ""
    ecommerce_order_id: str = ""
    order_number: str = ""
    pickup_ranges: tuple[OpenPickupRange, ...] = ()


class Shipping(ApiModel):
    """The answer of getShippingStatus (path confirmed, body assumed)."""

    status: OpenShippingStatus
    process_id: LooseId = ""
    tracking_id: LooseId = ""
    tracking_url: Text = ""
    updated_at: Instant = None


class UnreadableProcess(BaseModel):
    """A return process that cannot be read. `why` names the fields, what was found and what would be right.

    What was found is described by its kind, and by its figures where it holds nothing else. The ids and the order's
    name are empty where they cannot be read either.
    """

    model_config = ConfigDict(frozen=True)

    process_id: str
    why: str
    ecommerce_id: str = ""
    order_name: str = ""


class SearchPage(BaseModel):
    """One page of searchReturnProcesses. `rowcount` is the number of matches over all pages, where REVER said it."""

    model_config = ConfigDict(frozen=True)

    processes: tuple[ReturnProcess | UnreadableProcess, ...]
    rowcount: int | None = None


class ImportResult(BaseModel):
    """The fate of one return of importReturns, in the order they were sent."""

    model_config = ConfigDict(frozen=True)

    process_id: str = ""
    error: str = ""
