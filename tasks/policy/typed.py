"""Numbers as people type them: plain digits, with nothing guessed. What is a number already (JSON, TOML) is taken."""

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_AMOUNT = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,4})?")
_WHOLE = re.compile(r"-?[0-9]{1,12}")


def amount(value: Any) -> Any:
    """An amount: `1_000`, full-width digits, `1e2` and blanks around it are none, though Python reads them."""
    if isinstance(value, bool) or (isinstance(value, str) and not _AMOUNT.fullmatch(value)):
        msg = "write an amount in plain digits, such as 24.00"
        raise ValueError(msg)
    return Decimal(str(value)) if isinstance(value, str | int | float) else value


def whole(value: Any) -> Any:
    """A whole number, by the same rule."""
    if isinstance(value, bool) or (isinstance(value, str) and not _WHOLE.fullmatch(value)):
        msg = "write a whole number in plain digits, such as 24"
        raise ValueError(msg)
    return value


Cap = Annotated[Decimal, BeforeValidator(amount)]
"""An amount of money in the policy file."""

# The bounds stand before the validator, so that they are in the form's schema too.
Amount = Annotated[Decimal | None, Field(ge=0), BeforeValidator(amount)]
"""An amount of money in a form, or none. The type of every one that is typed."""

Whole = Annotated[int | None, Field(ge=1), BeforeValidator(whole)]
"""A whole number of 1 or more in a form, or none."""
