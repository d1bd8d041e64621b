"""SQL for one kind of database: written once by SQLAlchemy, with a way to find each value that its driver is given."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from operator import itemgetter
from typing import Any

from sqlalchemy import BindParameter, Dialect, Select
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.visitors import cloned_traverse
from sqlalchemy.types import TypeEngine

Values = Mapping[str, Any]
Turn = Callable[[Any], Any]
_Getter = Callable[[Values], Any]


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
