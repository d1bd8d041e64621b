"""Every operation of the contract is there, and answers what the contract and the models say."""

import base64
from decimal import Decimal
from importlib.resources import files
from typing import Any

import httpx
import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from rever_api import models
from rever_api.sandbox import RunningSandbox
from rever_api.sandbox.operations import OPERATIONS
from tests.rever_api.sandbox import desk

CONTRACT: dict[str, Any] = yaml.safe_load((files("rever_api") / "openapi.yaml").read_text())
METHODS = {"get", "post", "put", "delete", "patch"}


def operations() -> dict[str, tuple[str, str, dict[str, Any]]]:
    return {
        operation["operationId"]: (method.upper(), path, operation)
        for path, item in CONTRACT["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def check(operation: str, answer: httpx.Response) -> Any:
    """Validate the answer against the contract's schema for its status."""
    responses = operations()[operation][2]["responses"]
    assert str(answer.status_code) in responses, answer.text
    response = responses[str(answer.status_code)]
    if "$ref" in response:
        response = CONTRACT["components"]["responses"][response["$ref"].rpartition("/")[2]]
    schema = response["content"]["application/json"]["schema"]
    Draft202012Validator({**schema, "components": CONTRACT["components"]}).validate(answer.json())
    return answer.json()


def test_the_sandbox_has_exactly_the_operations_of_the_contract() -> None:
    assert {o.id: (o.method, o.path) for o in OPERATIONS} == {i: (m, p) for i, (m, p, _) in operations().items()}


def test_a_wrong_answer_would_be_noticed() -> None:
    wrong = httpx.Response(200, json={"processes": [{"rever_process_id": "x"}], "rowcount": 1})
    with pytest.raises(Exception, match="required property"):
        check("searchReturnProcesses", wrong)


def test_all_processes_fit_and_parse_whole(http: httpx.Client) -> None:
    page = check("searchReturnProcesses", http.get("/v1/processes", params={"limit": 100}))
    assert page["rowcount"] == len(page["processes"]) == 68
    for body in page["processes"]:
        process = models.ReturnProcess.model_validate(body)
        assert process.reviews is not None
        assert process.compensation is not None
        assert process.compensation.refunds is not None
        assert process.return_costs is not None
        assert "exchange_order" in body["compensation"]
        assert body == check("getReturnProcess", http.get(f"/v1/processes/{process.rever_process_id}"))


def test_money_goes_as_strings_of_decimals(http: httpx.Client) -> None:
    shown = http.get("/v1/processes", params={"limit": 100}).json()["processes"]
    assert shown
    for process in shown:
        assert isinstance(process["return_costs"], str)
        assert all(isinstance(line["total_price"], str) for line in process["return_line_items"])


def test_effects_answer_what_the_contract_says(running: RunningSandbox, http: httpx.Client) -> None:
    def process(scenario: str) -> dict[str, Any]:
        body: dict[str, Any] = http.get(f"/v1/processes/{running.process_ids(scenario)[0]}").json()
        return body

    def path(body: dict[str, Any], tail: str) -> str:
        return f"/v1/processes/{body['rever_process_id']}/{tail}"

    approved, goods, waiting = process("approved_thirds"), process("exchange_reviewed"), process("in_warehouse")
    refund = check("issueRefund", http.post(path(approved, "refunds"), json=desk.refunds(approved)[0]))
    assert models.Refund.model_validate(refund).amount == 10
    order = check("issueExchange", http.post(path(goods, "exchanges"), json={"items": desk.exchange(goods)}))
    assert len(models.ExchangeOrder.model_validate(order).ordered_items) == 2
    reviews = [{"line_item_id": waiting["return_line_items"][0]["id"], "status": "MISSING"}]
    reviewed = check("addReview", http.post(path(waiting, "reviews"), json={"reviews": reviews}))
    assert [r.status for r in models.ReturnProcess.model_validate(reviewed).reviews or ()] == ["MISSING"]
    cancelled = check("cancelReturnProcess", http.post(path(process("collected"), "cancel"), json={"reason": "x"}))
    assert cancelled["rever_process_status"] == "CANCELED"


def test_logistics_answer_what_the_contract_says(running: RunningSandbox, http: httpx.Client) -> None:
    path = f"/v1/processes/{running.process_ids('label_needed_pickup', 'acme')[0]}"
    check("getPresignedLabelUrl", http.get(f"{path}/label"))
    carrier = {"process_id": path.rpartition("/")[2], "provider": "SENDCLOUD", "carrier": "DHL"}
    made = check("createOrderV2", http.put(f"{path}/logistics/", json=carrier))
    assert models.LogisticOrder.model_validate(made["order"]).tracking_id
    label = {"label": base64.b64encode(b"hello").decode(), "label_extension": "png", "order": {"carrier": "BY_HAND"}}
    check("createReverseDelivery", http.post(f"{path}/logistics/", json=label))
    orders = check("listLogisticOrders", http.get(f"{path}/logistics/"))["orders"]
    assert [order["carrier"] for order in orders] == ["DHL", "BY_HAND"]
    shipping = check("getShippingStatus", http.get(f"{path}/shipping_status"))
    assert models.Shipping.model_validate(shipping).status == "CREATED"
    url = check("getPresignedLabelUrl", http.get(f"{path}/label"))["url"]
    assert httpx.get(url).content == b"hello"


def test_settings_and_new_returns_answer_what_the_contract_says(http: httpx.Client) -> None:
    for store in ("acme", "nordic"):
        settings = check("getEcommerceSettings", http.get("/v1/settings", params={"ecommerce_id": store}))
        assert models.EcommerceSettings.model_validate(settings).refund.timing == "ON_ITEM_VERIFIED"
        houses = check("listWarehouses", http.get("/v1/settings/warehouses", params={"ecommerce_id": store}))
        assert any(models.Warehouse.model_validate(house).is_default for house in houses["warehouses"])
    group = check("listEcommerces", http.get("/v1/settings/ecommerces", params={"ecommerce_group": "sandbox-group"}))
    assert [store["ecommerce_id"] for store in group["ecommerces"]] == ["acme", "nordic"]
    wanted = {"ecommerce_id": "acme", "order_name": "#1", "email": "a@example.com"}
    items = [{"sku": "ACME-001-M", "quantity": 2}]
    started = check("createReturn", http.post("/v1/returns", json=wanted | {"items": items}))
    assert models.ReturnProcess.model_validate(started).return_line_items[0].total_price == Decimal("44.60")
    many = [wanted | {"items": items}, wanted | {"items": [{"sku": "NOTHING", "quantity": 1}]}]
    results = check("importReturns", http.post("/v1/returns/import", json={"returns": many}))["results"]
    assert results[0]["process_id"].startswith("retp_")
    assert (results[1]["process_id"], results[1]["error"]["code"]) == (None, 3)


def test_refusals_fit_the_contract(running: RunningSandbox, http: httpx.Client) -> None:
    path = f"/v1/processes/{running.process_ids('approved_one')[0]}"
    assert check("getReturnProcess", http.get("/v1/processes/retp_none"))["code"] == 5
    assert check("searchReturnProcesses", http.get("/v1/processes", params={"limit": 101}))["code"] == 3
    assert check("issueRefund", http.post(f"{path}/refunds", json={"type": "GIFT_CARD"}))["code"] == 3
    assert check("issueRefund", http.post(f"{path}/refunds", content=b"{"))["code"] == 3
    assert check("getEcommerceSettings", http.get("/v1/settings", params={"ecommerce_id": "none"}))["code"] == 5
