"""The page of the proof names all that is played, and takes what an earlier run of the model has printed."""

import argparse
from pathlib import Path

import pytest

from tests.judge import Verdict
from tests.proof.__main__ import BROKEN, said_before
from tests.proof.cases import CASES
from tests.proof.crashes import CRASHES
from tests.proof.faults import COLUMNS, MIXED, NONE
from tests.proof.matrix import ALONE, Cell, Played
from tests.proof.page import SHORT, Proof, page


def test_every_crash_fault_and_case_is_named() -> None:
    cells = [Cell("sqlite", ALONE, crash, MIXED, 1) for crash in CRASHES]
    cells += [Cell("sqlite", case, "none", NONE, 1) for case in CASES]
    written = page(Proof([Played(cell, Verdict()) for cell in cells], 1.0, {"SQLite": "3"}))
    named = [crash.words for crash in CRASHES.values()] + [it.words for it in CASES.values() if it.name != ALONE]
    assert [words for words in named if f"| {words} |" not in written] == []
    assert [fault for fault in COLUMNS if f" {SHORT[fault]} |" not in written] == []


def test_the_page_says_of_which_code_it_is() -> None:
    assert "Played of commit 445a5cbdc4d5 in 2 minutes" in page(Proof([], 120.0, {}, {}, "commit 445a5cbdc4d5"))


# What the page takes from a run of the model that was made apart.


END = "of commit 445a5cbdc4d5, 2026-11-25 17:37 UTC, seeds 1 to 9, 60 s\nexamples 9, steps 390, returns 225"


def test_its_end_with_its_own_commit_and_time_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "model.txt"
    file.write_text(f"something before\n{END}\n")
    title, words = said_before(str(file))
    assert ("run apart" in title, "model.txt" in title) == (True, True)
    assert words == END


def test_a_broken_run_is_told_as_broken(tmp_path: Path) -> None:
    file = tmp_path / "model.txt"
    file.write_text(f"BROKEN in safety, seed 9\nAssertionError\n{END}\n")
    assert said_before(str(file))[1].startswith(f"{BROKEN}\nof commit")


@pytest.mark.parametrize("text", ["", "examples 9, steps 390", None])
def test_what_is_no_end_of_a_run_is_refused(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "model.txt"
    if text is not None:
        file.write_text(text)
    with pytest.raises(argparse.ArgumentTypeError, match=r"model\.txt"):
        said_before(str(file))
