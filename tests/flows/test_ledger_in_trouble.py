"""A full disk, a locked database, a file that may not be written: one clear sentence, and nothing unrecorded."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from random import Random
from types import SimpleNamespace

import pytest
from sqlalchemy.exc import OperationalError

from tasks.database import engines
from tasks.database.engines import Where, sentence
from tasks.ledger import LedgerError, check, history, open_holds, open_intents, unfinished
from tests.world import Start, World

PATIENT = engines._PRAGMAS


@pytest.fixture
def world(start_world: Start) -> World:
    """A desk that has worked already, so that there is a ledger to get into trouble."""
    world = start_world(returns=34)
    world.act(max_returns="3")
    return world


@pytest.fixture
def small(start_world: Start) -> World:
    """The same with few returns of one store, for the many ways in which a value can be damaged."""
    world = start_world(returns=16)
    world.act(max_returns="3", stores="acme")
    return world


def trouble(monkeypatch: pytest.MonkeyPatch, *pragmas: str) -> None:
    """Every new connection of the ledger is in this trouble, by SQLite's own means."""
    monkeypatch.setattr(engines, "_PRAGMAS", (*PATIENT, *pragmas))


def pages(world: World) -> int:
    with closing(sqlite3.connect(world.ledger_file)) as conn:
        return int(conn.execute("PRAGMA page_count").fetchone()[0])


def recovers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the trouble is over all goes on, and nothing was done twice or is forgotten."""
    trouble(monkeypatch)
    world.let_pass(120)
    world.act()
    world.run("reconcile", mode="act")
    audit = world.sandbox.audit()
    assert audit.violations == ()
    assert audit.forgotten(world.explained()) == ()
    assert world.read(check, now=world.clock()).findings == ()


@pytest.mark.parametrize("room", [0, 8, *(pytest.param(room, marks=pytest.mark.slow) for room in (4, 12))])
def test_a_full_disk(world: World, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    before = len(world.sandbox.books.effects)
    trouble(monkeypatch, f"max_page_count={pages(world) + room}")
    with pytest.raises(LedgerError, match="the disk is full; make room, then run again"):
        world.act()
    if room == 0:
        assert len(world.sandbox.books.effects) == before
    assert world.sandbox.audit().violations == ()
    recovers(world, monkeypatch)


def test_a_locked_database(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = world.sandbox.books.effects
    trouble(monkeypatch, "busy_timeout=50")
    with closing(sqlite3.connect(world.ledger_file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="another program has locked it"):
            world.act()
    assert world.sandbox.books.effects == before
    recovers(world, monkeypatch)


def test_a_file_that_may_not_be_written(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = world.sandbox.books.effects
    trouble(monkeypatch, "query_only=ON")
    with pytest.raises(LedgerError, match="its file may not be written; check the permissions"):
        world.act()
    assert world.sandbox.books.effects == before
    recovers(world, monkeypatch)


def test_a_file_that_is_damaged(world: World) -> None:
    before = world.sandbox.books.effects
    whole = world.ledger_file.read_bytes()
    world.ledger_file.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with pytest.raises(LedgerError, match=r"damaged|not a database"):
        world.act()
    assert world.sandbox.books.effects == before


DAMAGED = "the file is damaged; restore it from a backup before anything is sent"


def said(work: Callable[[], object]) -> str:
    """The way out that an error of the ledger names; empty where there was none, and no fault of ours either."""
    try:
        report = work()
    except LedgerError as error:
        return str(error).partition("cannot be used: ")[2] or str(error)
    assert not [failure for failure in getattr(report, "failures", ()) if failure.ours]
    return ""


TEXT = "CAST(x'ff41fe' AS TEXT)"


DAMAGES = [
    ("records.order_name", TEXT),
    ("records.next_look_at", "'2026-13-45'"),
    ("records.looked_at", "x'00ff'"),
    ("records.costs", "'garbage'"),
    ("intents.state", "'sold'"),
    ("intents.items", "'{'"),
    ("intents.generation", "'one'"),
    ("holds.since", "-5"),
    ("store_days.amount_e4", "'garbage'"),
    ("ledger.shopper_key", "'text'"),
]
"""One of each kind of column and of value."""

MORE = [
    ("records.decision", TEXT),
    ("intents.kind", "''"),
    ("intents.amount", "'garbage'"),
    ("intents.items", "'[]'"),
    ("intents.created_at", "'garbage'"),
    ("lines.quantity", "x'00'"),
    ("lines.total", "''"),
    ("units.line_id", TEXT),
    ("holds.evidence", TEXT),
    ("holds.kind", "'love'"),
    ("audit.evidence", "'{'"),
    ("audit.at", "'garbage'"),
    ("ledger.created_at", "'garbage'"),
    ("ledger.stopped_why", TEXT),
]


@pytest.mark.parametrize(
    ("column", "value"), [*DAMAGES, *(pytest.param(*damage, marks=pytest.mark.slow) for damage in MORE)]
)
def test_a_damaged_value_is_never_a_fault_of_this_software(small: World, column: str, value: str) -> None:
    """Where it is met it is called damaged; where it is not, all goes on as before."""
    world = small
    table, name = column.split(".")
    process_ids = [hold.process_id for hold in world.holds()] + [item.process_id for item in world.unfinished()]
    with closing(sqlite3.connect(world.ledger_file)) as conn, conn:
        conn.execute("DROP TRIGGER audit_no_update")
        conn.execute(f"UPDATE {table} SET {name} = {value}")
    for mode in ("plan", "act"):
        run = partial(world.run, "process-pending-returns", mode=mode, max_returns="5")
        assert said(run) in {"", DAMAGED}
    with world.ledger(read_only=True) as looked:
        assert said(lambda: looked.read(open_holds)) in {"", DAMAGED}
        assert said(lambda: looked.read(unfinished)) in {"", DAMAGED}
        assert said(lambda: looked.read(open_intents)) in {"", DAMAGED}
        for process_id in process_ids[:3]:
            assert said(partial(looked.read, history, process_id)) in {"", DAMAGED}
    assert world.sandbox.audit().violations == ()


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 6))])
def test_a_damaged_page_is_never_a_fault_of_this_software(small: World, seed: int) -> None:
    world = small
    with closing(sqlite3.connect(world.ledger_file)) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    random = Random(seed)
    content = bytearray(world.ledger_file.read_bytes())
    for _ in range(300):
        content[random.randrange(100, len(content))] = random.randrange(256)
    world.ledger_file.write_bytes(content)
    for mode in ("plan", "act"):
        told = said(partial(world.run, "process-pending-returns", mode=mode, max_returns="5"))
        assert told in {"", DAMAGED} or "restore a backup" in told


def test_a_fault_of_ours_stays_one_where_nothing_is_damaged(world: World) -> None:
    def wrong(_conn: object) -> None:
        raise ValueError("a fault of ours")

    with pytest.raises(ValueError, match="a fault of ours"):
        world.read(wrong)


def test_a_disk_without_room_for_the_files_beside_is_said_to_be_full(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite says of it that it cannot open the file, or that the disk reports an error."""
    error = OperationalError("", {}, sqlite3.OperationalError("disk I/O error"))
    where = Where.of(world.ledger_url)
    assert "its disk reports an error" in str(sentence(error, where))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=4096))
    assert "the disk is full; make room" in str(sentence(error, where))
