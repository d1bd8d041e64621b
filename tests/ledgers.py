"""Ledgers without the price of a new one: their migrations are played, and their statements compiled, once a process.

What the migrations come to is copied, not said a second time. How they bring an older ledger up is tried in
`tests/tasks/ledger/test_migrating.py`.
"""

import sqlite3
import tempfile
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import ClauseElement, Connection, Dialect

from tasks.database.engines import Where
from tasks.desk import utc_now
from tasks.ledger import Ledger, ledger

_making = Lock()


def remember_migrations() -> None:
    """Have this process make each new ledger by the statements that the migrations came to the first time."""
    upgrade, statements = ledger._upgrade, list[str]()

    def remembered(conn: Connection, where: Where, found: str) -> None:
        if found or where.path is None:
            upgrade(conn, where, found)
        elif statements:
            for statement in statements:
                conn.exec_driver_sql(statement)
        else:
            upgrade(conn, where, found)
            connection = conn.connection.dbapi_connection
            assert isinstance(connection, sqlite3.Connection)
            statements[:] = [each for each in connection.iterdump() if each not in {"BEGIN TRANSACTION;", "COMMIT;"}]

    ledger._upgrade = remembered


def remember_compiled() -> None:
    """Have all engines of this process share what each would compile by itself: a statement's words for its database.

    A test has an engine of its own, and compiling would be half of what its ledger costs.
    """
    compile_with_cache, dialects, compiled = ClauseElement._compile_w_cache, dict[Any, Dialect](), dict[Any, Any]()

    def remembered(element: ClauseElement, dialect: Any, *, compiled_cache: Any, **how: Any) -> Any:
        if compiled_cache is None or dialect.is_async:  # Prefect's engines are
            return compile_with_cache(element, dialect, compiled_cache=compiled_cache, **how)
        alike = type(dialect), dialect._json_serializer  # what an engine of ours may set, and a statement depends on
        return compile_with_cache(element, dialects.setdefault(alike, dialect), compiled_cache=compiled, **how)

    ClauseElement._compile_w_cache = remembered  # type: ignore[method-assign, assignment]


def empty_sqlite(file: Path, account: str) -> str:
    """Make an empty ledger of this account by a copy of one that was migrated once. Returns its URL."""
    with _making:
        file.write_bytes(_template(account))
    return f"sqlite:///{file}"


@cache
def _template(account: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="ledger-") as folder:
        file = Path(folder) / "ledger.sqlite"
        Ledger.open(f"sqlite:///{file}", account=account, clock=utc_now).close()
        return file.read_bytes()
