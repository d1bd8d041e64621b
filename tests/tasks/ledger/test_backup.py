"""Backup and restore: whole, never over something, never of an unsound file; and nothing is sent until caught up."""

import sqlite3
import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tasks.ledger import (
    Actor,
    Ledger,
    LedgerError,
    back_up,
    catch_up,
    check,
    mark_restored,
    restore,
    restored,
    stop_switch,
    switch,
)
from tests.postgres import ACCOUNT
from tests.tasks.ledger.desk import FLOW, NOON, Clock, LedgerDesk
from tests.tasks.ledger.tampering import tamper

OLGA = Actor("olga")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


def opened(file: Path, clock: Clock | None = None) -> LedgerDesk:
    clock = clock or Clock()
    return LedgerDesk(Ledger.open(f"sqlite:///{file}", account=ACCOUNT, clock=clock), clock)


def put_back(file: Path, backup: Path, account: str = ACCOUNT) -> Path:
    return restore(f"sqlite:///{file}", backup, account=account, clock=Clock(), actor=OLGA)[0]


def test_a_backup_is_whole_though_others_write(file: Path, tmp_path: Path) -> None:
    desk = opened(file)
    desk.done(desk.sent("before"))
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            desk.done(desk.sent(f"p{(number := number + 1)}"))

    writer = threading.Thread(target=write)
    writer.start()
    sizes = [back_up(f"sqlite:///{file}", tmp_path / f"{number}.backup") for number in range(3)]
    stop.set()
    writer.join()
    desk.ledger.close()
    for number, size in enumerate(sizes):
        copy = tmp_path / f"{number}.backup"
        assert copy.stat().st_size == size
        assert copy.stat().st_mode & 0o777 == 0o600
        other = opened(copy)
        assert other.ledger.read(check, now=NOON).findings == ()
        assert other.state("before") == "done"
        other.ledger.close()
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def test_a_backup_overwrites_nothing_and_needs_a_ledger(file: Path, tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="there is no ledger"):
        back_up(f"sqlite:///{file}", tmp_path / "copy")
    opened(file).ledger.close()
    (tmp_path / "copy").write_text("mine")
    with pytest.raises(LedgerError, match="overwrites nothing"):
        back_up(f"sqlite:///{file}", tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "mine"
    with pytest.raises(LedgerError, match="cannot be copied"):
        back_up(f"sqlite:///{file}", tmp_path / "nowhere" / "copy")
    with pytest.raises(LedgerError, match="pg_dump"):
        back_up("postgresql://user:secret@host/db", tmp_path / "copy")


def test_a_restored_ledger_is_the_old_one_and_the_former_is_kept(file: Path, tmp_path: Path) -> None:
    desk = opened(file)
    desk.done(desk.sent("first"))
    back_up(f"sqlite:///{file}", tmp_path / "copy")
    desk.done(desk.sent("second"))
    desk.ledger.close()
    kept = put_back(file, tmp_path / "copy")
    back, former = opened(file), opened(kept)
    assert back.state("first") == former.state("first") == former.state("second") == "done"
    assert back.record("second").intents == ()
    assert back.ledger.read(check, now=NOON).findings == ()
    assert former.ledger.read(restored, ["acme"]) is None
    back.ledger.close()
    former.ledger.close()


def test_who_has_the_ledger_open_sees_the_restored_one_and_sends_nothing_more(file: Path, tmp_path: Path) -> None:
    desk = opened(file)
    desk.done(desk.sent("first"))
    claim = desk.claim("known")
    back_up(f"sqlite:///{file}", tmp_path / "copy")
    later = desk.claim("later")
    put_back(file, tmp_path / "copy")
    assert desk.send(later).sending == "stopped"
    verdict = desk.send(claim)
    assert verdict.sending == "stopped"
    assert "until reconcile has gone over it" in verdict.why
    assert desk.state("known") == "intended"
    desk.ledger.close()


def test_what_a_clock_ahead_has_written_does_not_shorten_how_far_back_reconcile_looks(desk: LedgerDesk) -> None:
    desk.claim("p1")
    desk.clock.forward(days=400)
    desk.claim("p2")
    desk.clock.forward(days=-400, hours=1)
    assert desk.ledger.write(mark_restored, why="a try", now=desk.clock(), actor=OLGA) == NOON
    mark = desk.ledger.read(restored, ["acme"])
    assert mark is not None
    assert mark.since == NOON


def test_nothing_is_claimed_or_sent_until_each_store_has_caught_up(desk: LedgerDesk) -> None:
    claim = desk.claim("p1")
    desk.clock.forward(hours=1)
    assert desk.ledger.write(mark_restored, why="a try", now=desk.clock(), actor=OLGA) == NOON
    assert desk.send(claim).sending == "stopped"
    assert desk.one("p2").decision.rule == "store_stopped"
    mark = desk.ledger.read(restored, ["acme", "nordic"])
    assert mark is not None
    assert (mark.since, mark.stores) == (NOON, ("acme", "nordic"))

    def caught(*stores: str, after: float) -> tuple[str, ...]:
        since = mark.at + timedelta(minutes=after)
        how: dict[str, Any] = {
            "settle_after": timedelta(minutes=15),
            "now": desk.clock(),
            "actor": FLOW,
        }
        return desk.ledger.write(catch_up, stores, read_since=since, **how)

    assert caught("acme", after=14.9) == ()
    assert desk.send(claim).sending == "stopped"
    assert caught("nordic", after=15) == ("nordic",)
    assert desk.send(claim).sending == "stopped"
    assert caught("acme", "nordic", after=15) == ("acme",)
    assert "stopped by olga: a try" in desk.send(claim).why
    desk.ledger.write(stop_switch, on=False, by="pau", why="", now=desk.clock())
    assert desk.send(claim).sending == "sent"
    assert desk.ledger.read(restored, ["acme", "nordic"]) is None
    desk.clock.forward(hours=1)
    desk.ledger.write(mark_restored, why="once more", now=desk.clock(), actor=OLGA)
    assert desk.one("p3").decision.rule == "store_stopped"


@pytest.mark.parametrize("then", ["stopped", "started"])
def test_a_restored_ledger_is_stopped_whatever_the_backup_or_the_former_said(
    file: Path, tmp_path: Path, then: str
) -> None:
    desk = opened(file)
    desk.ledger.write(stop_switch, on=then == "stopped", by="pau", why="wrong prices", now=NOON)
    back_up(f"sqlite:///{file}", tmp_path / "copy")
    desk.ledger.write(stop_switch, on=then != "stopped", by="ann", why="audit", now=NOON)
    put_back(file, tmp_path / "copy")
    now = desk.ledger.read(switch)
    assert (now.stopped, now.by) == (True, "olga")
    assert "restored from a backup" in now.why
    assert ("wrong prices" in now.why) is (then == "stopped")
    with pytest.raises(LedgerError, match="no store has caught up"):
        desk.ledger.write(stop_switch, on=False, by="pau", why="", now=desk.clock())
    assert desk.ledger.read(switch) == now
    desk.ledger.close()


@pytest.mark.parametrize("content", [b"", None])
def test_a_backup_without_a_ledger_in_it_restores_nothing(file: Path, tmp_path: Path, content: bytes | None) -> None:
    opened(file).ledger.close()
    before = file.read_bytes()
    if content is None:
        with closing(sqlite3.connect(tmp_path / "copy")) as conn:
            conn.execute("VACUUM")
    else:
        (tmp_path / "copy").write_bytes(content)
    with pytest.raises(LedgerError, match="holds no ledger"):
        put_back(file, tmp_path / "copy")
    assert file.read_bytes() == before


def test_an_unsound_or_foreign_backup_changes_nothing(file: Path, tmp_path: Path) -> None:
    desk = opened(file)
    desk.done(desk.sent("first"))
    back_up(f"sqlite:///{file}", tmp_path / "sound")
    tamper(desk, "DELETE FROM audit WHERE event = 'sent'")
    back_up(f"sqlite:///{file}", tmp_path / "tampered")
    whole = (tmp_path / "sound").read_bytes()
    (tmp_path / "torn").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text").write_text("not a database at all\n" * 500)
    with closing(sqlite3.connect(tmp_path / "other")) as conn:
        conn.execute("CREATE TABLE mine (a)")
    for name, said in (
        ("tampered", "not sound"),
        ("torn", "copied|damaged"),
        ("text", "not a database"),
        ("none", "no backup"),
    ):
        with pytest.raises(LedgerError, match=said):
            put_back(file, tmp_path / name)
    with pytest.raises(LedgerError, match="belongs to the REVER account"):
        put_back(file, tmp_path / "sound", account="another")
    assert desk.ledger.read(restored, ["acme"]) is None
    assert desk.state("first") == "done"
    desk.ledger.close()
    assert [path.name for path in tmp_path.iterdir() if "before-" in path.name or "restoring" in path.name] == []


def test_a_ledger_that_is_damaged_or_gone_is_replaced(file: Path, tmp_path: Path) -> None:
    desk = opened(file)
    desk.done(desk.sent("first"))
    back_up(f"sqlite:///{file}", tmp_path / "copy")
    desk.ledger.close()
    file.write_text("a disk went bad\n" * 1000)
    kept = put_back(file, tmp_path / "copy")
    assert kept.read_text().startswith("a disk went bad")
    file.unlink()
    put_back(file, tmp_path / "copy")
    back = opened(file)
    assert back.state("first") == "done"
    assert back.ledger.read(restored, ["acme"]) is not None
    back.ledger.close()
