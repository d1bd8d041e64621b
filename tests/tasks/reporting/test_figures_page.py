"""The page of the figures is the one that the code writes."""

from pathlib import Path

from tasks.reporting.figures_page import figures_page

PAGE = Path(__file__).parents[3] / "docs" / "reports.md"


def test_the_page_is_that_of_the_code() -> None:
    assert PAGE.read_text(encoding="utf-8") == figures_page(), "run `make docs`"
