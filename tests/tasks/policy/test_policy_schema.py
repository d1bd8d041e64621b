"""The schema for editors is made from the rules, and refuses what the reading of the file refuses."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.policy.merchant_rules import MerchantRule, read_rules, rule_as_data
from tasks.policy.policy_file import PolicyDocument, PolicyFileError, read_policy
from tasks.policy.policy_schema import policy_schema
from tasks.policy.policy_text import read_yaml
from tasks.policy.store import Guards, StorePolicy
from tests.tasks.policy.test_merchant_rules import ONE as RULES_OF_PARTS
from tests.tasks.policy.test_merchant_rules import RULES, WRONG_RULES
from tests.tasks.policy.test_policy_file import YAML, written

SCHEMA = Path(__file__).parents[3] / "docs" / "policy.schema.json"
jsonschema: Any = pytest.importorskip("jsonschema")
VALIDATOR = jsonschema.Draft202012Validator(yaml.safe_load(policy_schema()))
NOT_BY_THE_SCHEMA = (
    "right would be a date",
    "is 2026-02-02, before the rule begins on 2026-02-03",
    "no list has that name",
)
"""What is wrong with rules that a schema has no words for."""

NOT_BY_THE_SCHEMA_AT_ALL = (
    "right would be a date",
    "before the rule begins",
    "no list has that name",
    "has coins for",
    "no more than `at_most`",
    "one line of words",
    "without an e-mail",
)
"""The same, of any rule."""
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
    "default: {rules: {name: a}}",
    "default: {lists: [A]}",
    "default: {lists: {ours: []}}",
    "default: {lists: {ours: [5]}}",
)


def test_the_file_is_in_step() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == policy_schema(), "run `make docs`"


def test_it_has_every_field_with_its_description() -> None:
    definitions = PolicyDocument.model_json_schema()["$defs"]
    for model in (StorePolicy, Guards):
        fields = definitions[model.__name__]["properties"]
        assert set(fields) == set(model.model_fields)
        assert all(field.get("description") for field in fields.values())


def refused(text: str) -> bool:
    """Whether the schema refuses the values of a policy file."""
    return not VALIDATOR.is_valid(read_yaml(text).values)


def test_it_takes_what_is_right() -> None:
    VALIDATOR.check_schema(yaml.safe_load(policy_schema()))
    assert not refused(YAML)
    assert not refused(RULES_OF_PARTS)


@pytest.mark.parametrize("wrong", WRONG)
def test_it_refuses_what_the_reader_refuses(tmp_path: Path, wrong: str) -> None:
    assert refused(wrong)
    with pytest.raises(PolicyFileError):
        read_policy(written(tmp_path, wrong, "policy.yaml"))


@pytest.mark.parametrize("rule", [rule for rule, says in WRONG_RULES if not says.startswith(NOT_BY_THE_SCHEMA)])
def test_it_refuses_the_rules_that_the_reader_refuses(rule: str) -> None:
    assert refused(f"default:\n  rules:\n  - {rule}\n")
    assert refused(f"stores:\n  acme:\n    rules:\n    - {rule}\n")


def test_what_it_cannot_refuse_is_that_alone() -> None:
    passed = [says for rule, says in WRONG_RULES if not refused(f"default: {{rules: [{rule}]}}")]
    assert sorted(passed) == sorted(NOT_BY_THE_SCHEMA)


@given(RULES)
def test_it_takes_every_rule_that_can_be_written(rule: MerchantRule) -> None:
    errors = list(VALIDATOR.iter_errors({"default": {"rules": [rule_as_data(rule)]}}))
    assert [error.message for error in errors] == []


OTHER_VALUES = st.one_of(
    st.sampled_from([None, True, 0, -1, 3, 10**7, [], ["A"], [5], {}]),
    st.sampled_from(["", "A", "EUR", "5 %", "5", "6.00 EUR", "6.00 eur", "2026-12-01", "GIFT_CARD"]),
    st.sampled_from([{"is": "A"}, {"is": True}, {"at": "start"}, {"sku": {"is": "A"}}, {"held": {"is": True}}]),
)
NAMES = st.sampled_from(
    ["name", "when", "then", "is", "over", "any_case", "within_days", "sku", "held", "fee", "no_fee"]
)


@st.composite
def spoilt(draw: st.DrawFn) -> dict[str, Any]:
    """A rule as the file has it, with one value exchanged, added or left out anywhere in it."""
    data = copy.deepcopy(rule_as_data(draw(RULES)))
    inside: list[Any] = [data]
    for part in inside:
        values = part.values() if isinstance(part, dict) else part
        inside += [it for it in values if isinstance(it, dict | list)]
    part = draw(st.sampled_from(inside))
    if isinstance(part, list):
        part[draw(st.integers(0, len(part) - 1)) if part else 0 :] = [draw(OTHER_VALUES)]
    elif draw(st.booleans()) and part:
        name = draw(st.sampled_from(sorted(part)))
        if draw(st.booleans()):
            del part[name]
        else:
            part[name] = draw(OTHER_VALUES)
    else:
        part[draw(NAMES)] = draw(OTHER_VALUES)
    return data


@given(spoilt())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_it_and_the_reader_say_the_same_of_a_rule_that_was_spoilt(rule: dict[str, Any]) -> None:
    problems = [problem.words for problem in read_rules([rule], {}, ()).problems]
    if VALIDATOR.is_valid({"default": {"rules": [rule]}}):
        assert [words for words in problems if not any(says in words for says in NOT_BY_THE_SCHEMA_AT_ALL)] == []
    else:
        assert problems
