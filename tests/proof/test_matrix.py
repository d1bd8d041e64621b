"""A bounded part of the matrix, always the same cells: each crash and, in the slow tests, each fault and each case.

`make test` plays one fault of each kind, and those cases that are like no other.
"""

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


def alone(faults: Sequence[str]) -> list[Cell]:
    """Each crash and each of these faults."""
    return [Cell("sqlite", ALONE, crash, fault, 1) for crash, fault in paired(CRASHED, faults)]


def met(cases: Sequence[str]) -> list[Cell]:
    """Each of these cases, one crash after another."""
    crashes = [CRASHED[number % len(CRASHED)] for number in range(len(cases))]
    return [Cell("sqlite", case, crash, MIXED, 1) for case, crash in zip(cases, crashes, strict=True)]


def shared(crashes: Sequence[str]) -> list[Cell]:
    """Each of these crashes on PostgreSQL."""
    cases = ["twice", ALONE, "believed-dead", "restore"]
    return [Cell("postgres", case, crash, NONE, 1) for case, crash in paired(cases, crashes)]


FAULTS = [fault for fault in COLUMNS if fault != NONE]
ONE_OF_EACH_KIND = [
    "connection_dropped",
    "no_answer_before_acting",
    "acts_answer_lost",
    "acts_later",
    "too_many_date",
    "error_502_after",
    "cut_json",
    "page_skips",
    "stale_read",
    "unauthorized_401",
    "redirect_after",
    "clock_jumps",
    "accepted_unpaid",
]
MUCH_ALIKE = [
    "doubled-hour",
    "office-holds",
    "fifty",
    "ledger-lost",
    "two-answers",
    "own-rules",
    "shipping",
    "clock-ahead",
]
AT_THE_CALL = ["before-intent", "after-sent", "request-sent", "before-commit"]

ROWS, MORE_ROWS = alone(ONE_OF_EACH_KIND), alone(FAULTS)
PAIRS, MORE_PAIRS = met([case for case in MET if case not in MUCH_ALIKE]), met(MET)
SHARED, MORE_SHARED = shared(AT_THE_CALL), shared(CRASHED)


def parts(cells: Sequence[Cell], more: Sequence[Cell]) -> list[object]:
    """Two parts of these cells for `make test`, and two of all for the slow tests."""
    slow = [pytest.param(more[part::2], marks=pytest.mark.slow, id=f"all-{part + 1}") for part in range(2)]
    return [*(pytest.param(cells[part::2], id=str(part + 1)) for part in range(2)), *slow]


def broken(played: Sequence[Played]) -> list[str]:
    """Every broken promise, with the address of its cell."""
    return [f"{one.cell}: {words}" for one in played for words in one.verdict.words]


@pytest.mark.crash
@pytest.mark.parametrize("cells", parts(ROWS, MORE_ROWS))
def test_each_crash_and_each_fault_on_sqlite(workers: Nursery, cells: Sequence[Cell]) -> None:
    with ledgers(None, 0) as free:
        played = play_all(workers, cells, free, LANES)
    assert broken(played) == []
    assert sum(one.kills for one in played) >= len(played) // 2


@pytest.mark.crash
@pytest.mark.parametrize("cells", parts(PAIRS, MORE_PAIRS))
def test_each_case_of_the_same_time_under_mixed_faults(workers: Nursery, cells: Sequence[Cell]) -> None:
    with ledgers(None, 0) as free:
        played = play_all(workers, cells, free, LANES)
    assert broken(played) == []


@pytest.mark.crash
@pytest.mark.postgres
@pytest.mark.xdist_group("postgres")
@pytest.mark.parametrize("cells", parts(SHARED, MORE_SHARED))
def test_each_crash_on_postgresql(workers: Nursery, postgres_server: URL, cells: Sequence[Cell]) -> None:
    with ledgers(postgres_server, LANES) as free:
        played = play_all(workers, cells, free, LANES)
    assert broken(played) == []


def test_a_cell_is_named_and_found_again_by_its_name() -> None:
    for cell in (*ROWS, *MORE_ROWS, *PAIRS, *MORE_PAIRS, *SHARED, *MORE_SHARED):
        assert Cell.of(str(cell)) == cell
    with pytest.raises(ValueError, match="after-sent"):
        Cell.of("sqlite:alone:somewhere:none:1")


def test_the_bounded_part_leaves_nothing_out() -> None:
    assert {cell.crash for cell in ROWS} == {cell.crash for cell in MORE_ROWS} == set(CRASHED)
    assert {cell.fault for cell in MORE_ROWS} == set(COLUMNS) - {NONE}
    assert set(MUCH_ALIKE) < set(MET)
    assert {cell.case for cell in MORE_PAIRS} == set(MET)
    assert {cell.crash for cell in MORE_SHARED} == set(CRASHED)
