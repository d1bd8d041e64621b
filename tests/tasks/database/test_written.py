"""What a step costs: few statements, none compiled anew, and a transaction that begins as a writer."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.engine.interfaces import CacheStats

from tasks.database import prepared, written
from tasks.database.address import Where
from tasks.database.engines import reading_engine, writing_engine
from tasks.database.readers import Reader
from tasks.ledger import load_records
from tests.tasks.ledger.desk import LedgerDesk


@contextmanager
def statements(engine: Engine) -> Iterator[list[tuple[str, bool]]]:
    """The statements that are executed meanwhile, and whether each had to be compiled."""
    seen: list[tuple[str, bool]] = []
    cursor, write = prepared._cursor, written.write

    def note(_conn: Any, _cursor: Any, statement: str, _parameters: Any, context: Any, _many: bool) -> None:
        seen.append((statement, context.cache_hit is not CacheStats.CACHE_HIT))

    def note_prepared(conn: Connection, text: str) -> AbstractContextManager[Any]:
        seen.append((text, False))
        return cursor(conn, text)

    def note_written(*statement: Any, **how: Any) -> Any:
        seen.append(("written anew", True))
        return write(*statement, **how)

    event.listen(engine, "before_cursor_execute", note)
    with patch.object(prepared, "_cursor", note_prepared), patch.object(prepared, "write", note_written):
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


def test_reading_a_return_again_takes_three_statements_and_compiles_none(desk: LedgerDesk) -> None:
    for process_id in ("p1", "p2"):
        desk.claim(process_id)
    assert isinstance(desk.ledger._reader, Reader)
    read = of_second(desk.ledger._reader._engine, lambda process_id: desk.ledger.read(load_records, [process_id]))
    assert len(read) == 3
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
