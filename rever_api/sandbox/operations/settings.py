"""A store's settings, its warehouses, and the stores of a group."""

from typing import Any

from rever_api.sandbox.operations.call import Call, wire
from rever_api.sandbox.refusal import not_found
from rever_api.sandbox.state import Sandbox


def get_ecommerce_settings(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Answer the store's return rules; 404 for a store that there is not."""
    return wire(sandbox.shop(call.query.get("ecommerce_id", "")).settings)


def list_ecommerces(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Answer the stores of a group; 404 for a group that there is not. Without a group: all that the key may see."""
    if call.query.get("ecommerce_group", sandbox.group) != sandbox.group:
        raise not_found("ecommerce group")
    return {"ecommerces": [{"ecommerce_id": shop.id, "name": shop.name} for shop in sandbox.shops.values()]}


def list_warehouses(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Answer the store's warehouses; 404 for a store that there is not."""
    return {"warehouses": [wire(house) for house in sandbox.shop(call.query.get("ecommerce_id", "")).warehouses]}
