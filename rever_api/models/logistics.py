"""Logistic orders: registering one made by hand, and having REVER make one."""

from typing import Annotated

from pydantic import Field

from rever_api.models.base import ApiModel, InputModel, Instant, Loose, LooseId, Text
from rever_api.models.enums import OpenPickupRange, OpenReturnMethod, OpenShippingStatus
from rever_api.models.process import Address


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
