"""Bodies as REVER answers them."""

from decimal import Decimal
from typing import Any

from rever_api.models import (
    ExchangeItem,
    LineQuantity,
    LogisticOrder,
    LogisticOrderRequest,
    RefundInput,
    ReturnInput,
    ReturnItemInput,
    ReviewInput,
)

PROCESS_ID = "retp_2AAAAAAAAAAAAAAAAAAAAAAAAAA"
REFUND = RefundInput(
    type="GIFT_CARD", amount=Decimal("24.00"), currency="EUR", items=(LineQuantity(line_item_id="retl_1", quantity=1),)
)
REFUNDED = {"type": "GIFT_CARD", "amount": "24.00", "currency": "EUR", "refunded_at": "2026-11-23T12:00:00Z"}
REVIEW = ReviewInput(line_item_id="retl_1", status="APPROVED")
EXCHANGE = ExchangeItem(line_item_id="retl_1", variant_id="v2", quantity=1)
RETURN = ReturnInput(
    ecommerce_id="acme", order_name="#1001", email="ada@example.org", items=(ReturnItemInput(sku="S", quantity=1),)
)
PICKUP = LogisticOrderRequest(process_id=PROCESS_ID, provider="CARRIER", carrier="DHL")
BY_HAND = LogisticOrder(carrier="DHL", tracking_id="T1")
NOT_FOUND = {"code": 5, "message": "process not found", "details": []}


def process(process_id: str = PROCESS_ID, **fields: Any) -> dict[str, Any]:
    """A return process, as a read returns it."""
    line = {"id": "retl_1", "quantity": 1, "total_price": "24.00", "currency": "EUR"}
    base = {"rever_process_id": process_id, "rever_process_status": "RUNNING", "return_line_items": [line]}
    return {**base, **fields}


def page(*ids: str, rowcount: int | None = None) -> dict[str, Any]:
    """A page of a search."""
    return {"processes": [process(process_id) for process_id in ids], "rowcount": rowcount}


REVIEWED = process(reviews=[{"line_item_id": "retl_1", "status": "APPROVED"}])

READS: list[tuple[str, tuple[Any, ...], Any]] = [
    ("get_return_process", (PROCESS_ID,), process()),
    ("get_shipping_status", (PROCESS_ID,), {"status": "COLLECTED", "process_id": PROCESS_ID}),
    ("get_presigned_label_url", (PROCESS_ID,), {"url": "https://files.example/label?sig=1"}),
    ("list_logistic_orders", (PROCESS_ID,), {"orders": [{"id": "lo_1", "carrier": "DHL"}]}),
    ("get_ecommerce_settings", ("acme",), {"ecommerce_id": "acme", "refund": {"timing": "ON_START"}}),
    ("list_ecommerces", ("ACME",), {"ecommerces": [{"ecommerce_id": "acme"}]}),
    ("list_warehouses", ("acme",), {"warehouses": [{"id": "w1", "is_default": True}]}),
]
"""Client method, arguments and a good answer of every read but the search and the label's file."""

EFFECTS: list[tuple[str, tuple[Any, ...], Any]] = [
    ("add_review", (PROCESS_ID, [REVIEW]), REVIEWED),
    ("issue_refund", (PROCESS_ID, REFUND), REFUNDED),
    ("issue_exchange", (PROCESS_ID, [EXCHANGE]), {"order_id": "o2", "ordered_items": [{"variant_id": "v2"}]}),
    ("cancel_return_process", (PROCESS_ID, "lost"), process(rever_process_status="CANCELLED")),
    ("create_reverse_delivery", (PROCESS_ID, BY_HAND, b"%PDF", "pdf"), {"order": {"id": "lo_1"}}),
    ("create_order_v2", (PICKUP,), {"order": {"id": "lo_1", "process_id": PROCESS_ID}}),
    ("create_return", (RETURN,), process("retp_new", ecommerce_id="acme")),
    ("import_returns", ([RETURN],), {"results": [{"process_id": "retp_new"}]}),
]
"""Client method, arguments and a good answer of every effect."""
