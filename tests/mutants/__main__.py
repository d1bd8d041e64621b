"""Run mutmut over one part, in a copy of the tree, and print the score: `python -m tests.mutants [PART ...]`.

FOLDER=path keeps the copy there, and the next run with it goes on; AGAIN=yes runs only what was not noticed there.

Each part names the functions that are changed and the tests that must notice; running them together would make every
change wait for tests that have nothing to do with it. Words told to people are left alone: a sentence that reads
otherwise is no fault of money. Survivors are explained in `docs/mutants.md`.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
MUTMUT = str(Path(sys.executable).with_name("mutmut"))
COPIED = ("rever_api", "tasks", "flows", "deployments", "tests", "docs", "README.md", "pyproject.toml")
WORDS = (
    r"^\s*(why|words|names|waited|evidence) \+?= ",
    r"^\s*\w+ \+?= f?\"",
    r"^\s*paid = shown\(",
    r"^\s*(f\"|\"[^\"]* )",
    r"raise |\bHeld\(f?\"|return (f\"|\"[^\"]* )",
)
"""Lines that only make sentences, or the evidence shown beside them."""

UNCHECKED = "not checked"
NOTICED = frozenset({"killed", "timeout", "caught by type check"})

LEFT_OUT = (
    # Says of other tests that they are worth something, takes as long as all of them, and holds no rule itself.
    "tests/tasks/policy/test_properties.py::test_the_odd_returns_come_past_every_rule",
    # Reads the rules' names in the source, where mutmut has put all changes side by side.
    "tests/tasks/policy/test_decide.py::test_every_rule_that_holds_says_what_ends_it_without_a_person",
)


@dataclass(frozen=True)
class Part:
    """Files of `tasks` to change, patterns of functions within them (empty: all), and the tests that must notice."""

    files: tuple[str, ...]
    tests: tuple[str, ...]
    functions: tuple[str, ...] = ()


_MONEY = (
    "money",
    "comparison",
    "rules/payment",
    "rules/at_rever",
    "kinds/refund",
    "kinds/exchange",
    "kinds/label",
    "kinds/kind",
)
_RULES = ("case", "decide", "facts", "record", "store", "label_case", "rules/gates", "rules/label")
_LEDGER = ("claim", "send", "settle", "answers", "guards", "audit")

PARTS = {
    "money": Part(tuple(f"tasks/policy/{name}.py" for name in _MONEY), ("tests/tasks/policy",)),
    "rules": Part(tuple(f"tasks/policy/{name}.py" for name in _RULES), ("tests/tasks/policy",)),
    "ledger": Part(
        tuple(f"tasks/ledger/{name}.py" for name in _LEDGER),
        tuple(f"tests/tasks/ledger/test_{name}.py" for name in _LEDGER),
        (
            "tasks.ledger.claim.*",
            "tasks.ledger.send.x_mark_sent*",
            "tasks.ledger.send.x__send*",
            "tasks.ledger.send.x_put_back*",
            "tasks.ledger.send.x_withdraw*",
            "tasks.ledger.settle.*",
            "tasks.ledger.answers.*",
            "tasks.ledger.guards.*",
            "tasks.ledger.audit.*",
        ),
    ),
}


def main(names: list[str]) -> int:
    """Run these parts, or all; return 1 where a change was not noticed."""
    left = 0
    kept = os.environ.get("FOLDER")
    for name in names or list(PARTS):
        with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
            left += _run(name, PARTS[name], Path(kept) / name if kept else Path(folder))
    return 1 if left else 0


def _run(name: str, part: Part, folder: Path) -> int:
    """Run a part in this folder; where a run of it was cut off there, go on from there."""
    _copy(part, folder)
    states = _results(folder)
    names = _left(states) if os.environ.get("AGAIN") else _to_do(part, states)
    if states and not names and (part.functions or UNCHECKED not in states.values()):
        return _told(name, states, "")
    command = [MUTMUT, "run", "--max-children", os.environ.get("WORKERS", "2"), *names]
    seconds = float(os.environ.get("SECONDS_AT_MOST", "0")) or None
    done = ""
    # In a group of its own it can be ended with all its children, and in this session it keeps to its priority.
    with (
        (folder / "mutmut.log").open("w") as log,
        subprocess.Popen(command, cwd=folder, stdout=log, process_group=0) as running,
    ):
        try:
            running.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGTERM)
            done = f" (cut off after {seconds} s)"
        except KeyboardInterrupt:
            os.killpg(running.pid, signal.SIGTERM)
            raise
    if running.returncode and not done:
        sys.exit(f"{name}: mutmut came to no end, see {folder / 'mutmut.log'}")
    return _told(name, _results(folder), done)


def _copy(part: Part, folder: Path) -> None:
    """Copy the tree as it is now; of what was tried there before, mutmut keeps what is about unchanged functions."""
    folder.mkdir(parents=True, exist_ok=True)
    for each in COPIED:
        if (ROOT / each).is_dir():
            shutil.copytree(ROOT / each, folder / each, dirs_exist_ok=True)
        else:
            shutil.copy(ROOT / each, folder / each)
    with (folder / "pyproject.toml").open("a") as project:
        project.write(_settings(part))


def _settings(part: Part) -> str:
    settings = {
        "source_paths": ["tasks"],
        "only_mutate": list(part.files),
        "do_not_mutate_patterns": list(WORDS),
        "also_copy": ["rever_api", "flows", "deployments", "docs", "README.md"],
        "pytest_add_cli_args": [
            *("-p", "no:cacheprovider", "-p", "tests.mutants.quick", "-m", "not postgres and not prefect"),
            *("--hypothesis-seed=0", *(f"--deselect={test}" for test in LEFT_OUT)),
        ],
        "pytest_add_cli_args_test_selection": list(part.tests),
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    return "\n".join(
        ["", "[tool.mutmut]", *lines, "use_git_change_detection = false", "track_dependencies = false", ""]
    )


def _results(folder: Path) -> dict[str, str]:
    """What became of each change: its name -> killed, survived, timeout, not checked ..."""
    told = subprocess.run(
        [MUTMUT, "results", "--all", "true"], cwd=folder, capture_output=True, text=True, check=False
    ).stdout
    pairs = (line.strip().rpartition(": ") for line in told.splitlines() if ": " in line)
    return {name: state for name, _, state in pairs}


def _to_do(part: Part, results: dict[str, str]) -> list[str]:
    """What to name to mutmut: what is named it tries again, so a part of named functions goes on by what is left."""
    if not part.functions or set(results.values()) <= {UNCHECKED}:
        return list(part.functions)
    waiting = [each for each, state in results.items() if state == UNCHECKED and _within(part, each)]
    begun = {_function(each) for each, state in results.items() if state != UNCHECKED}
    whole = {f"{_function(each)}__mutmut_*" for each in waiting if _function(each) not in begun}
    return sorted(whole) + [each for each in waiting if _function(each) in begun]


def _within(part: Part, change: str) -> bool:
    return any(fnmatch(change, pattern) for pattern in part.functions)


def _function(change: str) -> str:
    return change.rpartition("__mutmut_")[0]


def _left(results: dict[str, str]) -> list[str]:
    """The changes that no test noticed."""
    return sorted(each for each, state in results.items() if state not in {*NOTICED, UNCHECKED})


def _told(name: str, results: dict[str, str], done: str) -> int:
    left, tried = _left(results), sum(state != UNCHECKED for state in results.values())
    score = 100 * (tried - len(left)) / max(tried, 1)
    print(f"{name}: {tried - len(left)} of {tried} changes noticed, {score:.1f} %{done}", flush=True)
    for each in left:
        print(f"  {results[each]}: {each}", flush=True)
    return len(left)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
