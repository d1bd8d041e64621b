"""What the peers share: where REVER is, the search, and the amount. As little as an ordinary return needs."""

import os
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

IN_FLIGHT, TIMEOUT_S, PAGE = 8, 10.0, 100
"""The HTTP settings of every contender: those that ours has by default."""


@dataclass(frozen=True, slots=True)
class Target:
    """One store of one REVER."""

    base_url: str
    api_key: str
    store: str

    @classmethod
    def of_environment(cls) -> "Target":
        """The one that ours would read from the same variables."""
        return cls(os.environ["REVER_BASE_URL"], os.environ["REVER_API_KEY"], os.environ["REVER_STORES"])

    @property
    def headers(self) -> dict[str, str]:
        """The headers of each call."""
        return {"x-rever-api-key": self.api_key, "accept": "application/json"}


def page(target: Target, offset: int) -> dict[str, str]:
    """The query of one page of running returns, the oldest first."""
    return {
        "ecommerce_id": target.store,
        "status": "RUNNING",
        "sortby": "started_at",
        "order": "asc",
        "limit": str(PAGE),
        "offset": str(offset),
    }


def due(process: dict[str, Any]) -> dict[str, Any] | None:
    """The refund of an ordinary return: its approved units by one method. None where nothing is due.

    It knows no costs, exchanges, several methods, foreign refunds or caps: those are what ours decides besides.
    """
    if process["rever_process_status"] != "RUNNING" or process["compensation"]["refunds"]:
        return None
    amount, items = Decimal(0), []
    for line in process["return_line_items"]:
        units = sum(
            each["line_item_id"] == line["id"] and each["status"] == "APPROVED" for each in process.get("reviews", ())
        )
        if units:
            value = Decimal(line["total_price"]) * units / line["quantity"]
            amount += value.quantize(Decimal("0.01"), ROUND_HALF_UP)
            items.append({"line_item_id": line["id"], "quantity": units})
    if not amount:
        return None
    first = process["return_line_items"][0]
    return {"type": first["compensation_method"], "amount": str(amount), "currency": first["currency"], "items": items}
