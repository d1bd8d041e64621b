"""The page of conditions: in step with the fields, and its examples are read as they stand."""

from pathlib import Path

import yaml

from tasks.policy.condition_fields import FIELDS
from tasks.policy.condition_reader import ConditionReader
from tasks.policy.conditions import OPERATORS
from tasks.policy.conditions_page import conditions_page
from tasks.policy.policy_text import read_yaml
from tests.docs.pages import blocks

PAGE = Path(__file__).parents[3] / "docs" / "conditions.md"


def test_the_page_is_in_step() -> None:
    assert PAGE.read_text(encoding="utf-8") == conditions_page(), "run `make docs`"


def test_it_names_every_field_and_operator() -> None:
    page = conditions_page()
    assert [name for name in FIELDS if f"| `{name}` |" not in page] == []
    assert [it for fit in OPERATORS.values() for it in fit if f"`{it}`" not in page] == []


def test_its_examples_are_conditions() -> None:
    for _, text in blocks(PAGE, "yaml"):
        read, reader = read_yaml(text), ConditionReader()
        reader.condition(read.values["when"], ("when",))
        assert (*read.problems, *reader.problems) == ()
        assert yaml.safe_load(text)
