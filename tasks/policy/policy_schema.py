"""The JSON Schema of the policy file, by which editors complete and check it: `docs/policy.schema.json`.

The part about the merchant's rules is made from `FIELDS`, `OPERATORS` and `ACTIONS`, which the reader goes by too. What
a schema cannot say the reading of the file refuses: what a YAML writer meant by `no`, that a list has the name that
`in_list` asks for, that a day is in the calendar or an end after its beginning, that two rules have two names.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from itertools import combinations
from types import MappingProxyType
from typing import Any

from pydantic.json_schema import models_json_schema

from tasks.policy.actions import ACTIONS, OF_RETURN
from tasks.policy.condition_fields import FIELDS, Field, FieldKind
from tasks.policy.condition_reader import DAY, LARGEST_WHOLE, MONEY, PERCENT, SEVERAL
from tasks.policy.conditions import OF_PARTS, OPERATORS, Operator
from tasks.policy.merchant_rules import LONGEST_NAME, MOST_RULES, AppliesTo, IfUnknown
from tasks.policy.policy_file import PolicyDocument
from tasks.policy.store import StorePolicy

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string", "minLength": 1}
_DAY: Schema = {"type": "string", "pattern": f"^{DAY.pattern}$"}
_WHOLE: Schema = {"type": "integer", "minimum": 0, "maximum": LARGEST_WHOLE}
_OPTIONS = frozenset({"any_case", "within_days"})
_VALUES: Mapping[FieldKind, Schema] = MappingProxyType(
    {
        FieldKind.TEXT: _TEXT,
        FieldKind.TEXTS: _TEXT,
        FieldKind.FLAG: {"type": "boolean"},
        FieldKind.NUMBER: _WHOLE,
        FieldKind.MONEY: {"type": "string", "pattern": f"^{MONEY.pattern}$"},
        FieldKind.PERCENT: {"type": "string", "pattern": f"^{PERCENT.pattern}$"},
        FieldKind.DAY: _DAY,
    }
)


def policy_schema() -> str:
    """The schema as the text of its file."""
    schema = PolicyDocument.model_json_schema(mode="validation")
    part = schema["$defs"][StorePolicy.__name__]
    part["properties"] |= {"lists": {"$ref": "#/$defs/Lists"}, "rules": {"$ref": "#/$defs/Rules"}}
    schema["$defs"] |= rules_definitions()
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "The policy file of rever-returns"}
    return json.dumps({**head, **{name: value for name, value in schema.items() if name != "title"}}, indent=2) + "\n"


def rules_definitions() -> dict[str, Schema]:
    """The definitions of rules, to stand under `$defs`: `Rules` and `Lists` are those of a part of the file."""
    return {
        "Rules": {
            "type": "array",
            "maxItems": MOST_RULES,
            "items": _ref("Rule"),
            "description": "The merchant's own rules, in their order; of a kind of action the first that matches wins.",
        },
        "Lists": {
            "type": "object",
            "additionalProperties": {"type": "array", "minItems": 1, "items": _TEXT},
            "description": "Lists of texts, by their names, for `in_list`.",
        },
        "Rule": _rule(),
        "Condition": _condition("Condition", lines=True),
        "LineCondition": _condition("LineCondition", lines=False),
        "AsksOfALine": _asks_of_a_line(),
        **_checks(),
        **_actions(),
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _one_of_required(names: Iterable[str]) -> list[Schema]:
    return [{"required": [name]} for name in names]


def _rule() -> Schema:
    """A rule. An action of the whole return does not go with a condition about single lines."""
    of_return = [name for name, (_, kind) in ACTIONS.items() if kind in OF_RETURN]
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "then"],
        "properties": {
            "name": {
                "type": "string",
                "maxLength": LONGEST_NAME,
                "pattern": r"\S",
                "description": "What it is called wherever it decides. No other rule has the name.",
            },
            "when": {
                **_ref("Condition"),
                "description": "Under which condition it acts; always, where it is left out.",
            },
            "then": _ref("Then"),
            "applies_to": {
                "enum": [str(word) for word in AppliesTo],
                "description": "What from and until are asked of: new the day the return began, all today.",
            },
            "from": {**_DAY, "description": "The first day, in the store's zone."},
            "until": {**_DAY, "description": "The last day, in the store's zone."},
            "if_unknown": {
                "enum": [str(word) for word in IfUnknown],
                "description": "What a missing fact means: the return is held, or the rule matches, or does not.",
            },
        },
        "dependentRequired": {"from": ["applies_to"], "until": ["applies_to"]},
        "dependentSchemas": {"applies_to": {"anyOf": _one_of_required(["from", "until"])}},
        "if": {"required": ["when"], "properties": {"when": _ref("AsksOfALine")}},
        "then": {"properties": {"then": {"not": {"anyOf": _one_of_required(of_return)}}}},
    }


def _condition(name: str, *, lines: bool) -> Schema:
    """A condition; within `some_line` and `every_line` (`lines` false) neither may stand again."""
    several = {"type": "array", "minItems": 1, "items": _ref(name)}
    joins: dict[str, Schema] = {
        "all": {**several, "description": "True where every one is."},
        "any": {**several, "description": "True where one is."},
        "not": {**_ref(name), "description": "True where it is false."},
    }
    if lines:
        part = {"allOf": [_ref("LineCondition"), _ref("AsksOfALine")]}
        joins["some_line"] = {**part, "description": "True where it is of one line of the return."}
        joins["every_line"] = {**part, "description": "True where it is of each line of the return."}
    checks = {
        field.name: {"description": f"{field.about[0].upper()}{field.about[1:]}.", **_ref(_checks_of(field))}
        for field in FIELDS.values()
    }
    return {"type": "object", "additionalProperties": False, "minProperties": 1, "properties": {**joins, **checks}}


def _asks_of_a_line() -> Schema:
    """A field of a line stands in it, outside of `some_line` and `every_line`."""
    here = _ref("AsksOfALine")
    joins = {"all": {"contains": here}, "any": {"contains": here}, "not": here}
    return {
        "anyOf": [
            *_one_of_required(field.name for field in FIELDS.values() if field.read_line is not None),
            *({"required": [name], "properties": {name: part}} for name, part in joins.items()),
        ]
    }


def _checks() -> dict[str, Schema]:
    """The operators of each sort of field; those that differ in nothing but the name share one definition."""
    return {_checks_of(field): _check(field) for field in FIELDS.values()}


def _checks_of(field: Field) -> str:
    own = field.personal or field.words
    return f"{field.name if own else field.kind.name.lower()}_check{'_in_days' if field.counts else ''}"


def _check(field: Field) -> Schema:
    """One or more operators of a field, joined by all, each with its value."""
    operators = [Operator.IN_LIST] if field.personal else OPERATORS[field.kind]
    value = {"enum": sorted(field.words)} if field.words else _VALUES[field.kind]
    wanted: dict[str, Schema] = {str(operator): _wanted(operator, value) for operator in operators}
    if field.kind in {FieldKind.TEXT, FieldKind.TEXTS}:
        wanted["any_case"] = {"type": "boolean", "description": "Compare without regard to capitals."}
    if field.counts:
        wanted["within_days"] = {**_WHOLE, "description": "Count only those that began at most so many days ago."}
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": wanted,
        "anyOf": _one_of_required(name for name in wanted if name not in _OPTIONS),
    }


def _wanted(operator: Operator, value: Schema) -> Schema:
    if operator in SEVERAL:
        return {"type": "array", "minItems": 1, "items": value}
    if operator is Operator.IN_LIST:
        return {**_TEXT, "description": "The name of one of `lists`."}
    return _TEXT if operator in OF_PARTS else value


def _actions() -> dict[str, Schema]:
    """`Then`, and the models of the actions with what they refer to."""
    models = {model.__name__: (name, kind) for name, (model, kind) in ACTIONS.items()}
    _, schema = models_json_schema(
        [(model, "validation") for model, _ in ACTIONS.values()], ref_template="#/$defs/{model}"
    )
    alike = [
        [one, other] for (one, kind), (other, other_kind) in combinations(models.values(), 2) if kind is other_kind
    ]
    then: Schema = {
        "type": "object",
        "description": "One or more actions, each of another kind.",
        "additionalProperties": False,
        "minProperties": 1,
        "properties": {name: _ref(model) for model, (name, _) in models.items()},
        "allOf": [{"not": {"required": pair}} for pair in alike],
    }
    return {"Then": then, **schema["$defs"]}


if __name__ == "__main__":
    sys.stdout.write(policy_schema())
