"""One empty ledger per test, on SQLite and on PostgreSQL."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tasks.ledger import Ledger
from tests.postgres import (  # noqa: F401 - a fixture is found by its name
    ACCOUNT,
    postgres_database,
    postgres_empty_url,
    postgres_ledger_url,
    postgres_server,
)
from tests.tasks.ledger.desk import Clock, LedgerDesk

BOTH = [
    "sqlite",
    pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.xdist_group("postgres")]),
]


@pytest.fixture(scope="session")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a ledger's tables, made once, not bound to an account."""
    path = tmp_path_factory.mktemp("ledger") / "empty.sqlite"
    Ledger.open(f"sqlite:///{path}", account=ACCOUNT, clock=Clock()).close()
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("DELETE FROM ledger")
    return path


@pytest.fixture(params=BOTH)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty ledger that nobody has opened yet."""
    if request.param == "sqlite":
        shutil.copyfile(request.getfixturevalue("sqlite_file"), tmp_path / "ledger.sqlite")
        return f"sqlite:///{tmp_path}/ledger.sqlite"
    return str(request.getfixturevalue("postgres_ledger_url"))


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until it is told."""
    return Clock()


@pytest.fixture
def desk(url: str, clock: Clock) -> Iterator[LedgerDesk]:
    """An open ledger with short words for the steps."""
    ledger = Ledger.open(url, account=ACCOUNT, clock=clock)
    yield LedgerDesk(ledger, clock)
    ledger.close()
