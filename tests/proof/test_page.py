"""The page of the proof names all that is played."""

from tests.proof.cases import CASES
from tests.proof.cell import ALONE, Cell, Played
from tests.proof.crashes import CRASHES
from tests.proof.faults import COLUMNS, MIXED, NONE
from tests.proof.judge import Verdict
from tests.proof.page import SHORT, Proof, page


def test_every_crash_fault_and_case_is_named() -> None:
    cells = [Cell("sqlite", ALONE, crash, MIXED, 1) for crash in CRASHES]
    cells += [Cell("sqlite", case, "none", NONE, 1) for case in CASES]
    written = page(Proof([Played(cell, Verdict()) for cell in cells], 1.0, {"SQLite": "3"}))
    named = [crash.words for crash in CRASHES.values()] + [it.words for it in CASES.values() if it.name != ALONE]
    assert [words for words in named if f"| {words} |" not in written] == []
    assert [fault for fault in COLUMNS if f" {SHORT[fault]} |" not in written] == []
