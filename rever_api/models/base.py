"""What every REVER model shares: tolerance of unknown fields, open enums, exact money, aware times.

REVER's conventions (its published reference): `null`, "" and absent mean the same; unknown fields are never an error;
enums are open, so a value this project does not know passes through as the plain string it is.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, model_validator


class ApiModel(BaseModel):
    """A frozen object of the API. A field whose value was `null` or "" counts as absent and takes its default."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, value: Any) -> Any:
        """Treat `null` and "" as absent, as proto3 JSON does."""
        if not isinstance(value, dict):
            return value
        return {key: item for key, item in value.items() if item is not None and item != ""}


def _exact(value: Any) -> Any:
    """Refuse binary floating point: a JSON number must have been read with `parse_float=Decimal`."""
    if isinstance(value, float):
        msg = "money was read as binary floating point; parse JSON with parse_float=Decimal"
        raise ValueError(msg)  # noqa: TRY004 - pydantic reports ValueError as a field's error
    return value


def _aware(value: Any) -> Any:
    """Take a time without an offset as UTC, and turn every other one into UTC."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        return value
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time outside the years that can be told in UTC") from None


Money = Annotated[Decimal, BeforeValidator(_exact)]
"""A decimal amount in major units, exact; a JSON string, or a number read as Decimal."""

Instant = Annotated[AwareDatetime, BeforeValidator(_aware)]
"""An ISO 8601 time, aware, in UTC."""
