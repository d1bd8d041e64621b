"""What the forms of the flows share: each field has a description to act on, and a default that harms nobody."""

from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from tasks.report import Mode


class FlowParameters(BaseModel):
    """A flow's form. Unknown names are refused, so that a typo is never silently ignored."""

    model_config = ConfigDict(extra="forbid")

    mode: Mode = Field(
        Mode.PLAN,
        description="plan: decide and report, write nothing anywhere. act: carry the decisions out.",
    )


class StoresParameters(FlowParameters):
    """The form of a flow over whole stores."""

    stores: list[str] = Field(
        default_factory=list, description="E-commerce ids of the stores. Empty: all of this desk's stores."
    )


class SearchParameters(StoresParameters):
    """The form of a flow that searches for returns."""

    process_ids: list[str] = Field(
        default_factory=list, description="REVER process ids (retp_...). Empty: all running returns of the stores."
    )
    started_since: datetime | None = Field(
        None, description="Only returns that the shopper started at or after this time. Empty: however old."
    )
    max_returns: int | None = Field(None, ge=1, description="Look at no more returns than this. Empty: all.")
    max_amount: Decimal | None = Field(
        None,
        ge=0,
        description="Refund no more than this in one run, in each currency; what goes beyond waits. Empty: no cap.",
    )
