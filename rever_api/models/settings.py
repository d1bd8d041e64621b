"""A store's settings at REVER, its warehouses, and the stores of a group (assumed)."""

from rever_api.models.base import ApiModel
from rever_api.models.enums import OpenCompensationMethod, OpenRefundTiming, OpenReturnMethod
from rever_api.models.process import Address


class RefundSettings(ApiModel):
    """When and how a store refunds. An empty `timing` means that REVER did not say."""

    timing: OpenRefundTiming = ""
    methods: tuple[OpenCompensationMethod, ...] = ()


class Carrier(ApiModel):
    """A provider and carrier that the store may use, for these countries and return methods."""

    provider: str = ""
    carrier: str = ""
    countries: tuple[str, ...] = ()
    return_methods: tuple[OpenReturnMethod, ...] = ()


class EcommerceSettings(ApiModel):
    """The return rules of one store."""

    ecommerce_id: str = ""
    currency: str = ""
    timezone: str = ""
    return_window_days: int | None = None
    refund: RefundSettings = RefundSettings()
    carriers: tuple[Carrier, ...] = ()


class Warehouse(ApiModel):
    """Where goods come back to. `countries` are the shoppers' countries it serves."""

    id: str = ""
    name: str = ""
    is_default: bool = False
    countries: tuple[str, ...] = ()
    address: Address | None = None


class Ecommerce(ApiModel):
    """One store of a group."""

    ecommerce_id: str
    name: str = ""
