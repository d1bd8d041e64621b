"""One empty ledger per test, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
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


@pytest.fixture(params=BOTH)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty ledger that nobody has opened yet."""
    if request.param == "sqlite":
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
