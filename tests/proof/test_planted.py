"""A proof that cannot fail proves nothing: each planted bug must be caught by the test that is named for it."""

from pathlib import Path

import pytest

from tests.proof.planted import BUGS, FAILED, ROOT, plant, run_test


@pytest.mark.crash
@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_caught_by_its_test(name: str, tmp_path: Path) -> None:
    bug = BUGS[name]
    ended = run_test(plant(bug, tmp_path), bug.test)
    assert ended.returncode == FAILED, ended.stdout + ended.stderr
    assert "1 failed" in ended.stdout
    assert f"FAILED {bug.test}" in ended.stdout


def test_the_named_tests_are_there() -> None:
    for bug in BUGS.values():
        file, _, test = bug.test.partition("::")
        assert f"def {test.partition('[')[0]}(" in (ROOT / file).read_text()
