"""The mapping of a file of returns that are to be made at REVER: what its columns and words mean.

```yaml
columns: {order: Order, email: Email, sku: SKU, quantity: Qty, reason: Reason, method: Refund as}
reasons: {Too small: WRONG_SIZE_TOO_SMALL, Faulty: DEFECTIVE}
methods: {Card: ORIGINAL_PAYMENT_METHOD, Voucher: GIFT_CARD}
one_return_per: order
```
"""

import re
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from tasks.files.mapping import FileColumns, FileMapping, each_word_once
from tasks.policy.store import REFUND_METHODS

_REASON = re.compile(r"[A-Z][A-Z0-9_]{1,60}", re.ASCII)


def _reason(text: str) -> str:
    if text and not _REASON.fullmatch(text):
        raise ValueError("one of REVER's reasons, in capitals, such as WRONG_SIZE_TOO_SMALL")
    return text


def _method(text: str) -> str:
    if text and text not in REFUND_METHODS:
        known = ", ".join(sorted(REFUND_METHODS))
        raise ValueError(f"one of {known}; an exchange needs its goods named, and is made at REVER")
    return text


Reason = Annotated[str, AfterValidator(_reason)]
Method = Annotated[str, AfterValidator(_method)]


class ReturnPer(StrEnum):
    """Which rows are one return: those of one key (the column `key`), those of one order, or each row by itself."""

    KEY = "key"
    ORDER = "order"
    ROW = "row"


class ReturnColumns(FileColumns):
    """The columns of a file of returns."""

    key: str = Field("", description="What the shop calls this return: its own number of it, such as an RMA.")
    order: str = Field("", description="The order's name, as the shop writes it.")
    email: str = Field("", description="The e-mail with which the shopper ordered.")
    sku: str = Field("", description="The product's SKU.")
    quantity: str = Field("", description="How many units come back; without it one.")
    reason: str = Field("", description="Why, in the shop's words: `reasons` says which of REVER's it is.")
    method: str = Field("", description="How it is compensated, in the shop's words: `methods` says as what.")


NEEDED = ("order", "email", "sku")
"""The columns without which no return can be asked for."""
FROM_ABOVE = ("key", "order", "email")
"""The columns that may stand on the first row of a return alone."""


class ReturnMapping(FileMapping):
    """What the columns and words of a file of returns mean. An empty meaning leaves the choice to REVER."""

    columns: ReturnColumns
    reasons: dict[str, Reason] = Field({}, description="Word of the reason's column -> REVER's reason.")
    methods: dict[str, Method] = Field({}, description="Word of the method's column -> REVER's compensation method.")
    reason: Reason = Field("", description="REVER's reason for every row, where there is no column.")
    method: Method = Field("", description="REVER's compensation method for every row, where there is no column.")
    one_return_per: ReturnPer | None = Field(None, description="`order` or `row`, where no column is the `key`.")

    @field_validator("reasons", "methods")
    @classmethod
    def _once(cls, value: dict[str, Any]) -> dict[str, Any]:
        return each_word_once(value)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        there = self.columns.named()
        if missing := [name for name in NEEDED if name not in there]:
            raise ValueError(f"the columns {', '.join(NEEDED)}; there is no {' and no '.join(missing)}")
        said = (("reason", bool(self.reasons), self.reason), ("method", bool(self.methods), self.method))
        for name, words, every in said:
            if name in there and not words:
                raise ValueError(
                    f"`{name}s` with what each word of the column means; a line behind a # is not decided yet"
                )
            if words and name not in there:
                raise ValueError(f"the column `{name}`, whose words `{name}s` gives a meaning")
            if name in there and every:
                raise ValueError(f"either the column `{name}`, or one `{name}` for every row")
        if "key" in there and self.one_return_per not in {None, ReturnPer.KEY}:
            raise ValueError("no `one_return_per` beside the column `key`: the rows of one key are one return")
        if "key" not in there and self.one_return_per not in {ReturnPer.ORDER, ReturnPer.ROW}:
            raise ValueError(
                "a column `key`, or `one_return_per`: `order` (the rows of an order are one return) or `row`"
            )
        return self

    @property
    def per(self) -> ReturnPer:
        """Which rows are one return."""
        return self.one_return_per or ReturnPer.KEY
