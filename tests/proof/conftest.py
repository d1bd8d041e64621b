"""What the tests of the proof share: one zygote, a desk in front of a sandbox, and databases on PostgreSQL."""

from collections.abc import Iterator

import pytest

from tests.flows.conftest import start_bench  # noqa: F401 - a fixture is found by its name
from tests.postgres import postgres_server  # noqa: F401
from tests.proof.workers import Nursery, nursery


@pytest.fixture(scope="session")
def workers() -> Iterator[Nursery]:
    """Where workers are forked from, started once."""
    with nursery() as ready:
        yield ready
