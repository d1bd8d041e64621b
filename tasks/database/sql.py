"""What SQLAlchemy lacks for SQLite and PostgreSQL alike: exact money, aware times, one upsert, lists in pieces."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy import Connection, DateTime, Dialect, Insert, Table, Text
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.types import TypeDecorator

Id = TypeVar("Id", str, int)

CHUNK = 500
"""Ids in one statement: below SQLite's limit of bound values on any build."""


class Money(TypeDecorator[Decimal]):
    """An exact decimal, kept as text in plain notation: neither database rounds it, and SQLite has no decimals."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Write it out, digit for digit."""
        return None if value is None else format(value, "f")

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        """Read it back, digit for digit."""
        return None if value is None else Decimal(value)


class UtcTime(TypeDecorator[datetime]):
    """An instant. Always aware, always UTC; SQLite keeps it without a zone. A naive time is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn it to UTC. Raises `ValueError` for a naive time."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("the database takes aware times only")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Make it aware again."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


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
