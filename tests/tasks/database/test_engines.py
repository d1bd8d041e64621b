"""Money exact, times aware, one upsert, on either database; and how many statements a step costs."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, Table, Text, event, insert, select, text
from sqlalchemy.engine.interfaces import CacheStats
from sqlalchemy.exc import IntegrityError, StatementError

from tasks.database.database import Reader
from tasks.database.engines import Money, UtcTime, Where, reading_engine, upsert, writing_engine
from tasks.ledger import Done, Sent, load_records, mark_sent, record_done
from tests.tasks.ledger.desk import FLOW, LedgerDesk

THINGS = Table(
    "things",
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("amount", Money),
    Column("at", UtcTime),
)
LATE = datetime(2026, 11, 27, 23, 30, tzinfo=timezone(timedelta(hours=-5)))


@pytest.fixture
def conn(url: str) -> Iterator[Connection]:
    engine = writing_engine(Where.of(url))
    with engine.connect() as connection:
        connection.begin()
        THINGS.create(connection)
        yield connection
        connection.rollback()
    engine.dispose()


def put(conn: Connection, **values: Any) -> None:
    conn.execute(insert(THINGS), [{"id": 1, "amount": None, "at": None, **values}])


def test_money_keeps_its_digits_and_a_time_becomes_utc(conn: Connection) -> None:
    put(conn, amount=Decimal("12.340"), at=LATE)
    row = conn.execute(select(THINGS)).one()
    assert (str(row.amount), row.at) == ("12.340", datetime(2026, 11, 28, 4, 30, tzinfo=UTC))
    assert row.at.tzinfo is UTC


def test_nothing_stays_nothing(conn: Connection) -> None:
    put(conn)
    assert tuple(conn.execute(select(THINGS)).one()) == (1, None, None)


def test_a_naive_time_is_refused(conn: Connection) -> None:
    with pytest.raises(StatementError, match="aware"):
        put(conn, at=datetime(2026, 11, 28))  # noqa: DTZ001 - the point of it


def test_an_error_shows_no_values(conn: Connection) -> None:
    put(conn)
    with pytest.raises(IntegrityError) as failed:
        put(conn, amount=Decimal("12.340"))
    assert "12.340" not in str(failed.value)


@contextmanager
def statements(engine: Engine) -> Iterator[list[tuple[str, bool]]]:
    """The statements that are executed meanwhile, and whether each had to be compiled."""
    seen: list[tuple[str, bool]] = []

    def note(_conn: Any, _cursor: Any, statement: str, _parameters: Any, context: Any, _many: bool) -> None:
        seen.append((statement, context.cache_hit is not CacheStats.CACHE_HIT))

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def of_second(engine: Engine, step: Callable[[str], object]) -> list[tuple[str, bool]]:
    """What a step executes for one return after it was done for another."""
    step("p1")
    with statements(engine) as seen:
        step("p2")
    return seen


def test_sending_and_recording_take_few_statements_and_compile_none(desk: LedgerDesk) -> None:
    claims = {process_id: desk.claim(process_id) for process_id in ("p1", "p2")}
    assert desk.ledger._writer is not None
    engine = desk.ledger._writer._engine
    sent = of_second(engine, lambda process_id: desk.send(claims[process_id]))
    done = of_second(engine, lambda process_id: desk.done(claims[process_id]))
    assert (len(sent), len(done)) == (6, 5)
    assert [statement for statement, compiled in (*sent, *done) if compiled] == []


def test_of_many_effects_each_has_one_statement_of_its_own(desk: LedgerDesk) -> None:
    claims = [desk.claim(f"p{number}") for number in range(5)]
    assert desk.ledger._writer is not None
    now, until = desk.clock(), desk.clock() + timedelta(minutes=1)
    with statements(desk.ledger._writer._engine) as sent:
        desk.ledger.write(mark_sent, [Sent(claim, {}, until, until, now, FLOW) for claim in claims])
    with statements(desk.ledger._writer._engine) as done:
        desk.ledger.write(record_done, [Done(claim, {}, now, FLOW) for claim in claims])
    assert (len(sent), len(done)) == (5 + len(claims), 4 + len(claims))


def test_reading_a_return_again_takes_four_statements_and_compiles_none(desk: LedgerDesk) -> None:
    for process_id in ("p1", "p2"):
        desk.claim(process_id)
    assert isinstance(desk.ledger._reader, Reader)
    read = of_second(desk.ledger._reader._engine, lambda process_id: desk.ledger.read(load_records, [process_id]))
    assert len(read) == 4
    assert [statement for statement, compiled in read if compiled] == []


def test_a_writer_keeps_others_out_from_its_first_read_on(tmp_path: Path) -> None:
    where = Where.of(f"sqlite:///{tmp_path}/ledger.sqlite")
    engine = writing_engine(where)
    with engine.connect() as conn, closing(sqlite3.connect(str(where.path), timeout=0)) as other:
        conn.begin()
        conn.execute(text("SELECT 1"))
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
    engine.dispose()


def test_a_reader_keeps_nobody_out_and_sees_one_moment(tmp_path: Path) -> None:
    where = Where.of(f"sqlite:///{tmp_path}/ledger.sqlite")
    engine = reading_engine(where)
    with closing(sqlite3.connect(str(where.path), timeout=0)) as other, other, engine.connect() as conn:
        other.execute("CREATE TABLE seen (n)")
        other.commit()
        conn.begin()
        before = conn.execute(text("SELECT count(*) FROM seen")).scalar()
        other.execute("INSERT INTO seen VALUES (1)")
        other.commit()
        assert (before, conn.execute(text("SELECT count(*) FROM seen")).scalar()) == (0, 0)
    engine.dispose()


KINDS = Table("kinds", MetaData(), Column("name", Text, primary_key=True), Column("seen", Integer, nullable=False))


@pytest.fixture
def kinds(url: str) -> Iterator[Connection]:
    engine = writing_engine(Where.of(url))
    with engine.connect() as conn:
        conn.begin()
        KINDS.create(conn)
        conn.execute(insert(KINDS), [{"name": "a", "seen": 1}, {"name": "b", "seen": 2}])
        yield conn
        conn.rollback()
    engine.dispose()


@pytest.mark.parametrize(
    ("change", "after"),
    [
        ((), [("a", 1), ("b", 2), ("c", 7)]),
        (["seen"], [("a", 7), ("b", 2), ("c", 7)]),
        ({"seen": KINDS.c.seen + 10}, [("a", 11), ("b", 2), ("c", 7)]),
    ],
    ids=["leaves the row", "takes the new values", "computes"],
)
def test_an_upsert_changes_only_the_rows_that_are_there(
    kinds: Connection, change: Any, after: list[tuple[str, int]]
) -> None:
    kinds.execute(upsert(kinds, KINDS, ["name"], change), [{"name": "a", "seen": 7}, {"name": "c", "seen": 7}])
    assert [tuple(row) for row in kinds.execute(select(KINDS).order_by(KINDS.c.name))] == after


def test_an_upsert_that_leaves_the_row_does_not_return_it(kinds: Connection) -> None:
    put = upsert(kinds, KINDS, ["name"]).returning(KINDS.c.name)
    found = [kinds.execute(put, {"name": name, "seen": 7}).scalar() for name in ("a", "c")]
    assert found == [None, "c"]
