"""A list of texts that a statement takes as one value, however long it is.

So the statement's text is always the same: SQLAlchemy writes it once, and driver and server read it once. With a value
for each text all three would begin anew for every length.
"""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Dialect, Text, TypeDecorator, bindparam
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

_JSON = json.JSONEncoder(ensure_ascii=False).encode


class Texts(TypeDecorator[Sequence[str]]):
    """A list of texts: an array, or on SQLite, which has none, JSON."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Which of the two it is."""
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else ARRAY(Text()))

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> Any:
        """Write the list as the database takes it; an enum is its text."""
        plain = [str(each) for each in value or ()]
        return _JSON(plain) if dialect.name == "sqlite" else plain


class _Among(FunctionElement[Any]):
    # Without a type: SQLite would ask of a Boolean whether it is 1, and no index would serve.
    name = "among"
    inherit_cache = True


def among(column: ColumnElement[Any], name: str) -> ColumnElement[Any]:
    """Whether the column's text is one of those in the parameter of this name; of an empty list none is."""
    texts: BindParameter[Any] = bindparam(name, type_=Texts())
    return _Among(column, texts)


@compiles(_Among)
def _any(element: _Among, compiler: SQLCompiler, **how: Any) -> str:
    column, texts = (compiler.process(each, **how) for each in element.clauses)
    return f"{column} = ANY ({texts})"


@compiles(_Among, "sqlite")
def _each(element: _Among, compiler: SQLCompiler, **how: Any) -> str:
    column, texts = (compiler.process(each, **how) for each in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({texts}))"  # noqa: S608 - both are the compiler's own
