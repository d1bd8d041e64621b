"""Prepared statements answer what SQLAlchemy's own way answers, and fail as it fails."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Date,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    bindparam,
    insert,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError

from tasks.database.address import Where
from tasks.database.columns import Money, UtcTime
from tasks.database.engines import writing_engine
from tasks.database.prepared import Prepared
from tasks.policy.record import IntentState

THINGS = Table(
    "things",
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    Column("amount", Money),
    Column("at", UtcTime),
    Column("said", JSON, nullable=False),
    Column("yes", Boolean, nullable=False),
    Column("day", Date, nullable=False),
    Column("key", LargeBinary, nullable=False),
)
PUT = Prepared(insert(THINGS).inline(), columns=THINGS.c.keys())
OF_IDS = Prepared(
    select(THINGS).where(THINGS.c.id.in_(bindparam("ids", expanding=True))).order_by(THINGS.c.id), several="ids"
)


def thing(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "state": IntentState.SENT,
        "amount": Decimal("12.340") if number % 2 else None,
        "at": datetime(2026, 11, 27, 23, 30, tzinfo=timezone(timedelta(hours=-5))) if number % 2 else None,
        "said": {"why": "übergroß", "when": [1, None, True], "at": date(2026, 11, 27)},
        "yes": bool(number % 2),
        "day": date(2026, 11, 28),
        "key": b"\x00\xff",
    }


@pytest.fixture
def conn(url: str) -> Iterator[Connection]:
    engine: Engine = writing_engine(Where.of(url))
    with engine.connect() as connection:
        connection.begin()
        THINGS.create(connection)
        PUT.each(connection, [thing(number) for number in range(1, 9)])
        yield connection
        connection.rollback()
    engine.dispose()


def test_values_come_back_as_sqlalchemy_reads_them_and_exactly(conn: Connection) -> None:
    plainly = [tuple(row) for row in conn.execute(select(THINGS).order_by(THINGS.c.id))]
    prepared = OF_IDS.all(conn, {"ids": list(range(1, 9))})
    assert [tuple(row) for row in prepared] == plainly
    first = prepared[0]
    assert (str(first.amount), first.at, first.yes) == ("12.340", datetime(2026, 11, 28, 4, 30, tzinfo=UTC), True)
    assert first.said == {"why": "übergroß", "when": [1, None, True], "at": "2026-11-27"}
    assert (first.state, first.day, first.key) == ("sent", date(2026, 11, 28), b"\x00\xff")
    assert (prepared[1].amount, prepared[1].at, prepared[1].yes) == (None, None, False)


def test_what_it_writes_sqlalchemy_reads_the_same_as_its_own(conn: Connection) -> None:
    conn.execute(insert(THINGS), [thing(11)])
    PUT.each(conn, [thing(13)])
    ours, theirs = (conn.execute(select(THINGS).where(THINGS.c.id == number)).one() for number in (13, 11))
    assert ours[1:] == theirs[1:]


@pytest.mark.parametrize("ids", [[], [5], [5, 2], [5, 2, 7], [1, 2, 3, 4, 5], [99, 8]])
def test_a_list_finds_its_members_and_no_others(conn: Connection, ids: Sequence[int]) -> None:
    assert [row.id for row in OF_IDS.all(conn, {"ids": ids})] == sorted(set(ids) & set(range(1, 9)))


def test_lists_have_few_lengths(conn: Connection) -> None:
    statement = Prepared(OF_IDS._statement, several="ids")
    for length in range(1, 9):
        statement.all(conn, {"ids": list(range(1, length + 1))})
    assert sorted(length for _, length in statement._written) == [1, 2, 4, 8]


def test_a_change_answers_the_row_it_changed_or_none(conn: Connection) -> None:
    change = Prepared(
        update(THINGS)
        .where(THINGS.c.id == bindparam("thing"), THINGS.c.state.in_((IntentState.SENT, IntentState.UNKNOWN)))
        .values(state=IntentState.DONE, at=bindparam("when", type_=THINGS.c.at.type), amount=None)
        .returning(THINGS.c.id, THINGS.c.state, THINGS.c.at, THINGS.c.amount)
    )
    noon = datetime(2026, 11, 28, 12, tzinfo=UTC)
    changed = change.one(conn, {"thing": 3, "when": noon})
    assert tuple(changed) == (3, "done", noon, None)
    assert change.first(conn, {"thing": 3, "when": noon}) is None


def test_a_naive_time_is_refused(conn: Connection) -> None:
    with pytest.raises(ValueError, match="aware"):
        PUT.each(conn, [thing(21) | {"at": datetime(2026, 11, 28)}])  # noqa: DTZ001 - the point of it


def test_it_fails_as_sqlalchemy_does_and_shows_no_values(conn: Connection) -> None:
    with pytest.raises(IntegrityError) as failed:
        PUT.each(conn, [thing(1)])
    assert "12.340" not in str(failed.value)
    assert not failed.value.connection_invalidated


def test_it_never_runs_outside_a_transaction(url: str) -> None:
    engine = writing_engine(Where.of(url))
    with engine.connect() as conn:
        conn.begin()
        THINGS.create(conn)
        conn.commit()
        PUT.each(conn, [thing(1)])
        conn.rollback()
        assert OF_IDS.all(conn, {"ids": [1]}) == []
    engine.dispose()


@pytest.mark.postgres
@pytest.mark.xdist_group("postgres")
def test_a_lost_connection_is_given_up(postgres_empty_url: str) -> None:
    engine, others = (writing_engine(Where.of(postgres_empty_url)) for _ in range(2))
    one = Prepared(select(literal(1).label("one")))
    with engine.connect() as conn, others.connect() as other:
        pid = conn.execute(text("SELECT pg_backend_pid()")).scalar()
        other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        with pytest.raises(DBAPIError) as failed:
            one.all(conn, {})
        assert failed.value.connection_invalidated
    with engine.connect() as conn:
        assert one.one(conn, {}).one == 1
    engine.dispose()
    others.dispose()
