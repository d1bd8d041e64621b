"""Every link of every page leads to a file, and to a heading, that is there."""

from pathlib import Path

import pytest

from tests.docs.pages import PAGES, READERS, ROOT, anchors, links


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=lambda page: page.name)
def test_its_links_lead_somewhere(page: Path) -> None:
    lost = []
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


def test_each_reader_has_a_page_of_at_most_two_sheets_that_the_readme_names() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert [page.name for page in READERS if f"](docs/{page.name})" not in readme] == []
    assert {page.name: n for page in READERS if not 60 <= (n := len(page.read_text("utf-8").splitlines())) <= 130} == {}
    assert len(readme.splitlines()) <= 130


def test_every_page_is_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        named = [(page.parent / link.partition("#")[0]).resolve() for link in links(page)]
        waiting += [each for each in named if each.suffix == ".md" and each not in reached]
    assert {page.name for page in PAGES} - {page.name for page in reached} == set()
