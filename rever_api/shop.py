"""The shop's own order, by the contract that shops implement for REVER (custom integration, v2): what is read of it.

`GET /rever/v2/orders/{order_id}` and its `/transactions`. Who bought and where they live is not read at all. What
cannot be read as the contract has it counts as not said: no value is guessed from another one.
"""

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError

from rever_api.base_client import AsyncCaller
from rever_api.errors import NotSent
from rever_api.messages import Answer, Request
from rever_api.models.base import LooseCount, LooseId, is_clean
from rever_api.operations import Call, Result

_AMOUNT = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,4})?")
_HAS_OFFSET = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d.*([Zz]|[+-]\d\d:?\d\d)", re.ASCII)


def _money(value: Any) -> Decimal | None:
    """A decimal text; the empty one is zero, by the contract. None where it is not said, or no amount."""
    if isinstance(value, str):
        return Decimal(value) if _AMOUNT.fullmatch(value) else Decimal(0) if value == "" else None
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    return value if isinstance(value, Decimal) and value.is_finite() else None


def _moment(value: Any) -> datetime | None:
    """A time with its offset: without one its day is not known."""
    if not isinstance(value, str) or not _HAS_OFFSET.fullmatch(value.strip()):
        return None
    try:
        found = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return found if found.tzinfo and 2000 <= found.year < 3000 else None


def _tags(value: Any) -> tuple[str, ...] | None:
    """A list of texts, whole: one that holds anything else says nothing, not less."""
    if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
        return None
    return tuple(stripped for tag in value if (stripped := tag.strip()))


def _word(value: Any) -> str:
    return value if isinstance(value, str) and is_clean(value) else ""


def _list(value: Any) -> list[Any] | None:
    """A list of objects, whole, or nothing."""
    return value if isinstance(value, list) and all(isinstance(item, dict) for item in value) else None


_Money = Annotated[Decimal | None, BeforeValidator(_money)]
_Moment = Annotated[AwareDatetime | None, BeforeValidator(_moment)]
_Tags = Annotated[tuple[str, ...] | None, BeforeValidator(_tags)]
_Word = Annotated[str, BeforeValidator(_word)]
_List = BeforeValidator(_list)
_Object = BeforeValidator(lambda value: value if isinstance(value, dict) else {})


class _Model(BaseModel):
    """What is not named here, the shopper's data among it, is not kept."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class ShopVariant(_Model):
    """A variant of a product."""

    id: LooseId = ""
    sku: LooseId = ""


class ShopProduct(_Model):
    """A product. `tags` is None where they are not said. Of `variants` the shop lists those that it has in stock."""

    id: LooseId = ""
    sku: LooseId = ""
    tags: _Tags = None
    variants: Annotated[tuple[ShopVariant, ...] | None, _List] = None


class ShopLine(_Model):
    """A line of an order."""

    id: LooseId = ""
    variant_id: LooseId = ""
    quantity: LooseCount = None
    total: _Money = None
    product: Annotated[ShopProduct, _Object] = ShopProduct()


class ShopFee(_Model):
    """A fee of an order; it costs `amount - discount + taxes`."""

    type: _Word = ""
    amount: _Money = None
    discount: _Money = None
    taxes: _Money = None


class ShopOrder(_Model):
    """An order, its amounts in the shopper's currency. None is what the shop does not say."""

    order_id: LooseId = ""
    customer_currency: _Word = ""
    tags: _Tags = None
    line_items: Annotated[tuple[ShopLine, ...] | None, _List] = None
    line_fees: Annotated[tuple[ShopFee, ...] | None, _List] = None
    purchased_at: _Moment = None
    fulfilled_at: _Moment = None


class ShopTransaction(_Model):
    """A leg of a payment."""

    kind: _Word = ""
    status: _Word = ""
    platform_id: _Word = ""


class _Transactions(_Model):
    transactions: Annotated[tuple[ShopTransaction, ...], BeforeValidator(lambda value: value)]


class ShopClient(AsyncCaller):
    """Reads orders from one shop. Raises `rever_api.errors`; their sentences speak of REVER, so show their class alone.

    `config` has the shop's address (without `/rever/v2`) and the key that the shop and REVER have agreed on. Reads are
    retried and paced as those of REVER.
    """

    async def get_order(self, order_id: str) -> ShopOrder:
        """An order by its id at the shop. `NotFound`, or another `Refused` or `WrongRoute`, where it has none."""

        def read(answer: Answer) -> ShopOrder:
            order = _validated(answer, TypeAdapter(ShopOrder))
            if order.order_id != order_id:
                raise answer.unreadable("it is another order")
            return order

        return await self._call(Call(self._request("getOrderById", order_id), read))

    async def get_transactions(self, order_id: str) -> tuple[ShopTransaction, ...]:
        """The payments of an order."""

        def read(answer: Answer) -> tuple[ShopTransaction, ...]:
            return _validated(answer, TypeAdapter(_Transactions)).transactions

        return await self._call(Call(self._request("getOrderTransactions", order_id, "/transactions"), read))

    def _request(self, operation: str, order_id: str, below: str = "") -> Request:
        if order_id in {"", ".", ".."}:
            raise NotSent("no order has this id", operation=operation)
        url = f"{self.config.base_url.rstrip('/')}/rever/v2/orders/{quote(order_id, safe='')}{below}"
        return Request(operation, "GET", url)


def _validated(answer: Answer, model: TypeAdapter[Result]) -> Result:
    try:
        return model.validate_python(answer.document())
    except ValidationError:
        pass
    raise answer.unreadable("it has not the form of the contract")
