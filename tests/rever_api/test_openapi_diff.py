"""What differs between the contract and an official document is found, named, and corrected by the TOML it prints."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rever_api import Endpoints
from rever_api.openapi import contract, parsed, read_document
from rever_api.openapi_diff import Compared, Comparison, Verdict, compare
from tests.rever_api.official_document import BASE_URL, document, official, same

NAMES = sorted(Endpoints.load().by_operation)


@pytest.fixture(scope="module")
def found() -> Comparison:
    return compare(document(official()), base_url=BASE_URL)


def of(found: Comparison, operation: str) -> Compared:
    return next(each for each in found.operations if each.operation == operation)


def loaded(found: Comparison, tmp_path: Path) -> Endpoints:
    file = tmp_path / "endpoints.toml"
    file.write_text(found.toml, "utf-8")
    return Endpoints.load(file)


def test_the_contract_is_the_same_as_itself() -> None:
    found = compare(document(same()), base_url=BASE_URL)
    assert {each.operation: each.verdict for each in found.operations} == dict.fromkeys(NAMES, Verdict.SAME)
    assert (found.new, found.fields, found.toml, found.notes) == ((), (), "", ())


def test_the_contracts_own_file_is_read_as_yaml() -> None:
    file = Path(__file__).parents[2] / "rever_api" / "openapi.yaml"
    found = compare(read_document(file), base_url=BASE_URL)
    assert {each.verdict for each in found.operations} == {Verdict.SAME}
    assert found.fields == ()


def test_every_operation_gets_one_verdict(found: Comparison) -> None:
    verdicts = {each.operation: each.verdict for each in found.operations}
    assert sorted(verdicts) == NAMES
    assert {name for name, verdict in verdicts.items() if verdict is Verdict.DIFFERS} == {
        "issueRefund", "getReturnProcess", "getEcommerceSettings", "searchReturnProcesses", "getPresignedLabelUrl",
    }  # fmt: skip
    assert [name for name, verdict in verdicts.items() if verdict is Verdict.MISSING] == ["importReturns"]


def test_a_method_and_a_path_differ(found: Comparison) -> None:
    assert of(found, "issueRefund").differences == (
        "method: POST here, PUT there",
        "path: /v1/processes/{process_id}/refunds here, /v1/refunds/{process_id} there",
    )


def test_a_parameter_moves_between_path_and_query(found: Comparison) -> None:
    assert "process_id: in the path here, in the query there" in of(found, "getReturnProcess").differences
    assert "process_id: called process_id here, processId there" in of(found, "getReturnProcess").differences
    assert "ecommerce_id: in the query here, in the path there" in of(found, "getEcommerceSettings").differences


def test_what_no_table_can_correct_is_told_apart(found: Comparison) -> None:
    search = of(found, "searchReturnProcesses")
    assert search.differences == ("order_id: called order_id here, filter.order_id there",)
    assert search.beyond == ("it asks for the parameter tenant, which is not sent",)
    assert search.ignored == ("updated_since",)
    label = of(found, "getPresignedLabelUrl")
    assert label.beyond == ("its path holds {label_id}, for which this operation has no value",)


def test_operations_that_we_have_not_are_new(found: Comparison) -> None:
    assert [str(each) for each in found.new] == ["GET /v1/processes/{process_id}/notes (AdminAPI_ListNotes)"]


def test_a_key_that_goes_elsewhere_is_noted(found: Comparison) -> None:
    assert found.notes == ("it wants the key in the header x-api-key, and it is sent in x-rever-api-key",)


def test_fields_and_values_differ(found: Comparison) -> None:
    said = {(each.field, each.why) for each in found.fields}
    assert ("ReturnProcess.return_costs", "is read here and not there") in said
    assert ("ReturnProcess.order_name", "is read here and not there; there it is called orderName") in said
    assert ("Refund.amount", "is an integer there: perhaps cents, and here it is whole units") in said
    assert ("RefundInput.type", "has values there that are not known here: BIZUM") in said
    assert ("RefundInput.type", "has no GIFT_CARD, PROMO_CODE, EXCHANGE there") in said
    assert ("RefundInput.reason", "is required there and never sent") in said
    assert not [field for field, _ in said if field.endswith("rever_process_status")], "CANCELLED means CANCELED"
    assert {each.field for each in found.fields if each.grave} >= {"Refund.amount", "RefundInput.reason"}
    assert not [each for each in found.fields if each.grave and each.field.endswith(("type", "_costs"))]
    costs = next(each for each in found.fields if each.field == "ReturnProcess.return_costs")
    assert {"getReturnProcess", "searchReturnProcesses", "addReview"} <= set(costs.operations)


def test_the_correction_turns_every_difference_it_can_into_the_same(found: Comparison, tmp_path: Path) -> None:
    again = compare(document(official()), loaded(found, tmp_path), BASE_URL)
    assert [each.differences for each in again.operations if each.differences and not each.beyond] == []
    assert again.toml == found.toml, "it corrects the contract, whatever is in force"
    assert of(again, "issueRefund").verdict is Verdict.SAME


def test_a_match_by_path_alone_is_left_to_a_person(tmp_path: Path) -> None:
    tree = same()
    paths = tree["paths"]
    paths["/v1/processes/{process_id}/refund"] = paths.pop("/v1/processes/{process_id}/refunds")
    paths["/v1/processes/{process_id}/refund"]["post"]["operationId"] = "PayBack"
    found = compare(document(tree), base_url=BASE_URL)
    row = of(found, "issueRefund")
    assert (row.verdict, row.guessed) == (Verdict.DIFFERS, True)
    assert "# Is this POST /v1/processes/{process_id}/refund (PayBack)?" in found.toml
    assert loaded(found, tmp_path)["issueRefund"] == Endpoints.load()["issueRefund"]
    bare = "\n".join(line.removeprefix("# ") for line in found.toml.splitlines() if "?" not in line)
    assert tomllib.loads(bare) == {"issueRefund": {"path": "/v1/processes/{process_id}/refund"}}


def test_two_that_may_be_it_are_both_named_and_none_is_taken() -> None:
    tree = same()
    refunds = tree["paths"].pop("/v1/processes/{process_id}/refunds")["post"]
    for path in ("/v1/processes/{process_id}/refund", "/v2/processes/{process_id}/refund"):
        tree["paths"][path] = {"post": refunds | {"operationId": ""}, "parameters": []}
    row = of(compare(document(tree), base_url=BASE_URL), "issueRefund")
    assert (row.verdict, len(row.perhaps)) == (Verdict.MISSING, 2)


@pytest.mark.parametrize(("method", "operation"), [("get", "issueRefund"), ("post", "getShippingStatus")])
def test_a_read_is_never_taken_for_an_effect(method: str, operation: str) -> None:
    tree = same()
    path = Endpoints.load()[operation].path
    tree["paths"][path] = {method: {"operationId": "other", "parameters": [{"name": "process_id", "in": "path"}]}}
    assert of(compare(document(tree), base_url=BASE_URL), operation).verdict is Verdict.MISSING


@pytest.mark.parametrize(
    ("servers", "base_url", "path"),
    [
        ([{"url": "https://api.byrever.com"}], BASE_URL, "/v1/x"),
        ([{"url": "https://mock.example/_mock"}, {"url": "https://api.byrever.com/admin/"}], BASE_URL, "/admin/v1/x"),
        ([{"url": "https://api.byrever.com/admin"}], f"{BASE_URL}/admin", "/v1/x"),
        ([{"url": "/admin"}], BASE_URL, "/admin/v1/x"),
        ([], BASE_URL, "/v1/x"),
    ],
)
def test_a_path_is_told_as_seen_from_where_rever_is_called(servers: Any, base_url: str, path: str) -> None:
    tree = {"openapi": "3.1.0", "servers": servers, "paths": {"/v1/x": {"get": {"operationId": "x"}}}}
    assert compare(document(tree), base_url=base_url).new[0].path == path


@pytest.mark.parametrize(
    ("money", "grave"),
    [
        ({"type": "integer"}, True),
        ({"type": "string", "format": "int64"}, True),
        ({"type": "number"}, False),
        ({"type": ["string", "null"]}, False),
    ],
)
def test_amounts_that_may_be_cents_are_grave(money: Any, grave: bool) -> None:
    tree = same()
    tree["components"]["schemas"]["Money"] = money
    found = compare(document(tree), base_url=BASE_URL)
    assert [each.grave for each in found.fields if each.field == "Refund.amount"] == [True] * grave


SWAGGER = """
swagger: "2.0"
basePath: /v1
paths:
  /processes/{process_id}/refunds:
    post:
      operationId: IssueRefund
      parameters:
        - {name: process_id, in: path, required: true, type: string}
        - {name: body, in: body, schema: {$ref: '#/definitions/RefundRequest'}}
      responses:
        200: {schema: {type: object, properties: {amount: {type: string}, currency: {type: string}}}}
definitions:
  RefundRequest:
    type: object
    properties: {amount: {type: string}, currency: {type: string}, kind: {type: string}, type: {enum: [NO, CARD]}}
"""


def test_a_gateways_swagger_2_is_read_too() -> None:
    found = compare(parsed(SWAGGER, "official.yaml"), base_url=BASE_URL)
    assert of(found, "issueRefund").verdict is Verdict.SAME
    said = {each.field: each.why for each in found.fields}
    assert said["RefundInput.items"] == "is sent here and not there"
    assert said["Refund.missing_amount"] == "is read here and not there"
    assert "RefundInput.amount" not in said


def test_references_that_go_round_in_a_circle_end() -> None:
    tree = same()
    schemas = tree["components"]["schemas"]
    schemas["Address"] = {"$ref": "#/components/schemas/Shopper"}
    schemas["Shopper"] = {"$ref": "#/components/schemas/Address"}
    schemas["ReturnProcess"]["properties"]["return_line_items"]["items"] = {
        "$ref": "#/components/schemas/ReturnProcess"
    }
    found = compare(document(tree), base_url=BASE_URL)
    assert "is read here and not there" in {each.why for each in found.fields}


WORD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="{}"), min_size=1, max_size=12)


@settings(deadline=None)
@example("issueRefund", "put", 'a\x7f"\\b', [], "\n\x7f")
@given(st.sampled_from(NAMES), st.sampled_from(["get", "post", "put"]), WORD, st.lists(WORD, max_size=3), WORD)
def test_whatever_the_document_says_the_correction_loads_and_corrects(
    operation: str, method: str, path: str, names: list[str], wire: str
) -> None:
    parameters = [{"name": name, "in": "query"} for name in names]
    parameters += [{"name": f"{wire}.{name}", "in": "query"} for name in Endpoints.load()[operation].parameters]
    item = {method: {"operationId": operation.upper(), "parameters": parameters}}
    tree = document({"openapi": "3.0.0", "paths": {f"/{path}": item}})
    found = compare(tree)
    table = Endpoints.load().corrected(tomllib.loads(found.toml), "its own")
    row = of(compare(tree, table), operation)
    assert row.beyond or row.differences == ()


def test_the_contract_is_left_as_it_was(found: Comparison) -> None:
    assert "return_costs" in contract()["components"]["schemas"]["ReturnProcess"]["properties"]
    assert found.operations
