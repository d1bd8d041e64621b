"""The schema for editors is made from the rules, and refuses what the reading of the file refuses."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.policy.policy_file import PolicyDocument, PolicyFileError, load_policy
from tasks.policy.policy_schema import policy_schema
from tasks.policy.store import Guards, StorePolicy
from tests.tasks.policy.test_policy_file import YAML, written

SCHEMA = Path(__file__).parents[3] / "docs" / "policy.schema.json"
jsonschema: Any = pytest.importorskip("jsonschema")
WRONG = (
    "defaults: {}",
    "default: {not_recieved: hold}",
    "default: {not_received: keep}",
    "default: {out_of_stock: EXCHANGE}",
    "default: {rever_pays_within_hours: 0}",
    "default: {currencies: [euro]}",
    "default: {label_carriers: [DHL]}",
    "default: {guards: {max_refund: {euro: 5}}}",
    "default: {guards: {max_refund: {EUR: -5}}}",
    'default: {guards: {max_refund: {EUR: "5,00"}}}',
    "default: {guards: {max_per_day: {EUR: 5.5}}}",
    "stores: {acme: {guards: {max_refunds_per_shopper: true}}}",
)


def test_the_file_is_in_step() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == policy_schema(), "run `make docs`"


def test_it_has_every_field_with_its_description() -> None:
    definitions = PolicyDocument.model_json_schema()["$defs"]
    for model in (StorePolicy, Guards):
        fields = definitions[model.__name__]["properties"]
        assert set(fields) == set(model.model_fields)
        assert all(field.get("description") for field in fields.values())


def test_it_takes_what_is_right() -> None:
    validator = jsonschema.Draft202012Validator(yaml.safe_load(policy_schema()))
    validator.check_schema(yaml.safe_load(policy_schema()))
    assert list(validator.iter_errors(yaml.safe_load(YAML))) == []


@pytest.mark.parametrize("wrong", WRONG)
def test_it_refuses_what_the_reader_refuses(tmp_path: Path, wrong: str) -> None:
    validator = jsonschema.Draft202012Validator(yaml.safe_load(policy_schema()))
    assert list(validator.iter_errors(yaml.safe_load(wrong)))
    with pytest.raises(PolicyFileError):
        load_policy(written(tmp_path, wrong, "policy.yaml"))
