"""REVER's enums, all open: the type of a field is `SomeEnum | str`, and an unknown value stays the string it was."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator

from rever_api.models.base import loose_word, word


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
