"""Logistic orders: registering one made by hand, and having REVER make one."""

from pydantic import Field

from rever_api.models.base import ApiModel, Instant
from rever_api.models.enums import OpenPickupRange, OpenReturnMethod, OpenShippingStatus
from rever_api.models.process import Address


class LogisticOrder(ApiModel):
    """A pickup or drop-off at a carrier (confirmed; `id` assumed)."""

    id: str = ""
    process_id: str = ""
    provider: str = ""
    carrier: str = ""
    return_method: OpenReturnMethod = ""
    tracking_id: str = ""
    tracking_url: str = ""
    from_: Address | None = Field(None, alias="from")
    to: Address | None = None


class LogisticCustomer(ApiModel):
    """The shopper as createOrderV2 wants them (confirmed). Personal data: never logged."""

    email: str = Field("", repr=False)
    first_name: str = Field("", repr=False)
    last_name: str = Field("", repr=False)
    rever_id: str = ""


class LogisticOrderRequest(ApiModel):
    """The body of createOrderV2 (confirmed). Each call may order another pickup."""

    process_id: str
    provider: str
    carrier: str
    return_method: OpenReturnMethod = ""
    customer: LogisticCustomer | None = None
    customer_address: Address | None = None
    ecommerce_warehouse_address: Address | None = None
    ecommerce_id: str = ""
    ecommerce_group: str = ""
    ecommerce_order_id: str = ""
    order_number: str = ""
    pickup_ranges: tuple[OpenPickupRange, ...] = ()


class Shipping(ApiModel):
    """The answer of getShippingStatus (path confirmed, body assumed)."""

    status: OpenShippingStatus
    process_id: str = ""
    tracking_id: str = ""
    tracking_url: str = ""
    updated_at: Instant | None = None
