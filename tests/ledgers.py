"""Empty ledgers on SQLite without the price of their migrations, which are played once a process.

What the migrations come to is copied, not said a second time. How they bring an older ledger up is tried in
`tests/tasks/ledger/test_migrating.py`.
"""

import sqlite3
import tempfile
from functools import cache
from pathlib import Path
from threading import Lock

from sqlalchemy import Connection

from tasks.database.address import Where
from tasks.desk import utc_now
from tasks.ledger import Ledger, migrate

_making = Lock()


def remember_migrations() -> None:
    """Have this process make each new ledger by the statements that the migrations came to the first time."""
    upgrade, statements = migrate._upgrade, list[str]()

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

    migrate._upgrade = remembered


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
