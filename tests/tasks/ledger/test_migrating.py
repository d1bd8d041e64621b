"""A ledger of the first version is brought up to this one and loses nothing; its condition is found untouched."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Column, Connection, MetaData, Table, create_engine, inspect, select

import tasks.ledger
from tasks.database.engines import Where, writing_engine
from tasks.desk import utc_now
from tasks.ledger import Answer, Ledger, LedgerError, check, condition, runs_began
from tasks.ledger.ledger import revision
from tasks.ledger.schema import REVISION, chains, metadata
from tasks.policy.decision import Nothing
from tests.postgres import ACCOUNT
from tests.tasks.ledger.desk import FLOW, NOON, Clock, LedgerDesk, always, request

FIRST = Path(__file__).with_name("first_version.sql")
"""Written by the first version itself: eight returns, each in another state."""
TABLES = ("records", "lines", "intents", "units", "holds", "waivers", "audit", "store_days", "shopper_refunds")
ALL = ("ledger", *TABLES)
LATER = {"hash", "run_began_at", "former", "paid_seen", "rounding", "archived_at"}


@pytest.fixture
def first(tmp_path: Path) -> Path:
    path = tmp_path / "first.sqlite"
    with closing(sqlite3.connect(path)) as conn:
        conn.executescript(FIRST.read_text())
    return path


def rows(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows, without the columns that came later."""
    with closing(sqlite3.connect(path)) as conn:
        names = {table: [row[1] for row in conn.execute(f"PRAGMA table_info({table})")] for table in TABLES}
        old = {table: ", ".join(f'"{name}"' for name in names[table] if name not in LATER) for table in TABLES}
        return {table: conn.execute(f"SELECT {old[table]} FROM {table} ORDER BY 1, 2").fetchall() for table in TABLES}


def test_nothing_is_lost_and_the_audit_is_chained(first: Path) -> None:
    before = rows(first)
    desk = LedgerDesk(Ledger.open(f"sqlite:///{first}", account=ACCOUNT, clock=Clock()))
    found = desk.ledger.read(check, now=NOON)
    assert (found.findings, found.returns, found.steps) == ((), 8, len(before["audit"]))
    assert len(before["audit"]) > 20
    ends = desk.ledger.read(lambda conn: conn.execute(select(chains)).all())
    assert sum(end.steps for end in ends) == found.steps
    assert rows(first) == before
    assert desk.ledger.read(runs_began, ["paid", "unknown"]) == {}  # it is not known of the runs before
    desk.decide(request("paid", always(Nothing("all_settled", "done"))), actor=replace(FLOW, run_began_at=NOON))
    assert desk.ledger.read(runs_began, ["paid", "unknown"]) == {"paid": NOON}
    desk.answer(Answer.DROP, next(hold for hold in desk.holds() if hold.process_id == "unknown"))
    assert desk.state("unknown") == "dropped"
    assert desk.ledger.read(check, now=NOON).findings == ()
    with pytest.raises(LedgerError, match="append-only"):
        desk.ledger.write(lambda conn: conn.exec_driver_sql("UPDATE audit SET actor = 'nobody'") and None)
    desk.ledger.close()


def test_looking_at_the_first_version_changes_nothing_and_says_what_to_do(first: Path) -> None:
    before = first.read_bytes()
    with pytest.raises(LedgerError, match=r"older version \(0001\); a run with mode=act brings it up"):
        Ledger.open(f"sqlite:///{first}", account=ACCOUNT, clock=Clock(), read_only=True)
    assert first.read_bytes() == before


def test_a_migration_that_is_cut_off_leaves_the_first_version(first: Path) -> None:
    with closing(sqlite3.connect(first)) as conn:
        conn.execute("CREATE TABLE caught_up (mine TEXT)")
        conn.commit()
    before = rows(first)
    with pytest.raises(LedgerError, match="caught_up"):
        Ledger.open(f"sqlite:///{first}", account=ACCOUNT, clock=Clock())
    assert rows(first) == before
    with closing(sqlite3.connect(first)) as conn:
        assert conn.execute("SELECT version_num FROM ledger_version").fetchall() == [("0001",)]


@pytest.mark.postgres
@pytest.mark.xdist_group("postgres")
def test_the_same_on_postgresql(postgres_empty_url: str, first: Path) -> None:
    where = Where.of(postgres_empty_url)
    engine = writing_engine(where)
    with engine.begin() as conn:
        upgrade(conn, "0001")
        copy(first, conn)
    engine.dispose()
    desk = LedgerDesk(Ledger.open(postgres_empty_url, account=ACCOUNT, clock=Clock()))
    found = desk.ledger.read(check, now=NOON)
    assert (found.findings, found.returns) == ((), 8)
    assert desk.ledger.read(revision) == REVISION
    with pytest.raises(LedgerError, match="append-only"):
        desk.ledger.write(lambda conn: conn.exec_driver_sql("UPDATE audit SET actor = 'nobody'") and None)
    desk.ledger.close()


def upgrade(conn: Connection, to: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(tasks.ledger.__file__).parent / "migrations"))
    config.attributes["connection"] = conn
    command.upgrade(config, to)


def copy(source: Path, conn: Connection) -> None:
    """Row by row, with the columns that the first version has."""
    here = create_engine(f"sqlite:///{source}")
    with here.connect() as old:
        for table in metadata.sorted_tables:
            known = {column["name"] for column in inspect(old).get_columns(table.name)} if table.name in ALL else ()
            columns = [column for column in table.columns if column.name in known]
            found = old.execute(select(*columns)).mappings().all() if columns else ()
            if found:
                keep = Table(table.name, MetaData(), *(Column(column.name, column.type) for column in columns))
                conn.execute(keep.insert(), [dict(row) for row in found])
    here.dispose()


def test_it_tells_revision_account_and_the_databases_clock(url: str) -> None:
    assert condition(url).account == ""
    Ledger.open(url, account="acme", clock=utc_now).close()
    before = utc_now()
    found = condition(url)
    assert (found.account, found.revision, found.newest, found.writable) == ("acme", REVISION, REVISION, True)
    if url.startswith("sqlite"):
        assert found.now is None
        assert found.durable
    else:
        assert found.now is not None
        assert abs(found.now - before) < timedelta(seconds=30)
        assert not found.durable, "the tests' server does no fsync"


def test_a_ledger_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    found = condition(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    assert (found.revision, found.account, found.writable) == ("", "", True)
    assert not condition(f"sqlite:///{tmp_path / 'none' / 'ledger.sqlite'}").writable
    assert list(tmp_path.iterdir()) == []


def test_another_file_is_no_ledger(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    file.write_text("a text" * 1000)
    with pytest.raises(LedgerError, match="not a SQLite database"):
        condition(f"sqlite:///{file}")
