"""What statements need on either kind of database: one upsert, and lists in pieces that one query takes."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Insert, Table
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

Id = TypeVar("Id", str, int)

CHUNK = 500
"""Ids in one statement: below SQLite's limit of bound values on any build."""


def chunks(ids: Collection[Id]) -> Iterator[list[Id]]:
    """These ids, each once and sorted, in pieces that one statement takes."""
    ordered = sorted(set(ids))
    for start in range(0, len(ordered), CHUNK):
        yield ordered[start : start + CHUNK]


def upsert(
    conn: Connection, table: Table, keys: Sequence[str], change: Sequence[str] | Mapping[str, Any] = ()
) -> Insert:
    """Return an INSERT that, for a row whose `keys` are there already, changes that row instead.

    `change` names the columns that take the new row's values, or maps columns to expressions. If it is empty, the row
    that is there stays as it is, and is not returned. SQLAlchemy compiles such a statement anew each time.
    """
    make: Any = postgresql_insert if conn.dialect.name == "postgresql" else sqlite_insert
    statement = make(table)
    if not change:
        return statement.on_conflict_do_nothing(index_elements=keys)  # type: ignore[no-any-return]
    new = change if isinstance(change, Mapping) else {name: statement.excluded[name] for name in change}
    return statement.on_conflict_do_update(index_elements=keys, set_=new)  # type: ignore[no-any-return]
