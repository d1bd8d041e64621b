"""A proof that cannot fail proves nothing: each planted bug must be caught by the test that is named for it.

`make test` plants three that break a promise of the ledger; all are in the slow tests.
"""

import re
from pathlib import Path

import pytest

from tests.proof.planted import BUGS, FAILED, PASSED, ROOT, Bug, plant, run_tests

QUICK = {"claim", "unknown retried", "guard"}


@pytest.mark.crash
@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in BUGS]
)
def test_a_planted_bug_is_caught_by_its_test(name: str, tmp_path: Path) -> None:
    bug = BUGS[name]
    ended = run_tests(plant(bug, tmp_path), bug.test)
    assert ended.returncode == FAILED, ended.stdout + ended.stderr
    assert "1 failed" in ended.stdout
    assert f"FAILED {bug.test}" in ended.stdout


@pytest.mark.crash
@pytest.mark.slow
def test_without_a_bug_they_all_pass(tmp_path: Path) -> None:
    nothing = Bug("nothing", "", ())
    ended = run_tests(plant(nothing, tmp_path), *(bug.test for bug in BUGS.values()))
    assert ended.returncode == PASSED, ended.stdout + ended.stderr
    (passed,) = re.findall(r"(\d+) passed", ended.stdout)
    assert int(passed) >= len({bug.test for bug in BUGS.values()})  # some have several cases
    assert "skipped" not in ended.stdout


def test_each_bug_can_still_be_planted_as_it_is_written_down() -> None:
    edits = [(name, file, old) for name, bug in BUGS.items() for file, old, _ in bug.edits]
    assert [edit for edit in edits if (ROOT / edit[1]).read_text().count(edit[2]) != 1] == []


def test_the_named_tests_are_there() -> None:
    for bug in BUGS.values():
        file, _, test = bug.test.partition("::")
        assert f"def {test.partition('[')[0]}(" in (ROOT / file).read_text()
