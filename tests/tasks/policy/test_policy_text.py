"""YAML that can be read in one way only: strict values, lines, and a problem for all else."""

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
        ("a: [1\n", 2, "not YAML"),
        ("a: \x00\n", None, "not YAML"),
    ],
)
def test_what_cannot_be_read_in_one_way_is_a_problem(text: str, line: int | None, says: str) -> None:
    (problem,) = read_yaml(text).problems
    assert problem.line == line
    assert says in problem.words


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
