"""Rows of text as aligned lines."""

from deployments.console.columns import columns


def test_columns_line_up_without_spaces_at_the_end() -> None:
    assert columns([("store", "paid"), ("a", "1,000.00")], left=1) == ["store       paid", "a       1,000.00"]
    assert columns([("a", "b"), ("aa", "")], left=2) == ["a    b", "aa"]
