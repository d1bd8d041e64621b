"""The ledger is the database that these tests write to."""

from tests.postgres import (  # noqa: F401 - a fixture is found by its name
    postgres_database,
    postgres_empty_url,
    postgres_ledger_url,
    postgres_server,
)
from tests.tasks.ledger.conftest import clock, desk, sqlite_file, url  # noqa: F401
