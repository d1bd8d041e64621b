"""Statements of SQLAlchemy's that the driver executes by itself, for the steps that every effect takes.

SQLAlchemy writes the SQL, once for each kind of database, and says how each value goes in and comes out; what else it
does in every execution takes ten times as long as SQLite takes for the statement. Connections and transactions stay
SQLAlchemy's, and errors are raised as it raises them.
"""

from collections import namedtuple
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Dialect, Select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.types import TypeEngine

from tasks.database.written import Turn, Values, Written, write


class Prepared:
    """One statement. Of its parameters one may be a list (`several` names it); an INSERT needs its `columns` named."""

    def __init__(self, statement: Select[Any] | UpdateBase, *, several: str = "", columns: Sequence[str] = ()) -> None:
        answered = tuple(statement.exported_columns)
        self._statement, self._several, self._columns = statement, several, columns
        self._types: tuple[TypeEngine[Any], ...] = tuple(column.type for column in answered)
        self._row = _row([str(column.key) for column in answered])
        self._written: dict[tuple[str, int], Written] = {}
        self._turns: dict[str, list[tuple[int, Turn]]] = {}

    def all(self, conn: Connection, values: Values) -> list[Any]:
        """Execute it once; its rows as named tuples, none where it answers none. Raises `DBAPIError`."""
        rows = self._executed(conn, self._for(conn.dialect, values), values)
        turns = self._turns.get(conn.dialect.name)
        if turns is None:
            turns = self._turns[conn.dialect.name] = _results(self._types, conn.dialect)
        return [self._read(row, turns) for row in rows]

    def first(self, conn: Connection, values: Values) -> Any | None:
        """Execute it once; its first row, None where there is none. Raises `DBAPIError`."""
        rows = self.all(conn, values)
        return rows[0] if rows else None

    def one(self, conn: Connection, values: Values) -> Any:
        """Execute it once; its row, which must be there. Raises `DBAPIError`."""
        (row,) = self.all(conn, values)
        return row

    def each(self, conn: Connection, rows: Sequence[Values]) -> None:
        """Execute it for each of these, all with the same names; nothing is answered. Raises `DBAPIError`."""
        if len(rows) == 1:
            self._executed(conn, self._for(conn.dialect, rows[0]), rows[0])
        elif rows:
            self._executed_many(conn, self._for(conn.dialect, rows[0]), rows)

    def _read(self, row: Sequence[Any], turns: Sequence[tuple[int, Turn]]) -> Any:
        if not turns:
            return self._row._make(row)
        read = list(row)
        for place, turn in turns:
            read[place] = turn(read[place])
        return self._row._make(read)

    def _executed(self, conn: Connection, written: Written, values: Values) -> Sequence[Any]:
        with _cursor(conn, written.text) as cursor:
            cursor.execute(written.text, written.parameters(values))
            return cursor.fetchall() if self._types else ()

    def _executed_many(self, conn: Connection, written: Written, rows: Sequence[Values]) -> None:
        with _cursor(conn, written.text) as cursor:
            cursor.executemany(written.text, [written.parameters(values) for values in rows])

    def _for(self, dialect: Dialect, values: Values) -> Written:
        length = len(values[self._several]) if self._several else 0
        many = 1 << (length - 1).bit_length() if length else 0
        written = self._written.get((dialect.name, many))
        if written is None:
            written = self._written[dialect.name, many] = write(
                self._statement, dialect, values, several=self._several, many=many, columns=self._columns
            )
        return written


def _row(names: Sequence[str]) -> Any:
    return namedtuple("Row", names)


def _results(types: Sequence[TypeEngine[Any]], dialect: Dialect) -> list[tuple[int, Turn]]:
    """What is done to which column of a row."""
    turns = [of.dialect_impl(dialect).result_processor(dialect, None) for of in types]
    return [(place, turn) for place, turn in enumerate(turns) if turn is not None]


@contextmanager
def _cursor(conn: Connection, text: str) -> Iterator[Any]:
    """A cursor of the driver's in this connection's transaction; its errors are raised as SQLAlchemy's."""
    if not conn.in_transaction():
        conn.begin()
    cursor = conn.connection.cursor()
    try:
        yield cursor
    except conn.dialect.loaded_dbapi.Error as error:
        raise _as_sqlalchemy(conn, text, error, cursor) from error
    finally:
        cursor.close()


def _as_sqlalchemy(conn: Connection, text: str, error: Exception, cursor: Any) -> Exception:
    """A driver's error as SQLAlchemy tells it; a connection that is lost is given up, as it does."""
    lost = conn.dialect.is_disconnect(error, conn.connection, cursor)  # type: ignore[arg-type]
    base = conn.dialect.loaded_dbapi.Error
    told = DBAPIError.instance(
        text, None, error, base, hide_parameters=True, connection_invalidated=lost, dialect=conn.dialect
    )
    if lost:
        conn.invalidate(error)
    return told
