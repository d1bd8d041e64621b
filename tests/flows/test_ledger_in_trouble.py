"""A full disk, a locked database, a file that may not be written: one clear sentence, and nothing unrecorded."""

import sqlite3
from contextlib import closing

import pytest

from tasks.ledger import LedgerError, check, engines
from tests.flows.conftest import Bench, Start

PATIENT = engines._PRAGMAS


@pytest.fixture
def bench(start_bench: Start) -> Bench:
    """A desk that has worked already, so that there is a ledger to get into trouble."""
    bench = start_bench()
    bench.act(max_returns="3")
    return bench


def trouble(monkeypatch: pytest.MonkeyPatch, *pragmas: str) -> None:
    """Every new connection of the ledger is in this trouble, by SQLite's own means."""
    monkeypatch.setattr(engines, "_PRAGMAS", (*PATIENT, *pragmas))


def pages(bench: Bench) -> int:
    with closing(sqlite3.connect(bench.ledger_file)) as conn:
        return int(conn.execute("PRAGMA page_count").fetchone()[0])


def recovers(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the trouble is over all goes on, and nothing was done twice or is forgotten."""
    trouble(monkeypatch)
    bench.let_pass(120)
    bench.act()
    bench.run("reconcile", mode="act")
    audit = bench.sandbox.audit()
    assert audit.violations == ()
    assert audit.forgotten(bench.explained()) == ()
    ledger = bench.ledger()
    assert ledger.read(check, now=bench.clock()).findings == ()
    ledger.close()


@pytest.mark.parametrize("room", [0, 4, 8, 20])
def test_a_full_disk(bench: Bench, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    before = len(bench.sandbox.books.effects)
    trouble(monkeypatch, f"max_page_count={pages(bench) + room}")
    with pytest.raises(LedgerError, match="the disk is full; make room, then run again"):
        bench.act()
    if room == 0:
        assert len(bench.sandbox.books.effects) == before
    assert bench.sandbox.audit().violations == ()
    recovers(bench, monkeypatch)


def test_a_locked_database(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    before = bench.sandbox.books.effects
    trouble(monkeypatch, "busy_timeout=50")
    with closing(sqlite3.connect(bench.ledger_file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="another program has locked it"):
            bench.act()
    assert bench.sandbox.books.effects == before
    recovers(bench, monkeypatch)


def test_a_file_that_may_not_be_written(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    before = bench.sandbox.books.effects
    trouble(monkeypatch, "query_only=ON")
    with pytest.raises(LedgerError, match="its file may not be written; check the permissions"):
        bench.act()
    assert bench.sandbox.books.effects == before
    recovers(bench, monkeypatch)


def test_a_file_that_is_damaged(bench: Bench) -> None:
    before = bench.sandbox.books.effects
    whole = bench.ledger_file.read_bytes()
    bench.ledger_file.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with pytest.raises(LedgerError, match=r"damaged|not a database"):
        bench.act()
    assert bench.sandbox.books.effects == before
