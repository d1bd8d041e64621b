"""The shop's own orders, read over HTTP from the sandbox's shops: what is kept, what is left, and what fails how."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from rever_api import ClientConfig
from rever_api.errors import NotSent, OutcomeUnknown, ReverError
from rever_api.sandbox import RunningSandbox, running_sandbox
from rever_api.shop import ShopClient, ShopOrder


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with running_sandbox(returns=12) as started:
        yield started


async def no_wait(_: float) -> None:
    """Pass the time in no time."""


@pytest.fixture
async def shop(running: RunningSandbox) -> AsyncIterator[ShopClient]:
    running.shop_answers.clear()
    config = ClientConfig(base_url=running.base_url, api_key=running.shop_key, read_attempts=2)  # type: ignore[arg-type]
    async with ShopClient(config, sleep=no_wait) as client:
        yield client


def order_id(running: RunningSandbox) -> str:
    return next(iter(running.sandbox.processes.values())).process.order_id


async def test_an_order_is_read_without_the_person(running: RunningSandbox, shop: ShopClient) -> None:
    stored = next(iter(running.sandbox.processes.values())).process
    order = await shop.get_order(stored.order_id)
    assert (order.order_id, order.customer_currency) == (stored.order_id, stored.return_line_items[0].currency)
    assert order.line_items is not None
    first = order.line_items[0]
    assert (first.quantity, first.total) == (
        stored.return_line_items[0].quantity,
        stored.return_line_items[0].total_price,
    )
    assert order.line_fees is not None
    assert (order.line_fees[0].amount, order.line_fees[0].discount) == (Decimal("4.95"), Decimal(0))
    assert order.purchased_at is not None
    assert order.fulfilled_at == order.purchased_at + timedelta(days=1)
    assert stored.shopper is not None
    assert stored.shopper.email not in repr(order) + str(order.model_dump())
    legs = await shop.get_transactions(stored.order_id)
    assert [(leg.kind, leg.status) for leg in legs] == [("SALE", "SUCCESS"), ("SALE", "FAILURE")]


@pytest.mark.parametrize(
    ("answer", "status"), [(404, 404), (401, 401), (503, 503), ([1], 200), ({"order_id": "other"}, 200), ("text", 200)]
)
async def test_what_fails_is_an_error_with_its_status(
    running: RunningSandbox, shop: ShopClient, answer: Any, status: int
) -> None:
    running.shop_answers[order_id(running)] = answer
    with pytest.raises(ReverError) as failed:
        await shop.get_order(order_id(running))
    assert failed.value.status == status


async def test_the_wrong_key_the_wrong_order_and_no_shop(running: RunningSandbox, shop: ShopClient) -> None:
    with pytest.raises(ReverError) as missing:
        await shop.get_order("no such/order?")
    assert missing.value.status == 404
    with pytest.raises(NotSent):
        await shop.get_order("..")
    async with ShopClient(replace(shop.config, api_key=running.api_key), sleep=no_wait) as stranger:  # type: ignore[arg-type]
        with pytest.raises(ReverError) as refused:
            await stranger.get_order(order_id(running))
    assert refused.value.status == 401
    with running.outage(), pytest.raises((NotSent, OutcomeUnknown)):
        await shop.get_order(order_id(running))
    assert running.shop_key not in repr(shop)


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        ("tags", ["vip", " b2b ", ""], ("vip", "b2b")),
        ("tags", [], ()),
        ("tags", None, None),
        ("tags", "vip", None),
        ("tags", ["vip", 5], None),
        ("purchased_at", "2026-03-21T10:15:30", None),
        ("purchased_at", "2026-03-21", None),
        ("purchased_at", "yesterday", None),
        ("purchased_at", "2026-02-30T10:15:30Z", None),
        ("line_items", [{"quantity": 1}, 5], None),
        ("line_items", {}, None),
        ("customer_currency", 5, ""),
    ],
)
def test_what_is_not_as_the_contract_has_it_is_not_said(field: str, value: Any, kept: Any) -> None:
    assert getattr(ShopOrder.model_validate({"order_id": "1", field: value}), field) == kept


@pytest.mark.parametrize(
    ("total", "kept"), [("", Decimal(0)), ("12.50", Decimal("12.50")), (None, None), ("1,50", None)]
)
def test_an_amount_is_a_decimal_text_and_the_empty_one_is_zero(total: Any, kept: Decimal | None) -> None:
    order = ShopOrder.model_validate({"line_items": [{"total": total}]})
    assert order.line_items is not None
    assert order.line_items[0].total == kept
