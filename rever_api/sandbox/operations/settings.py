"""A store's settings, its warehouses, and the stores of a group."""

from typing import Any

from rever_api.sandbox.operations.call import Call, wire
from rever_api.sandbox.state import Sandbox


def get_ecommerce_settings(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Answer the store's return rules; 404 for a store that there is not."""
    return wire(sandbox.shop(call.query.get("ecommerce_id", "")).settings)


def list_ecommerces(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Answer the stores of a group, none for a group that there is not; without a group, all the key may see."""
    known = call.query.get("ecommerce_group", sandbox.group) == sandbox.group
    stores = [{"ecommerce_id": shop.id, "name": shop.name} for shop in sandbox.shops.values()]
    return {"ecommerces": stores if known else []}


def list_warehouses(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Answer the store's warehouses, none for a store that there is not."""
    shop = sandbox.shops.get(call.query.get("ecommerce_id", ""))
    return {"warehouses": [wire(house) for house in shop.warehouses] if shop else []}
