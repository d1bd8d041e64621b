"""Statements that SQLAlchemy compiles once and the driver executes directly. Set apart: it uses the compiler's inside.

SQLAlchemy writes the SQL, once for each kind of database, and says how each value goes in and comes out. Connections
and transactions stay SQLAlchemy's, and errors are raised as it raises them. Only the statements that every effect needs
are executed so: to load records, read the gate, mark `sent` and `done`, append to the audit. All others are plain.

Why it is still here: plain SQLAlchemy took 1.12 and 1.16 times the processor time of a whole return in two rounds of
500 (18.5 ms against 16.5, 21.9 against 18.9; in turns, on a loaded machine): at the limit that was set, 1.15, and not
surely below it. The ledger's part of a return, in ms:

    effects in one transaction             1      2      3
    prepared                             5.4    3.7    3.2
    plain                                7.5    6.1    5.9
    plain, reads and audit for all       7.4    4.5    3.5

A run with eight effects in flight commits 2.3 operations at a time. So once the group commit hands all operations of
one kind to one call, this file can go.
"""

from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from operator import itemgetter
from typing import Any

from sqlalchemy import BindParameter, Connection, Dialect, Select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.visitors import cloned_traverse
from sqlalchemy.types import TypeEngine

Values = Mapping[str, Any]
Turn = Callable[[Any], Any]
_Getter = Callable[[Values], Any]


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

    def _executed(self, conn: Connection, written: "Written", values: Values) -> Sequence[Any]:
        with _cursor(conn, written.text) as cursor:
            cursor.execute(written.text, written.parameters(values))
            return cursor.fetchall() if self._types else ()

    def _executed_many(self, conn: Connection, written: "Written", rows: Sequence[Values]) -> None:
        with _cursor(conn, written.text) as cursor:
            cursor.executemany(written.text, [written.parameters(values) for values in rows])

    def _for(self, dialect: Dialect, values: Values) -> "Written":
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


# How the SQL is written.


@dataclass(frozen=True, slots=True)
class _Marker:
    """Stands for a value while the SQL is written: the parameter it comes from, and which member where it is a list."""

    parameter: str
    member: int | None = None

    def getter(self, turn: Turn | None) -> _Getter:
        """What takes it out of the values of an execution."""
        parameter, member = self.parameter, self.member
        if member is not None:
            # A list is filled up with its last member: so lists have few lengths, and find nothing else.
            return lambda values: _turned(values[parameter][min(member, len(values[parameter]) - 1)], turn)
        return itemgetter(parameter) if turn is None else lambda values: turn(values[parameter])


@dataclass(frozen=True, slots=True)
class Written:
    """The SQL for one kind of database, and how each value is found that its driver is given.

    `names` is None where the driver takes values in order.
    """

    text: str
    names: Sequence[str] | None
    getters: Sequence[_Getter]

    def parameters(self, values: Values) -> Any:
        """The driver's parameters for these values."""
        found = [get(values) for get in self.getters]
        return found if self.names is None else dict(zip(self.names, found, strict=True))


def write(
    statement: Select[Any] | UpdateBase,
    dialect: Dialect,
    values: Values,
    *,
    several: str = "",
    many: int = 0,
    columns: Sequence[str] = (),
) -> Written:
    """Have SQLAlchemy write the SQL with a marker for each value, and see where the markers went.

    The parameter `several` is a list, of `many` members here; `columns` are those an INSERT is given.
    """
    marks: dict[str, Any] = {name: _Marker(name) for name in values}
    if several:
        marks[several] = [_Marker(several, member) for member in range(many)]
    compiled = _marked(statement, marks).compile(
        dialect=dialect, column_keys=list(columns) or None, compile_kwargs={"render_postcompile": True}
    )
    found = compiled.construct_params(marks if columns else None)
    named = dialect.paramstyle == "pyformat"
    order = list(found) if named else list(compiled.positiontup or ())
    getters = [_getter(found[name], _type(compiled, name), dialect) for name in order]
    return Written(str(compiled), order if named else None, getters)


def _marked(statement: Any, marks: Mapping[str, Any]) -> Any:
    """The statement with these values for its parameters: a list of values is written only when they are there."""

    def put(bound: BindParameter[Any]) -> None:
        if bound.key in marks:
            bound.value, bound.required = marks[bound.key], False

    return cloned_traverse(statement, {}, {"bindparam": put})


def _getter(value: Any, of: TypeEngine[Any], dialect: Dialect) -> _Getter:
    turn = of.dialect_impl(dialect).bind_processor(dialect)
    if isinstance(value, _Marker):
        return value.getter(turn)
    constant = _turned(value.value if isinstance(value, Enum) else value, turn)
    return lambda _: constant


def _turned(value: Any, turn: Turn | None) -> Any:
    return turn(value) if turn else value


def _type(compiled: SQLCompiler, name: str) -> TypeEngine[Any]:
    """The type of a bound value; a list's members are named after it, with their number behind."""
    bound = compiled.binds[name if name in compiled.binds else name.rpartition("_")[0]]
    of: TypeEngine[Any] = bound.type
    return of
