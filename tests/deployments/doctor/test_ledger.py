"""The ledger's lines: what is wrong with it, and what in it stops or waits. Looking changes nothing."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from deployments.doctor.examination import Examination, State
from deployments.doctor.ledger import ledger_line
from tasks.desk import utc_now
from tasks.ledger import Actor, Condition, Ledger, archive_returns, mark_restored, stop_switch
from tasks.ledger.stops import not_answered
from tests.deployments.doctor.conftest import Desk

LINES = ("ledger check", "stop switch", "restore", "paused stores", "open holds")


@contextmanager
def changed(desk: Desk) -> Iterator[Ledger]:
    ledger = desk.open_ledger()
    try:
        yield ledger
    finally:
        ledger.close()


def test_a_ledger_with_work_in_it_is_read_and_left_as_it_is(desk: Desk) -> None:
    desk.work()
    before = desk.ledger_file.read_bytes()
    lines = desk.lines("ledger", *LINES)
    assert {lines[name].state for name in ("ledger", *LINES)} == {State.OK}
    assert lines["ledger"].found.endswith(", durable")
    assert lines["ledger check"].found.startswith("sound: ")
    assert lines["open holds"].found != "none"
    assert desk.ledger_file.read_bytes() == before
    assert {path.name for path in desk.ledger_file.parent.iterdir()} == {desk.ledger_file.name}


def test_an_archive_that_is_not_at_hand_is_no_damage_and_is_named(desk: Desk, tmp_path: Path) -> None:
    desk.work()
    cut = utc_now() + timedelta(days=1)
    with changed(desk) as ledger:
        moved = archive_returns(ledger, tmp_path / "kept", cut, clock=utc_now, actor=Actor("ann"))
    assert moved.returns
    assert desk.lines("ledger", *LINES)["ledger check"].state is State.OK
    (tmp_path / "kept").rename(tmp_path / "unmounted")
    line = desk.lines("ledger", *LINES)["ledger check"]
    assert line.state is State.ATTENTION
    assert f"{moved.names[0]}/manifest.json is missing" in line.found
    assert "rever-returns ledger archives --moved-to" in line.to_do


def test_holds_that_wait_for_days_are_worth_a_word(desk: Desk) -> None:
    desk.work()
    late = Examination(clock=lambda: utc_now() + timedelta(days=3))
    line = desk.lines("ledger", "open holds", examination=late)["open holds"]
    assert line.state is State.ATTENTION
    assert "rever-returns holds" in line.to_do


def test_what_stops_effects_is_said_with_the_way_out(desk: Desk) -> None:
    now = utc_now()
    with changed(desk) as ledger:
        ledger.write(stop_switch, on=True, by="ann", why="counting", now=now)
        ledger.write(mark_restored, why="test", now=now, actor=Actor("ann"))
        for _ in range(5):
            ledger.write(not_answered, "nordic", "no-intent", now)
    lines = desk.lines("ledger", *LINES)
    assert "by ann: test" in lines["stop switch"].found
    assert lines["stop switch"].to_do == "rever-returns start --by NAME"
    assert "nothing goes to acme, nordic" in lines["restore"].found
    assert lines["paused stores"].found.startswith("nordic until ")
    assert {lines[name].state for name in ("stop switch", "restore", "paused stores")} == {State.ATTENTION}


def test_what_ledger_check_finds_is_told_in_short(desk: Desk) -> None:
    desk.work()
    with closing(sqlite3.connect(desk.ledger_file)) as conn:
        conn.execute("UPDATE store_days SET amount_e4 = amount_e4 + 1")
        conn.commit()
    line = desk.lines("ledger", "ledger check")["ledger check"]
    assert line.state is State.BROKEN
    assert "counter: store acme" in line.found
    assert "rever-returns ledger check" in line.to_do


def test_a_ledger_that_cannot_be_opened_keeps_its_own_lines_from_being_looked_at(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.ledger_file.write_text("no database, however long this text may be" * 100)
    lines = desk.lines("ledger", *LINES)
    assert lines["ledger"].state is State.BROKEN
    assert "not a SQLite database" in lines["ledger"].found
    assert {lines[name].state for name in LINES} == {State.NOT_CHECKED}
    monkeypatch.setenv("REVER_LEDGER_URL", f"sqlite:///{tmp_path / 'no-folder' / 'ledger.sqlite'}")
    assert desk.lines("ledger")["ledger"].state is State.BROKEN


def test_another_accounts_ledger_is_not_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.make_ledger()
    monkeypatch.setenv("REVER_ACCOUNT", "somebody-else")
    lines = desk.lines("ledger", "open holds")
    assert "this desk's is 'somebody-else'" in lines["ledger"].found
    assert lines["open holds"].state is State.NOT_CHECKED


def test_a_server_that_is_down_is_said_so_without_its_password(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVER_LEDGER_URL", "postgresql://desk:s3cret@127.0.0.1:9/returns")
    line = desk.lines("ledger")["ledger"]
    assert line.state is State.BROKEN
    assert "cannot be reached" in line.found
    assert "s3cret" not in str(line)


WELL = Condition("the ledger", "0002", "0002", "acme", writable=True, durable=True, now=None)


@pytest.mark.parametrize(
    ("found", "state", "words"),
    [
        (WELL, State.OK, "durable"),
        (Condition("l", "", "0002", "", writable=True, durable=True, now=None), State.OK, "not made yet"),
        (Condition("l", "", "0002", "", writable=False, durable=True, now=None), State.BROKEN, "cannot be written"),
        (Condition("l", "0001", "0002", "acme", True, True, None), State.ATTENTION, "older version (0001)"),
        (Condition("l", "0009", "0002", "acme", True, True, None), State.BROKEN, "newer version of rever-returns"),
        (Condition("l", "0002", "0002", "acme", True, False, None), State.BROKEN, "may lose what it has committed"),
        (Condition("l", "0002", "0002", "other", True, True, None), State.BROKEN, "belongs to the REVER account"),
    ],
)
def test_a_ledgers_condition_is_judged(found: Condition, state: State, words: str) -> None:
    line = ledger_line(found, "acme", first_run_makes_it=True)
    assert line.state is state
    assert words in line.found
    assert bool(line.to_do) is (state is not State.OK)


def test_where_no_run_makes_a_ledger_one_that_is_missing_is_broken() -> None:
    missing = Condition("l", "", "0002", "", writable=True, durable=True, now=None)
    line = ledger_line(missing, "acme", first_run_makes_it=False)
    assert line.state is State.BROKEN
    assert "rever-returns ledger create" in line.to_do


def test_nothing_is_said_of_what_is_in_a_ledger_that_is_not_made_yet(desk: Desk) -> None:
    lines = desk.lines("ledger", *LINES)
    assert lines["ledger"].state is State.OK
    assert "is not made yet" in lines["ledger"].found
    assert not set(LINES) & set(lines)
    assert not desk.ledger_file.exists()
