"""The shops' own side of the sandbox: each answers for its orders as REVER's integration contract (v2) wants it.

An order is made from a return of it, always the same: bought some days before the return began, every third with a
product that was kept, every fourth of a VIP, scarves on final sale.
"""

import secrets
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zlib import crc32

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rever_api.models import Product, ReturnLineItem, ReturnProcess
from rever_api.sandbox.state import Sandbox

SHOP_KEY = "sandbox-shop-key"
"""The key that the shops take; REVER's own is another."""

_PLATFORMS = ("stripe", "paypal", "redsys")
_CENT = Decimal("0.01")


def shop_routes(sandbox: Sandbox, instead: Mapping[str, Any]) -> list[Route]:
    """The routes of the contract. `instead` has what is answered for an order in place of it: a status, or any JSON."""

    def found(request: Request, transactions: bool) -> Response:
        if not secrets.compare_digest(request.headers.get("x-rever-api-key", "").encode(), SHOP_KEY.encode()):
            return _error(401, "the key is missing or not valid")
        order_id = request.path_params["order_id"]
        other = instead.get(order_id)
        if isinstance(other, int):
            return _error(other, "as the test wants it")
        if other is not None and not transactions:
            return JSONResponse(other)
        with sandbox.locked():
            process = next((it.process for it in sandbox.processes.values() if it.process.order_id == order_id), None)
        if process is None:
            return _error(404, "there is no such order")
        return JSONResponse(transactions_of(process) if transactions else order_of(process))

    async def order(request: Request) -> Response:
        return found(request, transactions=False)

    async def transactions(request: Request) -> Response:
        return found(request, transactions=True)

    path = "/rever/v2/orders/{order_id}"
    return [Route(path, order, methods=["GET"]), Route(f"{path}/transactions", transactions, methods=["GET"])]


def order_of(process: ReturnProcess) -> dict[str, Any]:
    """The order of a return, as its shop tells it."""
    number = crc32(process.order_id.encode())
    began = process.started_at
    bought = began - timedelta(days=4 + number % 40) if began else None
    lines = [_line(place, line) for place, line in enumerate(process.return_line_items)]
    if number % 3 == 0:
        kept = process.return_line_items[0].model_copy(
            update={"product": Product(product_id="prod_kept", variant_id="var_kept", sku="KEPT-1"), "quantity": 1}
        )
        lines.append(_line(len(lines), kept))
    person = process.shopper
    return {
        "order_id": process.order_id,
        "order_number": process.order_name.lstrip("#"),
        "shop_currency": process.return_line_items[0].currency,
        "customer_currency": process.return_line_items[0].currency,
        "tags": ["vip"] if number % 4 == 0 else [],
        "customer_info": {"email": person.email, "first_name": person.first_name} if person else {},
        "line_items": lines,
        "line_fees": [{"type": "SHIPPING_FEE", "amount": "4.95", "discount": "", "taxes": "1.04"}],
        "purchased_at": bought.isoformat() if bought else None,
        "fulfilled_at": (bought + timedelta(days=1)).isoformat() if bought else None,
    }


def _line(place: int, line: ReturnLineItem) -> dict[str, Any]:
    """A line of an order: the prices of the return's line have taxes in them, those of the contract have not."""
    product = line.product or Product()
    total, taxes = line.total_price or Decimal(0), line.total_taxes or Decimal(0)
    return {
        "id": f"{place}",
        "variant_id": product.variant_id,
        "quantity": line.quantity,
        "unit_price": str(((total - taxes) / max(1, line.quantity)).quantize(_CENT)),
        "subtotal": str(total - taxes),
        "total_taxes": str(taxes),
        "total": str(total),
        "is_returnable": True,
        "product": {
            "id": product.product_id,
            "name": product.name,
            "tags": ["final-sale"] if product.name == "Silk scarf" else [],
            "variants": [{"id": product.variant_id, "name": product.variant_name, "sku": product.sku}],
        },
    }


def transactions_of(process: ReturnProcess) -> dict[str, Any]:
    """How the order of a return was paid."""
    number = crc32(process.order_id.encode())
    total = sum((Decimal(line["total"]) for line in order_of(process)["line_items"]), Decimal(0))
    leg = {"kind": "SALE", "status": "SUCCESS", "currency": process.return_line_items[0].currency}
    return {
        "transactions": [
            {
                "id": "1",
                **leg,
                "platform_id": _PLATFORMS[number % 3],
                "transaction_id": f"t{number}",
                "amount": str(total),
            },
            {"id": "2", **leg, "status": "FAILURE", "platform_id": "manual", "transaction_id": "", "amount": "0.00"},
        ]
    }


def _error(status: int, words: str) -> Response:
    return JSONResponse({"error": words}, status_code=status)
