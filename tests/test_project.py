"""The project's frame: pins without hosts, pages that speak the truth, commands that answer a newcomer."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from flows.catalog import FLOWS
from tasks.settings.load import variables

ROOT = Path(__file__).parent.parent
PARTS = ("rever_api", "tasks", "flows", "deployments", "tests")


def committed() -> list[Path]:
    found = [path for part in PARTS for path in (ROOT / part).rglob("*") if path.suffix in {".py", ".yaml", ".toml"}]
    top = [path for path in ROOT.iterdir() if path.is_file() and path.name not in {".env", ".coverage"}]
    return found + [path for path in top if ".coverage" not in path.name] + list((ROOT / "docs").glob("*.md"))


def names(lines: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~; ]", line)[0].lower().replace("_", "-") for line in lines}


def test_every_dependency_is_bounded_and_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    assert [line for line in wanted if "<" not in line] == []
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    assert names(wanted) - names(pins) == set()
    measured = project["optional-dependencies"]["bench"]
    more = (ROOT / "constraints-bench.txt").read_text().splitlines()
    assert [line for line in measured if "<" not in line] == []
    assert names(measured) - names(more) == set()
    assert names(more) & names(pins) == set(), "what is pinned twice may be pinned differently"
    pins += more
    assert [line for line in pins if "==" not in line] == []


def test_no_pin_names_a_host() -> None:
    for pins in ("constraints.txt", "constraints-bench.txt"):
        assert not re.search(r"://|@|--", (ROOT / pins).read_text())


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    # Put together so that this file is not found itself.
    paths = [f"{os.sep}{name}{os.sep}" for name in ("work", "root", "opt", "home")]
    assert [path for path in committed() for word in paths if word in path.read_text(errors="replace")] == []


def test_the_readme_begins_with_the_two_commands_and_names_what_is_there() -> None:
    text = (ROOT / "README.md").read_text()
    commands = re.findall(r"(?:^|`)make (\w+)", text, re.MULTILINE)
    assert commands[:2] == ["demo", "test"]
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(commands) <= targets
    assert set(re.findall(r"rever-returns run ([a-z-]+)", text)) <= set(FLOWS)
    assert set(FLOWS) <= set(re.findall(r"`([a-z-]+)`", text))
    assert set(re.findall(r"REVER_[A-Z_]+", text)) <= set(variables())
    assert [link for link in re.findall(r"\]\(([^:)]+)\)", text) if not (ROOT / link.partition("#")[0]).exists()] == []


def test_the_links_between_the_pages_lead_somewhere() -> None:
    lost = [
        (page.name, link)
        for page in (ROOT / "docs").glob("*.md")
        for link in re.findall(r"\]\(([^:)#]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / link).exists()
    ]
    assert lost == []


def test_the_way_of_a_refund_and_each_answer_are_at_most_twelve_files_that_are_there() -> None:
    text = (ROOT / "docs" / "code.md").read_text()
    way, _, rest = text.partition("## Where to look")
    files = dict.fromkeys(re.findall(r"\]\(\.\./([^)]+\.py)\)", way))
    assert 10 <= len(files) <= 12
    named = set(re.findall(r"`((?:rever_api|tasks|flows|deployments|tests)/[\w./]+)`", rest))
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
    table, _, words = rest.partition("## Twenty words")
    answers = {row: re.findall(r"[\w/]+\.py`", row) for row in table.splitlines() if row.startswith("| ")}
    assert {row.split("|")[1].strip(): len(files) for row, files in answers.items() if len(files) > 12} == {}
    assert len(re.findall(r"^\| [a-z]", words, re.MULTILINE)) == 21, "twenty words and the head of their table"


def test_the_example_of_the_settings_file_names_settings_only() -> None:
    assert set(re.findall(r"REVER_[A-Z_]+", (ROOT / ".env.example").read_text())) <= set(variables())


def test_every_test_folder_is_a_package() -> None:
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_a_python_that_is_too_old_is_told_so(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "constraints.txt").touch()
    old = tmp_path / "python3.9"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" && exit 0\nexit 1\n')
    old.chmod(0o755)
    for python, said in ((old, "Python 3.9.2 does not fit"), (tmp_path / "none", "was not found")):
        done = subprocess.run(
            ["make", "venv", f"PYTHON={python}"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode != 0
        assert said in done.stderr
        assert not (tmp_path / ".venv").exists()


@pytest.mark.prefect
def test_tests_marked_prefect_go_to_the_worker_with_their_server(request: pytest.FixtureRequest) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        assert request.node.nodeid.endswith("@prefect others")
    assert request.node.get_closest_marker("xdist_group").args == ("prefect others",)


def test_the_command_is_installed() -> None:
    command = Path(sys.executable).with_name("rever-returns")
    assert subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout.strip()
