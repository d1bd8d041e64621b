"""What the rules are told about a store: REVER's settings for it, and this desk's own."""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from rever_api.models import CompensationMethod, EcommerceSettings

REFUND_METHODS = frozenset(CompensationMethod) - {CompensationMethod.EXCHANGE}
"""Compensation methods that are paid by issueRefund."""


class RefundsBy(StrEnum):
    """Who pays: this desk, REVER itself after the review, or nobody has said."""

    US = "us"
    REVER = "rever"
    UNSTATED = "unstated"


class NotReceived(StrEnum):
    """What becomes of a line that never reached the shopper and so cannot be inspected."""

    APPROVED = "approved"
    HOLD = "hold"


class Guards(BaseModel):
    """Caps outside the rules, per currency where they are money. Empty or None: no cap. A guard that trips holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_refund: dict[str, Decimal] = Field(default_factory=dict, description="Currency -> the most one refund may be.")
    max_per_day: dict[str, Decimal] = Field(
        default_factory=dict, description="Currency -> the most a store may refund on one of its own days."
    )
    max_refunds_per_shopper: int | None = Field(None, ge=1, description="Refunds to one shopper within the window.")
    shopper_window_days: int = Field(30, ge=1, le=3650)


class StorePolicy(BaseModel):
    """The desk's own rules for a store; the policy file's `[default]` and `[stores.ID]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    not_received: NotReceived = Field(NotReceived.APPROVED, description="A line with reason NOT_RECEIVED.")
    out_of_stock: str = Field("hold", description="`hold`, or the compensation method to refund by instead.")
    rever_pays_within_hours: int = Field(48, ge=1, description="With refunds_by=rever: later than this holds.")
    label_carriers: tuple[str, ...] = Field((), description="Preferred `PROVIDER/CARRIER`, first that fits is taken.")
    guards: Guards = Guards()


@dataclass(frozen=True, slots=True)
class StoreRules:
    """All that decides for one store. `look_again` is the time to the next look at a return that waits."""

    store: str
    settings: EcommerceSettings
    refunds_by: RefundsBy
    policy: StorePolicy = field(default_factory=StorePolicy)
    settle_after: timedelta = timedelta(minutes=15)
    look_again: timedelta = timedelta(minutes=10)
    omits_empty_fields: bool = False
