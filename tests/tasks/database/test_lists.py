"""A list as one value: the same rows as with a value for each, by an index, and one text for every length."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Column, Connection, Engine, MetaData, Table, Text, event, insert, select, text

from tasks.database.engines import Where, writing_engine
from tasks.database.lists import among

NAMED = Table("named", MetaData(), Column("name", Text, primary_key=True))
THESE = select(NAMED.c.name).where(among(NAMED.c.name, "names")).order_by(NAMED.c.name)
ODD = ["a", 'quote"', "back\\slash", "{brace,", "NULL", "null", "", "ünï 🎁", "7", "it's"]


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    made = writing_engine(Where.of(url))
    yield made
    made.dispose()


@pytest.fixture
def conn(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        connection.begin()
        NAMED.create(connection)
        yield connection
        connection.rollback()


def names(conn: Connection, wanted: list[str]) -> set[str]:
    return set(conn.execute(THESE, {"names": wanted}).scalars())


def test_the_texts_of_the_list_are_found_and_no_others(conn: Connection) -> None:
    conn.execute(insert(NAMED), [{"name": each} for each in [*ODD, "other"]])
    assert names(conn, ODD) == set(ODD)
    assert names(conn, ["a", "a", "nobody"]) == {"a"}
    assert names(conn, []) == set()


def test_the_text_is_the_same_for_every_length(engine: Engine, conn: Connection) -> None:
    told: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda _c, _r, statement, *_: told.append(statement))
    for wanted in ([], ["a"], ODD):
        names(conn, wanted)
    assert len(told) == 3
    assert len(set(told)) == 1


def test_the_index_serves(conn: Connection) -> None:
    conn.execute(insert(NAMED), [{"name": f"n{number:05}"} for number in range(3000)])
    if conn.dialect.name == "postgresql":
        conn.execute(text("ANALYZE named"))
    explain = "EXPLAIN QUERY PLAN" if conn.dialect.name == "sqlite" else "EXPLAIN"
    plain = str(THESE.compile(conn, compile_kwargs={"render_postcompile": True}))
    value = '["n00001"]' if conn.dialect.name == "sqlite" else ["n00001"]
    given = (value,) if conn.dialect.name == "sqlite" else {"names": value}
    plan = " ".join(str(row) for row in conn.exec_driver_sql(f"{explain} {plain}", given))
    assert "SEARCH named USING" in plan or "Index" in plan


def test_it_can_be_printed() -> None:
    assert "named.name = ANY (:names)" in str(THESE)
