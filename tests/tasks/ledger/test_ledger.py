"""Opening a ledger: made once, bound to its account, durable, and read without leaving a trace."""

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Timer

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, text

from tasks.database.engines import Where
from tasks.ledger import Ledger, LedgerError, history, load_records, open_holds, open_intents, switch, unfinished
from tasks.ledger.schema import VERSION_TABLE, metadata
from tasks.ledger.stops import stop_switch
from tests.postgres import ACCOUNT
from tests.tasks.ledger.desk import APPROVAL, NOON, Clock, LedgerDesk, always, pay, refund


def opened(url: str, account: str = ACCOUNT, *, read_only: bool = False) -> Ledger:
    return Ledger.open(url, account=account, clock=Clock(), read_only=read_only)


def test_the_migrations_make_the_tables_that_the_code_uses(desk: LedgerDesk) -> None:
    def differences(conn: Connection) -> list[object]:
        context = MigrationContext.configure(conn, opts={"version_table": VERSION_TABLE})
        return list(compare_metadata(context, metadata))

    assert desk.ledger.read(differences) == []


def test_sqlite_commits_reach_the_disk(desk: LedgerDesk, url: str) -> None:
    def pragmas(conn: Connection) -> list[object]:
        names = ("synchronous", "journal_mode", "busy_timeout", "foreign_keys")
        return [conn.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    if url.startswith("sqlite"):
        assert desk.ledger.write(pragmas) == [2, "wal", 30000, 1]
    else:
        found = desk.ledger.write(lambda conn: conn.execute(text("SHOW synchronous_commit")).scalar())
        assert found == "on"


@pytest.mark.postgres
@pytest.mark.xdist_group("postgres")
def test_a_worker_that_stands_still_in_a_transaction_lets_go_before_others_give_up(postgres_ledger_url: str) -> None:
    ledger = opened(postgres_ledger_url)
    names = ("idle_in_transaction_session_timeout", "lock_timeout")
    asked = "SELECT setting::int FROM pg_settings WHERE name = :name"
    found = ledger.write(lambda conn: [conn.execute(text(asked), {"name": name}).scalar_one() for name in names])
    ledger.close()
    assert 0 < found[0] < found[1]


@pytest.mark.postgres
@pytest.mark.xdist_group("postgres")
def test_two_workers_may_open_a_new_ledger_at_the_same_moment(postgres_ledger_url: str) -> None:
    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    bind = "INSERT INTO ledger (id, account, created_at, shopper_key) VALUES (1, :account, now(), '')"
    engine = create_engine(Where.of(postgres_ledger_url).url)
    with ThreadPoolExecutor(1) as other, engine.connect() as first, engine.connect() as looks:
        first.execute(text(bind), {"account": ACCOUNT})
        second = other.submit(opened, postgres_ledger_url)
        while not second.done() and not looks.execute(text(waits)).scalar():
            time.sleep(0.01)
        first.commit()
        second.result().close()
    engine.dispose()


def test_a_writer_holds_the_lock_from_its_first_statement(tmp_path: Path) -> None:
    ledger = opened(f"sqlite:///{tmp_path}/ledger.sqlite")

    def other_writes(conn: Connection) -> None:
        with closing(sqlite3.connect(tmp_path / "ledger.sqlite", timeout=0)) as other:
            other.execute("BEGIN IMMEDIATE")

    with pytest.raises(sqlite3.OperationalError, match="locked"):
        ledger.write(other_writes)
    ledger.close()


def run(conn: Connection, statement: str) -> None:
    conn.execute(text(statement))


def test_the_audit_refuses_change_and_removal(desk: LedgerDesk) -> None:
    desk.one(rule=always(APPROVAL))
    before = desk.history().audit
    for statement in ("UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"):
        with pytest.raises(LedgerError, match="append-only"):
            desk.ledger.write(run, statement)
    assert desk.history().audit == before


def test_it_is_bound_to_its_account_at_first_use(url: str) -> None:
    opened(url).close()
    opened(url).close()
    for read_only in (False, True):
        with pytest.raises(LedgerError, match=r"belongs to the REVER account 'https://rever\.test', not to 'other'"):
            opened(url, "other", read_only=read_only)


def test_what_was_written_is_there_after_reopening(url: str) -> None:
    first = LedgerDesk(opened(url))
    claim = first.sent()
    first.ledger.close()
    second = LedgerDesk(opened(url))
    assert second.done(claim) == "taken"
    second.ledger.close()


@pytest.mark.postgres
@pytest.mark.xdist_group("postgres")
def test_an_empty_database_is_made_a_ledger(postgres_empty_url: str) -> None:
    looking = opened(postgres_empty_url, read_only=True)
    assert looking.read(load_records, ["p1"])["p1"].intents == ()
    looking.close()
    desk = LedgerDesk(opened(postgres_empty_url))
    assert desk.one().claim is not None
    desk.ledger.close()


def test_threads_that_open_new_ledgers_at_once_make_each_of_them_whole(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path}/{number}.sqlite" for number in range(6)]
    with ThreadPoolExecutor(len(urls)) as threads:
        ledgers = list(threads.map(opened, urls))
    assert [ledger.read(open_holds) for ledger in ledgers] == [[] for _ in urls]
    for ledger in ledgers:
        ledger.close()


def test_who_opens_a_new_ledger_while_another_makes_it_waits(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as first:
        first.execute("BEGIN IMMEDIATE")  # before the file is in WAL mode: SQLite refuses the change at once
        Timer(0.3, first.execute, ("ROLLBACK",)).start()
        opened(f"sqlite:///{path}").close()


def test_looking_at_a_ledger_that_is_not_there_makes_nothing(tmp_path: Path) -> None:
    looking = opened(f"sqlite:///{tmp_path}/none.sqlite", read_only=True)
    assert looking.read(load_records, ["p1"])["p1"].intents == ()
    assert looking.read(history, "p1") is None
    assert looking.read(unfinished) == []
    assert looking.read(open_holds) == []
    assert looking.read(open_intents) == []
    assert not looking.read(switch).stopped
    assert list(tmp_path.iterdir()) == []
    desk = LedgerDesk(opened(f"sqlite:///{tmp_path}/none.sqlite"))
    desk.one()
    assert len(looking.read(load_records, ["p1"])["p1"].intents) == 1
    desk.ledger.close()
    looking.close()


def test_looking_at_a_ledger_at_rest_touches_no_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    desk = LedgerDesk(opened(url))
    desk.one()
    desk.ledger.close()
    before = [(path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in tmp_path.iterdir()]
    looking = opened(url, read_only=True)
    assert len(looking.read(load_records, ["p1"])["p1"].intents) == 1
    during = [(path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in tmp_path.iterdir()]
    looking.close()
    assert before == during
    assert len(before) == 1


def test_looking_sees_what_a_writer_commits_meanwhile(desk: LedgerDesk, url: str) -> None:
    looking = opened(url, read_only=True)
    desk.one("p1")
    assert len(looking.read(load_records, ["p1"])["p1"].intents) == 1
    desk.done(desk.sent("p2", pay(refund("3.00"))))
    assert looking.read(load_records, ["p2"])["p2"].intents[0].state == "done"
    looking.close()


def test_nothing_is_written_through_a_look(url: str) -> None:
    opened(url).close()
    looking = opened(url, read_only=True)
    with pytest.raises(LedgerError, match="for reading only"):
        looking.write(stop_switch, on=True, by="x", why="y", now=NOON)
    with pytest.raises(LedgerError, match=r"read.?only|takes no writes|may not be written"):
        looking.read(stop_switch, on=True, by="x", why="y", now=NOON)
    looking.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ledger.sqlite", "cannot be read; write it like"),
        ("mysql://u:secret@h/d", "cannot be kept in 'mysql'"),
        ("sqlite://", "in memory would forget"),
        ("sqlite:////nowhere/at/all/ledger.sqlite", "check that the folder exists"),
        ("postgresql://rever:secret@127.0.0.1:9/ledger", "cannot be reached"),
    ],
)
def test_a_ledger_that_cannot_be_opened_is_one_sentence(url: str, words: str) -> None:
    with pytest.raises(LedgerError, match=words) as failed:
        opened(url)
    assert "secret" not in str(failed.value)
    assert failed.value.__cause__ is None
    assert failed.value.__suppress_context__ or failed.value.__context__ is None


@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_that_is_something_else_is_left_alone(tmp_path: Path, read_only: bool) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, " * 100)
    with pytest.raises(LedgerError, match="not a SQLite database"):
        opened(f"sqlite:///{path}", read_only=read_only)
    assert path.read_text() == "not a database, " * 100


@pytest.mark.parametrize("read_only", [False, True])
def test_a_newer_ledger_is_refused(tmp_path: Path, read_only: bool) -> None:
    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    opened(url).close()
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as conn, conn:
        conn.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    with pytest.raises(LedgerError, match=r"newer version of rever-returns \(its revision is 9999"):
        opened(url, read_only=read_only)


def test_a_locked_ledger_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.database.engines._PRAGMAS", ("busy_timeout=50", "journal_mode=WAL", "synchronous=FULL"))
    ledger = opened(f"sqlite:///{tmp_path}/ledger.sqlite")
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="another program has locked it"):
            ledger.write(stop_switch, on=True, by="x", why="y", now=NOON)
        other.execute("ROLLBACK")
    assert ledger.write(stop_switch, on=True, by="x", why="y", now=NOON).stopped
    ledger.close()


def test_a_folder_in_its_place_says_so(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="cannot be opened"):
        opened(f"sqlite:///{tmp_path}")
