"""What the forms of the flows share: each field has a description to act on, and a default that harms nobody."""

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from flows.form import as_form
from tasks.report import Mode

LAST = ("mode", "credentials")
"""What stands at the end of each form: a person says first what is meant, then whether it is to be done."""


class FlowParameters(BaseModel):
    """A flow's form. Unknown names are refused, so that a typo is never silently ignored."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    begins: ClassVar[bool] = False
    """Whether a desk may begin with this flow: where REVER is this machine, it makes the ledger that is not there."""

    mode: Mode = Field(
        Mode.PLAN,
        title="Mode",
        description="plan: decide and report, write nothing anywhere. act: carry the decisions out.",
    )
    credentials: str = Field(
        "",
        title="Credentials block",
        description="Name of a `REVER credentials` block in Prefect. Empty: what the worker's environment says.",
    )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The schema as Prefect's form can show it."""
        return as_form(handler.resolve_ref_schema(handler(schema)), LAST, handler.resolve_ref_schema)


class StoresParameters(FlowParameters):
    """The form of a flow over whole stores."""

    begins: ClassVar[bool] = True

    stores: list[str] = Field(
        default_factory=list,
        title="Stores",
        description="E-commerce ids of the stores. Empty: all of this desk's stores.",
    )


class SearchParameters(StoresParameters):
    """The form of a flow that searches for returns."""

    process_ids: list[str] = Field(
        default_factory=list,
        title="Returns",
        description="REVER process ids (retp_...). Empty: all running returns of the stores.",
    )
    started_since: datetime | None = Field(
        None,
        title="Started since",
        description="Only returns that the shopper started at or after this time. Empty: however old.",
    )
    max_returns: int | None = Field(
        None, ge=1, title="At most this many returns", description="Look at no more returns than this. Empty: all."
    )
    max_amount: Decimal | None = Field(
        None,
        ge=0,
        title="At most this much money",
        description="Refund no more than this in one run, in each currency; what goes beyond waits. Empty: no cap.",
    )
