"""The bounded part of the matrix: each crash, fault and same-time case at least once, always the same cells."""

from collections.abc import Sequence

import pytest
from sqlalchemy import URL

from tests.proof.cases import CASES
from tests.proof.crashes import CRASHES
from tests.proof.faults import COLUMNS, MIXED, NONE
from tests.proof.matrix import ALONE, Cell, Played, ledgers, play_all
from tests.proof.workers import Nursery

LANES = 3
CRASHED = [name for name in CRASHES if name != "none"]
MET = [name for name in CASES if name != ALONE]


def paired(left: Sequence[str], right: Sequence[str]) -> list[tuple[str, str]]:
    """Each of both at least once."""
    return [(left[n % len(left)], right[n % len(right)]) for n in range(max(len(left), len(right)))]


ROWS = [Cell("sqlite", ALONE, crash, fault, 1) for crash, fault in paired(CRASHED, [c for c in COLUMNS if c != NONE])]
PAIRS = [Cell("sqlite", case, crash, MIXED, 1) for case, crash in paired(MET, CRASHED)]
SHARED = [
    Cell("postgres", case, crash, NONE, 1)
    for case, crash in paired(["twice", ALONE, "believed-dead", "restore"], CRASHED)
]


def broken(played: Sequence[Played]) -> list[str]:
    """Every broken promise, with the address of its cell."""
    return [f"{one.cell}: {words}" for one in played for words in one.verdict.words]


@pytest.mark.crash
@pytest.mark.parametrize("part", range(3))
def test_each_crash_and_each_fault_on_sqlite(workers: Nursery, part: int) -> None:
    with ledgers(None, 0) as free:
        played = play_all(workers, ROWS[part::3], free, LANES)
    assert broken(played) == []
    assert sum(one.kills for one in played) >= len(played) // 2


@pytest.mark.crash
def test_each_case_of_the_same_time_under_mixed_faults(workers: Nursery) -> None:
    with ledgers(None, 0) as free:
        played = play_all(workers, PAIRS, free, LANES)
    assert broken(played) == []


@pytest.mark.crash
@pytest.mark.postgres
@pytest.mark.xdist_group("postgres")
def test_each_crash_on_postgresql(workers: Nursery, postgres_server: URL) -> None:
    with ledgers(postgres_server, LANES) as free:
        played = play_all(workers, SHARED, free, LANES)
    assert broken(played) == []


def test_a_cell_is_named_and_found_again_by_its_name() -> None:
    for cell in (*ROWS, *PAIRS, *SHARED):
        assert Cell.of(str(cell)) == cell
    with pytest.raises(ValueError, match="after-sent"):
        Cell.of("sqlite:alone:somewhere:none:1")


def test_the_bounded_part_leaves_nothing_out() -> None:
    assert {cell.crash for cell in ROWS} == set(CRASHED)
    assert {cell.fault for cell in ROWS} == set(COLUMNS) - {NONE}
    assert {cell.case for cell in PAIRS} == set(MET)
    assert {cell.crash for cell in SHARED} == set(CRASHED)
