"""The bodies a caller sends, and the query of a search."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import AwareDatetime, BaseModel, Field, model_validator

from rever_api.models.base import ApiModel, InputModel, Money
from rever_api.models.process import (
    OpenCompensationMethod,
    OpenReturnMethod,
    OpenReviewStatus,
    Product,
)

_Model = TypeVar("_Model", bound=ApiModel)

MOST_PER_PAGE = 100
"""Return processes that one page of a search holds at most (observed)."""


def several(model: type[_Model], given: Sequence[_Model | Mapping[str, Any]]) -> tuple[_Model, ...]:
    """The models that a caller gave, as such or by their fields. Raises TypeError, or ValueError (pydantic's)."""
    for each in [given] if isinstance(given, str | Mapping | BaseModel) else given:
        if each is given or not isinstance(each, model | Mapping):
            raise TypeError(
                f"a list of {model.__name__}, or of mappings with its fields, is needed; found a {type(each).__name__}"
                + (" alone." if each is given else " in it.")
            )
    return tuple(each if isinstance(each, model) else model.model_validate(dict(each)) for each in given)


class SearchQuery(InputModel):
    """The filters of searchReturnProcesses (observed; `updated_since` assumed). Only what is given is sent.

    `sortby` is `started_at` or `updated_at`; `order` is `asc` or `desc`; `limit` is at most 100.
    """

    ecommerce_id: str = ""
    ecommerce_group: str = ""
    process_id: str = ""
    order_id: str = ""
    customer_printed_order_id: str = ""
    status: tuple[str, ...] = ()
    return_status: tuple[str, ...] = ()
    return_method: OpenReturnMethod = ""
    fully_refunded: bool | None = None
    updated_since: AwareDatetime | None = None
    freetext: str = Field("", repr=False)
    sortby: str = ""
    order: str = ""
    limit: int = 50
    offset: int = 0


class ReviewInput(InputModel):
    """The review of one unit. `reject_reason` is required by REVER when DECLINED (observed)."""

    line_item_id: str
    status: OpenReviewStatus
    reject_reason: str = ""


class LineQuantity(InputModel):
    """So many units of one line."""

    line_item_id: str
    quantity: int = Field(ge=1)


class RefundInput(InputModel):
    """The body of issueRefund (assumed). Two identical calls are two refunds."""

    type: OpenCompensationMethod
    amount: Money = Field(gt=Decimal(0))
    currency: str = Field(min_length=3, max_length=3)
    items: tuple[LineQuantity, ...] = Field(min_length=1)


class ExchangeItem(InputModel):
    """Replacement goods for `quantity` units of a line (assumed)."""

    line_item_id: str
    variant_id: str
    quantity: int = Field(ge=1)
    product_id: str = ""


class ReturnItemInput(InputModel):
    """One item of a new return (assumed)."""

    sku: str
    quantity: int = Field(ge=1)
    return_reason: str = ""
    compensation_method: OpenCompensationMethod = ""
    exchange_for: Product | None = None


class ReturnInput(InputModel):
    """A new return: an order, the shopper's e-mail and the items (assumed). `order_number` is taken as `order_name`."""

    ecommerce_id: str
    order_name: str
    email: str = Field(repr=False)
    items: tuple[ReturnItemInput, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _either_name(cls, value: Any) -> Any:
        """Which of the two names REVER takes is not known."""
        if isinstance(value, dict) and value.get("order_number") and not value.get("order_name"):
            return {key: item for key, item in value.items() if key != "order_number"} | {
                "order_name": value["order_number"]
            }
        return value
