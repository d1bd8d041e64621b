"""Whether each value of a ledger on SQLite can be what it stands for: asked when an operation fails unexpectedly.

SQLite keeps any bytes in any column and decodes them only when they are read, so a damaged file shows as a value that
is no time, no amount or no text. Such a ledger is to be restored, not to be looked for in this software's code.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    Table,
    func,
    not_,
    or_,
    select,
    true,
)

from tasks.ledger.schema import holds, intents, metadata
from tasks.policy.record import HoldKind, IntentKind, IntentState

_ONE_OF: Mapping[Column[Any], type[StrEnum]] = MappingProxyType(
    {intents.c.state: IntentState, intents.c.kind: IntentKind, holds.c.kind: HoldKind}
)


def unreadable(conn: Connection) -> bool:
    """Whether any value cannot be read, or is of another kind than its column. Always False on PostgreSQL."""
    if conn.dialect.name != "sqlite":
        return False
    return any(_of_another_kind(conn, table) or _undecodable(conn, table) for table in metadata.sorted_tables)


def _of_another_kind(conn: Connection, table: Table) -> bool:
    for column in table.columns:
        kind = func.typeof(column)
        allowed = {_stored_as(column), *(["null"] if column.nullable else [])}
        known = column.in_(list(_ONE_OF[column])) if column in _ONE_OF else true()
        wrong = or_(kind.not_in(sorted(allowed)), not_(known))
        if conn.execute(select(kind).select_from(table).where(wrong).limit(1)).first() is not None:
            return True
    return False


def _stored_as(column: Column[Any]) -> str:
    if isinstance(column.type, Integer | BigInteger | Boolean):
        return "integer"
    return "blob" if isinstance(column.type, LargeBinary) else "text"


def _undecodable(conn: Connection, table: Table) -> bool:
    documents = [column.name for column in table.columns if isinstance(column.type, JSON)]
    try:
        rows = conn.execute(select(table)).mappings()
        return any(not isinstance(row[name], dict | None) for row in rows for name in documents)
    except Exception:  # noqa: BLE001 - whatever a value's type raises: it cannot be read
        return True
