"""Whether a command could run: its program, subcommand, options, parameters, units and files are there.

Commands of other software that the project does not have (systemctl, podman) are checked by what they are given.
"""

import re
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

from typer.main import get_command

from deployments.cli.app import app
from flows.catalog import FLOWS
from flows.run import form_of, parameters_for
from tests.docs.pages import ROOT

UNITS = ROOT / "deployments" / "systemd"
INSTALLED = "/srv/rever-returns/"
"""Where the pages and the units say that the project is."""

PLACEHOLDER = re.compile(r"^[A-Z]+(:\d+)?(,|$)|\.\.\.$")
"""What a reader replaces: `HOLD`, `FILE`, `retp_...`."""

_NOT_OURS = {"cd", "export", "set", "echo", "rm", "git", "useradd", "nginx", "curl", "jq", "openssl"}
_SYSTEMCTL = {"daemon-reload", "enable", "start", "stop", "restart", "edit", "status", "--now"}


def check(words: tuple[str, ...]) -> None:
    """Raise AssertionError where a command names what there is not."""
    program, rest = words[0].removeprefix(INSTALLED).removeprefix(".venv/bin/"), words[1:]
    if program == "rever-returns":
        _ours(rest)
    elif program == "make":
        _make(rest)
    elif program == "prefect":
        _prefect(rest)
    elif program in {"python", "python3"}:
        _python(rest)
    elif program == "pip":
        _pip(rest)
    elif program == "sudo":
        assert rest[:2] == ("-iu", "rever"), "the user of the units is rever"
        check(rest[2:])
    elif program in {"systemctl", "journalctl"}:
        _systemd(program, rest)
    elif program in {"podman", "docker"}:
        _container(rest)
    elif program in {"cp", "install", "ln", "."}:
        _files(rest)
    elif "/" in program:
        assert (ROOT / program).is_file(), f"{program} is not in the project"
    else:
        assert program in _NOT_OURS, f"{program}: a program that tests/docs/known.py does not know"


def _ours(words: tuple[str, ...]) -> None:
    command, rest = _subcommand(words)
    options = {name: each for each in command.params for name in (*each.opts, *each.secondary_opts) if name[0] == "-"}
    seen, arguments = {""}, []
    while rest:
        word, equals, _ = rest.pop(0).partition("=")
        if not word.startswith("--"):
            arguments.append(word + equals + _)
        elif word != "--help":
            assert word in options, f"{word} is no option of it"
            seen.add(options[word].name)
            if not (options[word].is_flag or equals):
                assert rest, f"{word} needs a value"
                rest.pop(0)
    if command.name == "run":
        return _flow(arguments)
    needed = [each for each in command.params if each.required]
    taken = [each for each in command.params if not each.opts[0].startswith("-")]
    assert [each.name for each in needed if each not in taken and each.name not in seen] == [], "options are missing"
    assert sum(each in taken for each in needed) <= len(arguments), "arguments are missing"
    assert len(arguments) <= len(taken) or any(each.nargs == -1 for each in taken), f"too many arguments: {arguments}"
    return None


def _subcommand(words: tuple[str, ...]) -> tuple[Any, list[str]]:
    command: Any = get_command(app)
    rest = list(words)
    while rest and not rest[0].startswith("-") and (under := getattr(command, "commands", None)):
        assert rest[0] in under, f"there is no command {rest[0]}"
        command = under[rest.pop(0)]
    return command, rest


def _flow(arguments: list[str]) -> None:
    if not arguments or PLACEHOLDER.search(arguments[0]):
        return
    flow, *pairs = arguments
    assert flow in FLOWS, f"there is no flow {flow}"
    values = dict(pair.split("=", 1) for pair in pairs)
    unknown = set(values) - set(form_of(flow).model_fields)
    assert not unknown, f"{flow} has no parameter {', '.join(unknown)}"
    if values and not any(PLACEHOLDER.search(value) for value in values.values()):
        parameters_for(flow, values)


def _make(words: tuple[str, ...]) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = [word for word in words if "=" not in word]
    assert set(named) <= targets, f"the Makefile has no target {named}"
    arguments = [word.partition("=")[2].split() for word in words if word.startswith("ARGS=")]
    for each in arguments if named == ["up"] else []:
        _ours(("up", *each))


def _prefect(words: tuple[str, ...]) -> None:
    path = [word for word in words if re.fullmatch("[a-z-]+", word) and not word.startswith("-")]
    depth = 3 if path[:2] in (["server", "database"], ["server", "services"]) else 1 if path[0] == "deploy" else 2
    said = _prefect_help(tuple(path[:depth]))
    assert [word for word in words if word.startswith("-") and word.partition("=")[0] not in said] == []


@cache
def _prefect_help(command: tuple[str, ...]) -> set[str]:
    ran = subprocess.run(
        [sys.executable, "-m", "prefect", *command, "--help"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, f"prefect has no command {' '.join(command)}"
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", ran.stdout))


def _python(words: tuple[str, ...]) -> None:
    assert words[0] == "-m"
    module, rest = words[1], words[2:]
    if module == "pip":
        return _pip(rest)
    assert find_spec(module), f"there is no module {module}"
    if module == "deployments.prefect_process":
        _prefect(rest)
    if module == "compileall":
        _files(rest)
    return None


def _pip(words: tuple[str, ...]) -> None:
    assert words[0] == "install"
    for before, word in pairwise(words):
        assert before not in {"-c", "-r"} or (ROOT / word).is_file(), f"there is no file {word}"


def unit_file(name: str) -> str:
    """The file of a unit: that of its template, where an instance is named."""
    return re.sub(r"@[^.]+\.", "@.", name)


def _systemd(program: str, words: tuple[str, ...]) -> None:
    named = [word for word in words if "." in word]
    assert [name for name in named if not (UNITS / unit_file(name)).is_file()] == [], "there is no such unit"
    known = _SYSTEMCTL if program == "systemctl" else {"-u"}
    assert [word for word in words if word not in known and word not in named] == []


def _container(words: tuple[str, ...]) -> None:
    given = list(words)
    if given[0] == "build":
        assert (ROOT / given[given.index("-f") + 1]).is_file(), "there is no such Containerfile"
        return
    assert given.pop(0) == "run"
    while given[0].startswith("-"):
        option = given.pop(0)
        if option not in {"-d", "--rm"}:
            value = given.pop(0)
            assert option in {"--network", "-v", "--env-file"}, f"{option} is not known here"
            assert option != "--env-file" or value == ".env" or (ROOT / value).is_file(), f"there is no {value}"
    assert given.pop(0) == "rever-returns", "the image that the page builds"
    check(tuple(given))


def _files(words: tuple[str, ...]) -> None:
    """What is copied from the project is there; what is absolute or has a mode's form is the reader's machine's."""
    sources = [word for word in words[:-1] if re.match(r"[.\w][\w.-]*(/|$)", word) and not word.isdigit()]
    ours = [word for word in sources if word not in {"rever", "-"}]
    assert [name for name in ours if not (ROOT / name).exists() and not name.startswith(".up/")] == []
