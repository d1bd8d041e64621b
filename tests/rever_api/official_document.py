"""A document as REVER's gateway might publish it, made from the contract with known differences."""

import copy
import json
from typing import Any

from rever_api.openapi import Document, contract, parsed

BASE_URL = "https://api.byrever.com"


def same() -> dict[str, Any]:
    """The contract itself, its marks of our own left out."""
    tree = copy.deepcopy(dict(contract()))
    del tree["webhooks"]
    for item in tree["paths"].values():
        for operation in (each for each in item.values() if isinstance(each, dict)):
            operation.pop("x-confidence", None)
    return tree


def official() -> dict[str, Any]:
    """What differs is listed in `test_compare.py`, one test for each kind."""
    tree = same()
    paths, schemas = tree["paths"], tree["components"]["schemas"]
    for item in paths.values():
        for method in ("get", "post", "put"):
            if method in item:
                name = item[method]["operationId"]
                item[method]["operationId"] = f"AdminAPI_{name[0].upper()}{name[1:]}"
    # A path and a method of its own, and a placeholder of another name.
    paths["/v1/refunds/{id}"] = {"put": paths.pop("/v1/processes/{process_id}/refunds")["post"]}
    paths["/v1/refunds/{id}"]["put"]["parameters"] = [{"name": "id", "in": "path", "required": True}]
    # From the path into the query, under another spelling.
    single = paths.pop("/v1/processes/{process_id}")["get"]
    paths["/v1/process"] = {"get": single | {"parameters": [{"name": "processId", "in": "query", "required": True}]}}
    # From the query into the path.
    settings = paths.pop("/v1/settings")["get"]
    where = [{"name": "ecommerceId", "in": "path", "required": True}]
    paths["/v1/ecommerces/{ecommerceId}/settings"] = {"get": settings | {"parameters": where}}
    # Parameters of other names, one that is gone, and one that is asked for.
    search = paths["/v1/processes"]["get"]["parameters"]
    search[:] = [each for each in search if each.get("name") != "updated_since"]
    next(each for each in search if each.get("name") == "order_id")["name"] = "filter.order_id"
    search.append({"name": "tenant", "in": "query", "required": True, "schema": {"type": "string"}})
    # A path that needs what we do not have.
    label = paths.pop("/v1/processes/{process_id}/label")
    needs = [{"name": "process_id", "in": "path"}, {"name": "label_id", "in": "path"}]
    paths["/v1/processes/{process_id}/labels/{label_id}"] = {"get": label["get"] | {"parameters": needs}}
    # Missing, with one that may be it; another name on the same path; and new ones.
    del paths["/v1/returns/import"]
    paths["/v1/processes/{process_id}/cancel"]["post"]["operationId"] = "AdminAPI_AbortProcess"
    paths["/v1/processes/{process_id}/notes"] = {"get": {"operationId": "AdminAPI_ListNotes"}}
    # Fields and values.
    del schemas["ReturnProcess"]["properties"]["return_costs"]
    schemas["ReturnProcess"]["properties"]["orderName"] = schemas["ReturnProcess"]["properties"].pop("order_name")
    schemas["Money"] = {"type": "integer"}
    schemas["CompensationMethod"] = {"type": "string", "enum": ["ORIGINAL_PAYMENT_METHOD", "BANK_TRANSFER", "BIZUM"]}
    schemas["ProcessStatus"] = {"type": "string", "enum": ["RUNNING", "COMPLETED", "FAILED", "CANCELLED", "ON_HOLD"]}
    schemas["RefundInput"]["required"] = [*schemas["RefundInput"]["required"], "reason"]
    tree["components"]["securitySchemes"] = {"Key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"}}
    return tree


def document(tree: dict[str, Any]) -> Document:
    """The tree, through its text as a file has it."""
    return parsed(json.dumps(tree), "official.json")
