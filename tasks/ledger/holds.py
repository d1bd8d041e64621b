"""The holds that wait for a person."""

from collections.abc import Collection

from sqlalchemy import Connection

from tasks.ledger.types import HoldRow


def open_holds(conn: Connection, stores: Collection[str] | None = None) -> list[HoldRow]:
    """All holds nobody has answered, oldest first, with what each answer would do."""
    raise NotImplementedError
