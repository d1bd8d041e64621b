"""What is written comes back as it was: money to the digit, times as instants, on either database."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, insert, select
from sqlalchemy.exc import IntegrityError, StatementError

from tasks.database.address import Where
from tasks.database.columns import Money, UtcTime
from tasks.database.engines import writing_engine

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
