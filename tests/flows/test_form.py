"""The forms in Prefect's UI: one plain field for each parameter, told in words, in order, and harmless as it is."""

from importlib import import_module
from typing import Any

import pytest
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools.validation import ValidationError, build_error_obj, is_valid_schema, validate

from flows.catalog import FLOWS
from tasks.ledger import Answer

HOLD = {"hold_id": "h", "version": 1}


def schema(flow: str) -> dict[str, Any]:
    """What a deployment of the flow keeps as its form."""
    found: dict[str, Any] = parameter_schema(getattr(import_module(FLOWS[flow]), flow.replace("-", "_"))).model_dump()
    return found


@pytest.mark.parametrize("flow", FLOWS)
def test_every_field_says_what_it_is_and_is_one_plain_field(flow: str) -> None:
    form = schema(flow)["definitions"]["Parameters"]
    for name, field in form["properties"].items():
        assert len(field["description"]) > 10, name
        assert "type" in field or "$ref" in field, f"{name} is a choice of types"
        assert "anyOf" not in field, f"{name} is a choice of types"
        assert "title" in field or "$ref" in field, name


@pytest.mark.parametrize("flow", FLOWS)
def test_the_order_is_kept_where_a_database_forgets_it_and_ends_with_the_mode(flow: str) -> None:
    properties = schema(flow)["definitions"]["Parameters"]["properties"]
    forgetful = dict(sorted(properties.items()))
    order = sorted(forgetful, key=lambda name: int(forgetful[name]["position"]))
    assert order[-1] == "credentials"
    if "mode" in properties:  # else it writes nothing
        assert order[-2] == "mode"
        assert properties["mode"]["default"] == "plan"


@pytest.mark.parametrize("flow", FLOWS)
def test_prefects_server_takes_the_form_as_it_is_filled_by_hand_and_by_default(flow: str) -> None:
    form = schema(flow)
    is_valid_schema(form)
    given = {"process_id": "retp_1"} if flow in {"process-return", "explain-return"} else {}
    module = import_module(FLOWS[flow])
    asked: dict[str, dict[str, Any]] = {
        "answer-hold": HOLD,
        "cancel-return": {"process_id": "retp_1", "reason": "a try"},
        "reissue-label": {"process_id": "retp_1", "reason": "a try"},
        "register-label": {"process_id": "retp_1", "carrier": "DHL", "tracking_id": "JD1"},
        "answer-holds": {"cause": "guard"},
        "backtest-policy": {"candidate": "candidate.yaml"},
        "import-inspections": {"file": "day.csv", "mapping": "warehouse.yaml"},
        "import-returns": {"file": "returns.csv", "mapping": "returns.yaml"},
    }
    filled = asked.get(flow, given)
    by_default = module.Parameters(**filled).model_dump(mode="json")
    if by_default.get("answer", "") is None:  # both of Prefect's UIs leave out a choice that nobody made
        del by_default["answer"]
    for values in (filled, by_default):
        validate({"parameters": values}, form, raise_on_error=True, preprocess=True)


def test_prefects_server_refuses_what_is_no_choice_and_out_of_bounds() -> None:
    for values in ({"mode": "pay"}, {"max_returns": 0}, {"max_amount": -1}, {"stores": "acme"}):
        with pytest.raises(ValidationError):
            validate({"parameters": values}, schema("process-pending-returns"), raise_on_error=True)


def test_what_is_pasted_with_blanks_around_it_is_taken_without() -> None:
    form = import_module(FLOWS["process-pending-returns"]).Parameters(process_ids=[" retp_1\n"])
    assert form.process_ids == ["retp_1"]


def refused(flow: str, **values: Any) -> dict[str, list[str]]:
    """What Prefect's form says of each field once it is submitted."""
    found = validate({"parameters": values}, schema(flow), preprocess=True)
    said = build_error_obj(found)["errors"]
    return {field["property"]: field["errors"] for whole in said for field in whole["errors"]}


ACT = {"mode": "act", "by": "olga"}


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({}, {"hold_id", "version"}),
        (HOLD, set()),
        (HOLD | {"hold_id": ""}, {"hold_id"}),
        (HOLD | {"mode": "act"}, {"answer", "by"}),
        (HOLD | {"mode": "act", "answer": "", "by": ""}, {"answer", "by"}),
        (HOLD | ACT | {"by": "  ", "answer": "approve"}, {"by"}),
        *((HOLD | ACT | {"answer": word}, set()) for word in Answer if word.goes_on),
        (HOLD | ACT | {"answer": "pay"}, {"answer"}),
        (HOLD | ACT | {"answer": "drop"}, {"reason"}),
        (HOLD | ACT | {"answer": "drop", "reason": " "}, {"reason"}),
        (HOLD | ACT | {"answer": "drop", "reason": "goodwill"}, set()),
        (HOLD | ACT | {"answer": "done_by_hand", "reason": "x"}, {"reference"}),
        (HOLD | ACT | {"answer": "done_by_hand", "reference": "bank 7", "amount": 3, "units": ["retl_1:1"]}, set()),
        (HOLD | ACT | {"answer": "approve", "amount": 3, "units": ["retl_1:1"]}, {"amount", "units"}),
        (HOLD | ACT | {"answer": "approve", "amount": None, "units": []}, set()),
    ],
)
def test_the_form_of_an_answer_is_refused_at_once_at_the_fields_that_the_answer_needs(
    values: dict[str, Any], fields: set[str]
) -> None:
    assert set(refused("answer-hold", **values)) == fields
    form = import_module(FLOWS["answer-hold"]).Parameters
    if fields:
        with pytest.raises(ValueError, match=r".+"):
            form.model_validate(values)
    else:
        form.model_validate(values)


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({}, {"cause"}),
        ({"cause": "guard"}, set()),
        ({"holds": ["h:1"]}, set()),
        ({"holds": ["h:1"], "cause": "guard"}, {"cause"}),
        ({"cause": "guard", "mode": "act"}, {"answer", "by", "listed"}),
        ({"cause": "guard", "listed": "2-abc", "answer": "drop"} | ACT, {"reason"}),
        ({"cause": "guard", "listed": "2-abc", "answer": "approve"} | ACT, set()),
        ({"holds": ["h:1"], "answer": "approve"} | ACT, set()),
    ],
)
def test_the_form_of_one_answer_to_many_too(values: dict[str, Any], fields: set[str]) -> None:
    assert set(refused("answer-holds", **values)) == fields
    form = import_module(FLOWS["answer-holds"]).Parameters
    if fields:
        with pytest.raises(ValueError, match=r".+"):
            form.model_validate(values)
    else:
        form.model_validate(values)
