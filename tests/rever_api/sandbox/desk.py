"""A small desk that plays by the rules over plain HTTP, with arithmetic of its own. It knows no faults."""

from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import httpx

_METHODS = {"ORIGINAL_PAYMENT_METHOD", "BANK_TRANSFER", "GIFT_CARD", "PROMO_CODE"}
_LABELLED = {"HOME_PICK_UP", "DROP_OFF_POINT", "DELIVERY_PICKUP"}


def approved(process: dict[str, Any], line: dict[str, Any]) -> int:
    if line["return_reason"] == "NOT_RECEIVED":
        return int(line["quantity"])
    return sum(r["line_item_id"] == line["id"] and r["status"] == "APPROVED" for r in process["reviews"])


def worth(line: dict[str, Any], units: int) -> Decimal:
    return (Decimal(line["total_price"]) * units / int(line["quantity"])).quantize(Decimal("0.01"), ROUND_HALF_UP)


def refunds(process: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the refund bodies for all that is approved, costs taken off in line order."""
    costs, amounts, items = Decimal(process["return_costs"]), defaultdict[str, Decimal](Decimal), defaultdict(list)
    for line in process["return_line_items"]:
        units, method = approved(process, line), line["compensation_method"]
        if not units or method == "EXCHANGE":
            continue
        taken = min(costs, worth(line, units))
        costs -= taken
        amounts[method] += worth(line, units) - taken
        items[method].append({"line_item_id": line["id"], "quantity": units})
    currency = process["return_line_items"][0]["currency"]
    return [
        {"type": method, "amount": str(amount), "currency": currency, "items": items[method]}
        for method, amount in amounts.items()
        if amount
    ]


def exchange(process: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the items of the exchange, none before every line of it is inspected."""
    lines = [line for line in process["return_line_items"] if line["compensation_method"] == "EXCHANGE"]
    if sum(line["quantity"] for line in lines) > sum(
        review["line_item_id"] in {line["id"] for line in lines} for review in process["reviews"]
    ):
        return []
    return [
        {"line_item_id": line["id"], "variant_id": line["exchange_for"]["variant_id"], "quantity": units}
        for line in lines
        if (units := approved(process, line))
    ]


def play(http: httpx.Client) -> set[str]:
    """Do all that may be done, and return the ids of the returns that a person must see."""
    held: set[str] = set()
    offset = 0
    found: list[dict[str, Any]] = []
    while page := http.get("/v1/processes", params={"offset": offset, "limit": 25}).json()["processes"]:
        found += page
        offset += len(page)
    for process in found:
        if process["rever_process_status"] == "RUNNING":
            held |= pay(http, process) | label(http, process)
        elif process["rever_process_status"] not in {"COMPLETED", "CANCELED", "FAILED", "ON_HOLD"}:
            held.add(process["rever_process_id"])
    return held


def pay(http: httpx.Client, process: dict[str, Any]) -> set[str]:
    process_id = process["rever_process_id"]
    if process["compensation"]["refunds"] or any(body["type"] not in _METHODS for body in refunds(process)):
        return {process_id}
    for body in refunds(process):
        assert http.post(f"/v1/processes/{process_id}/refunds", json=body).status_code == 200
    if items := exchange(process):
        answer = http.post(f"/v1/processes/{process_id}/exchanges", json={"items": items})
        return {process_id} if answer.status_code == 409 else set()
    return set()


def label(http: httpx.Client, process: dict[str, Any]) -> set[str]:
    process_id, method = process["rever_process_id"], process["return_method"]
    if process["return_status"] != "STARTED" or method not in _LABELLED:
        return set()
    if any(parcel["status"] != "CANCELED" for parcel in process["logistics"]):
        return set()
    store = http.get("/v1/settings", params={"ecommerce_id": process["ecommerce_id"]}).json()
    country = process["pickup_address"]["country_code"]
    for carrier in store["carriers"]:
        if country in carrier["countries"] and method in carrier["return_methods"]:
            body = {"process_id": process_id, "provider": carrier["provider"], "carrier": carrier["carrier"]}
            answer = http.put(f"/v1/processes/{process_id}/logistics/", json=body | {"return_method": method})
            return set() if answer.status_code == 200 else {process_id}
    return {process_id}
