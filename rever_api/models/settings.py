"""A store's settings at REVER, its warehouses, and the stores of a group (assumed)."""

from typing import Annotated

from rever_api.models.base import (
    ApiModel,
    Id,
    Loose,
    LooseCount,
    LooseFlag,
    LooseId,
    LooseList,
    LooseWords,
    Scope,
    Text,
)
from rever_api.models.process import Address, OpenCompensationMethod, OpenRefundTiming, OpenReturnMethod


class RefundSettings(ApiModel):
    """When and how a store refunds. An empty `timing` means that REVER did not say."""

    timing: OpenRefundTiming = ""
    methods: Annotated[tuple[OpenCompensationMethod, ...], LooseWords] = ()


class Carrier(ApiModel):
    """A provider and carrier that the store may use, for these countries and return methods."""

    provider: LooseId = ""
    carrier: LooseId = ""
    countries: Annotated[tuple[Text, ...], Scope] = ()
    return_methods: Annotated[tuple[OpenReturnMethod, ...], Scope] = ()


class EcommerceSettings(ApiModel):
    """The return rules of one store."""

    ecommerce_id: Id = ""
    currency: Text = ""
    timezone: Text = ""
    return_window_days: LooseCount = None
    refund: RefundSettings = RefundSettings()
    carriers: Annotated[tuple[Carrier, ...], LooseList] = ()


class Warehouse(ApiModel):
    """Where goods come back to. `countries` are the shoppers' countries it serves.

    `tags` (assumed) are the order tags for which it is chosen: REVER's "dynamic warehouses".
    """

    id: LooseId = ""
    name: Text = ""
    is_default: LooseFlag = False
    countries: Annotated[tuple[Text, ...], Scope] = ()
    tags: Annotated[tuple[Text, ...], Scope] = ()
    address: Annotated[Address | None, Loose] = None


class Ecommerce(ApiModel):
    """One store of a group."""

    ecommerce_id: Id
    name: Text = ""
