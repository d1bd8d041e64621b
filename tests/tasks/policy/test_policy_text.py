"""YAML that can be read in one way only: strict values, lines, and a problem for all else."""

import json
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.policy.policy_text import read_toml, read_yaml, shown


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("null", None),
        ("12", 12),
        ("-4", -4),
        ('"no"', "no"),
        ("'24.50'", "24.50"),
        ("2026-12-01", "2026-12-01"),
        ("123-ABC", "123-ABC"),
        ("1,000", "1,000"),
        ("[NOK, 'NO']", ["NOK", "NO"]),
        ("|\n  no\n", "no\n"),
    ],
)
def test_values_are_what_they_look_like(written: str, value: object) -> None:
    text = read_yaml(f"a: {written}")
    assert (text.values, text.problems) == ({"a": value}, ())


@pytest.mark.parametrize("word", ["yes", "No", "ON", "off", "y", "N", "True", "FALSE", "~", "Null"])
def test_a_word_that_some_read_otherwise_is_refused(word: str) -> None:
    (problem,) = read_yaml(f"a:\n- b\n- {word}\n").problems
    assert (problem.at, problem.line) == (("a", 1), 3)
    assert f'"{word}" for the text' in problem.words


@pytest.mark.parametrize(
    "number",
    ["24.5", "1_000", "007", "0x1F", "0o17", "1e3", "1.5e3", ".5", "5.", "+4", "14:30", ".inf", "-.INF", ".nan"],
)
def test_a_number_that_is_no_plain_whole_one_is_refused(number: str) -> None:
    (problem,) = read_yaml(f"a: {number}").problems
    assert f"a is {number} without quotes" in problem.words
    assert f'"{number}"' in problem.words


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "a is given twice, first in line 1"),
        ("a: &x [1]\nb: *x\n", 2, "b is an alias"),
        ("a: &x [*x]\n", 1, "a[1] is an alias"),
        ("a: !!int '3'\n", 1, "has the tag"),
        ("a: !!python/object:os.system {}\n", 1, "has the tag"),
        ("? [a]\n: 1\n", 1, "no plain word"),
        ("a: 1\n---\nb: 2\n", 2, "not YAML"),
        ("a:\n\tb: 1\n", 2, "not with tabs"),
        ("b: 0\na: [1\n", 2, "not YAML"),
        ("a: \x00\n", None, "not YAML"),
    ],
)
def test_what_cannot_be_read_in_one_way_is_a_problem(text: str, line: int | None, says: str) -> None:
    (problem,) = read_yaml(text).problems
    assert problem.line == line
    assert says in problem.words


TOML = """\
# a comment, [no.table]
default.not_received = "hold"

[default.guards]
max_refund = { EUR = 5, "S=K" = 6 }  # [x]

[[default.rules]]
name = "a = [b]"
when.any = [
  { sku = { is = "A" } },

  { sku = { is = '''
B] = \\
''' } },
]
[default.rules.then.fee]
amount = '6.00 EUR'

[[ default . rules ]]
name = "second"
[default.rules.then]
keep_item = {}
[stores."a.b"]
out_of_stock = "hold"
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_toml_too_tells_the_line_in_which_a_statement_begins(newline: str) -> None:
    found = read_toml(TOML.replace("\n", newline))
    assert found.problems == ()
    expected = {
        ("default",): 2,
        ("default", "not_received"): 2,
        ("default", "guards"): 4,
        ("default", "guards", "max_refund", "S=K"): 5,
        ("default", "rules", 0): 7,
        ("default", "rules", 0, "name"): 8,
        ("default", "rules", 0, "when", "any", 1, "sku", "is"): 9,
        ("default", "rules", 0, "then"): 16,
        ("default", "rules", 0, "then", "fee", "amount"): 17,
        ("default", "rules", 1): 19,
        ("default", "rules", 1, "then", "keep_item"): 22,
        ("stores", "a.b"): 23,
        ("stores", "a.b", "out_of_stock"): 24,
        ("stores", "a.b", "gone", "deep"): 23,
    }
    assert {place: found.line(place) for place in expected} == expected


def test_long_lists_in_toml_take_no_time() -> None:
    skus = "\n".join(f'  "SKU-{n}",' for n in range(20_000))
    nested = "\n".join(f'  ["SKU-{n}"],' for n in range(20_000))
    begun = process_time()
    assert read_toml(f"a = [\n{skus}\n]\nb = 1\n").line(("b",)) == 20_003
    assert read_toml(f"a = [\n{nested}\n]\nb = 1\n").line(("b",)) is None
    assert process_time() - begun < 10


WORDS = st.text("ab\"'[]=#{}\\ \n", max_size=6)
VALUES = st.recursive(
    st.integers(0, 9) | st.booleans() | WORDS,
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(WORDS, parts, max_size=3),
    max_leaves=6,
)
TABLES = st.dictionaries(WORDS, VALUES | st.lists(st.dictionaries(WORDS, VALUES, max_size=2), min_size=1), max_size=4)


def as_toml(value: object, *, several_lines: bool) -> str:
    """A value as TOML has it; JSON's strings are TOML's."""
    if isinstance(value, dict):
        fields = (f"{json.dumps(name)} = {as_toml(it, several_lines=False)}" for name, it in value.items())
        return f"{{{', '.join(fields)}}}"
    if isinstance(value, list):
        between = ",\n" if several_lines else ", "
        return "[" + between.join(as_toml(it, several_lines=several_lines) for it in value) + "]"
    return json.dumps(value)


@given(TABLES, st.booleans())
def test_every_place_of_any_toml_has_the_line_of_its_statement(tables: dict[str, Any], several_lines: bool) -> None:
    statements: list[tuple[tuple[str | int, ...], str]] = []
    for name, value in tables.items():
        head = json.dumps(name)
        rows = value if isinstance(value, list) and value and all(isinstance(it, dict) for it in value) else [value]
        for number, row in enumerate(rows):
            place: tuple[str | int, ...] = (name, number) if rows is value else (name,)
            fields = row if isinstance(row, dict) else {"it": row}
            statements.append((place, f"[[{head}]]" if rows is value else f"[{head}]"))
            statements += [
                ((*place, field), f"{json.dumps(field)} = {as_toml(it, several_lines=several_lines)}")
                for field, it in fields.items()
            ]
    text, expected = "", {}
    for place, statement in statements:
        expected[place] = text.count("\n") + 1
        text += f"{statement}\n"
    found = read_toml(text)
    assert found.problems == ()
    assert {place: found.line(place) for place in expected} == expected


def test_depth_is_bounded() -> None:
    assert "nested too deep" in read_yaml("[" * 5000).problems[0].words
    assert "nested too deep" in read_yaml("a: " + "[" * 50 + "]" * 50).problems[0].words
    assert "nested too deep" in read_toml("a = " + "[" * 5000).problems[0].words


def test_a_place_is_shown_with_items_from_one_and_odd_names_in_quotes() -> None:
    assert shown(("stores", "a b", "rules", 0, "when")) == 'stores."a b".rules[1].when'
    assert shown(()) == "the file"


@given(st.text(max_size=80))
def test_any_text_is_read_or_has_a_problem(text: str) -> None:
    found = read_yaml(text)
    assert isinstance(found.values, dict)
    assert all(problem.words.endswith(".") for problem in found.problems)
