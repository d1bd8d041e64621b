"""The Containerfile: pinned, not root, no secret, all that it copies is there, and enough of it to be installed."""

import json
import re
import tomllib
from pathlib import Path

from tests.docs.known import check
from tests.docs.pages import ROOT

FILE = ROOT / "deployments" / "Containerfile"


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", FILE.read_text("utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in text.splitlines() if line.strip()]


def of(name: str) -> list[str]:
    return [rest for each, rest in instructions() if each == name]


def test_its_base_is_pinned_and_of_a_python_that_the_project_takes() -> None:
    ((image, tag),) = [rest.split(":") for rest in of("FROM")]
    assert image == "python"
    found = re.fullmatch(r"3\.(\d+)-slim-\w+", tag)
    assert found
    versions = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"]
    least, below = re.findall(r"3\.(\d+)", versions)
    assert int(least) <= int(found[1]) < int(below)


def test_it_fetches_nothing_but_what_is_pinned() -> None:
    assert of("ADD") == []
    (run,) = of("RUN")
    assert re.findall(r"-c (\S+)", run) == ["constraints.txt"]
    assert not re.search(r"curl|wget|https?:|apt", run)


def test_what_it_copies_is_there_and_is_all_that_an_installation_needs() -> None:
    copied = {name for rest in of("COPY") for name in rest.split()[:-1]}
    assert [name for name in copied if not (ROOT / name).exists()] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    needed = {"pyproject.toml", "constraints.txt", project["project"]["readme"], *project["project"]["license-files"]}
    assert copied == needed | set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])


def test_it_is_not_root_and_keeps_no_secret() -> None:
    order = [name for name, _ in instructions()]
    (user,) = of("USER")
    assert int(user) > 0
    assert order.index("RUN") < order.index("USER") < order.index("CMD")
    assert not re.search(r"KEY|SECRET|PASSWORD|AUTH|\.env", FILE.read_text("utf-8").replace("--env-file", ""))


def test_what_it_starts_could_run() -> None:
    (command,) = of("CMD")
    check(tuple(json.loads(command)))


def test_prefects_files_go_where_its_user_may_write() -> None:
    (volume,) = of("VOLUME")
    paths = re.findall(r"PREFECT_\w+=(\S+)", " ".join(of("ENV")))
    assert len(paths) == 2
    assert [path for path in paths if not Path(path).is_relative_to(volume)] == []
