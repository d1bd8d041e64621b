"""A return process and its parts, as REVER answers a read and as its webhooks carry them."""

from pydantic import Field

from rever_api.models.base import ApiModel, Instant, Money
from rever_api.models.enums import (
    OpenCompensationMethod,
    OpenPickupRange,
    OpenProcessStatus,
    OpenReturnMethod,
    OpenReturnStatus,
    OpenReviewStatus,
    OpenShippingStatus,
)


class Address(ApiModel):
    """A postal address (confirmed). Personal data: never logged."""

    rever_id: str = ""
    first_name: str = Field("", repr=False)
    last_name: str = Field("", repr=False)
    company: str = Field("", repr=False)
    address_line_1: str = Field("", repr=False)
    address_line_2: str = Field("", repr=False)
    city: str = Field("", repr=False)
    state_province: str = Field("", repr=False)
    state_province_code: str = Field("", repr=False)
    postcode: str = Field("", repr=False)
    country: str = ""
    country_code: str = ""
    email: str = Field("", repr=False)
    phone: str = Field("", repr=False)


class Shopper(ApiModel):
    """Who returns (confirmed). Personal data: never logged."""

    email: str = Field("", repr=False)
    first_name: str = Field("", repr=False)
    last_name: str = Field("", repr=False)
    phone_number: str = Field("", repr=False)


class Product(ApiModel):
    """A product variant of the shop (confirmed)."""

    product_id: str = ""
    variant_id: str = ""
    sku: str = ""
    ean: str = ""
    name: str = ""
    variant_name: str = ""


class ReturnLineItem(ApiModel):
    """One line of a return: `quantity` units of one product (confirmed).

    `total_price` is for the whole line, discounts and taxes in, in `currency`. `quantity` is not checked here: a
    contradictory line is the policy's to hold, not the parser's to refuse.
    """

    id: str
    quantity: int
    return_reason: str = ""
    product: Product | None = None
    unit_price: Money | None = None
    subtotal_price: Money | None = None
    total_discounts: Money | None = None
    total_taxes: Money | None = None
    total_price: Money | None = None
    currency: str = ""
    compensation_method: OpenCompensationMethod = ""
    exchange_for: Product | None = None


class Review(ApiModel):
    """The inspection of one unit of a line (confirmed)."""

    line_item_id: str
    status: OpenReviewStatus
    reject_reason: str = ""
    review_date: Instant | None = None
    user: str = Field("", repr=False)


class Refund(ApiModel):
    """A refund that REVER shows (confirmed). `missing_amount` is the part still to be paid (inferred)."""

    amount: Money
    currency: str
    type: OpenCompensationMethod = ""
    refunded_at: Instant | None = None
    missing_amount: Money | None = None


class ExchangeOrder(ApiModel):
    """The order of replacement goods (confirmed)."""

    order_id: str = ""
    order_name: str = ""
    shipping_address: Address | None = None
    ordered_items: tuple[Product, ...] = ()


class Compensation(ApiModel):
    """What was paid or sent so far. `refunds` is None where REVER left it out, which is not the same as none."""

    refunds: tuple[Refund, ...] | None = None
    exchange_order: ExchangeOrder | None = None


class LogisticsEntry(ApiModel):
    """One parcel of a return (confirmed)."""

    tracking_number: str = ""
    tracking_url: str = ""
    status: OpenShippingStatus = ""
    carrier: str = ""
    method: OpenReturnMethod = ""
    from_: Address | None = Field(None, alias="from")
    to: Address | None = None


class ReturnProcess(ApiModel):
    """A return process. `reviews`, `compensation`, `return_costs` and `logistics` are None where the read left them
    out, so that a caller who pays can tell "none" from "not told".
    """

    rever_process_id: str
    rever_process_status: OpenProcessStatus
    return_line_items: tuple[ReturnLineItem, ...]
    return_status: OpenReturnStatus = ""
    portal_name: str = ""
    platform_process_id: str = ""
    ecommerce_id: str = ""
    ecommerce_group: str = ""
    started_at: Instant | None = None
    updated_at: Instant | None = None
    order_id: str = ""
    order_name: str = ""
    shopper: Shopper | None = None
    pickup_address: Address | None = None
    return_method: OpenReturnMethod = ""
    pickup_ranges: tuple[OpenPickupRange, ...] = ()
    return_costs: Money | None = None
    reviews: tuple[Review, ...] | None = None
    compensation: Compensation | None = None
    logistics: tuple[LogisticsEntry, ...] | None = None
