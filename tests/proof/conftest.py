"""What the tests of the proof share: one zygote, and databases on PostgreSQL."""

from collections.abc import Iterator

import pytest

from tests.postgres import postgres_server  # noqa: F401 - a fixture is found by its name
from tests.proof.workers import Nursery, nursery


@pytest.fixture(scope="session")
def workers() -> Iterator[Nursery]:
    """Where workers are forked from, started once."""
    with nursery() as ready:
        yield ready
