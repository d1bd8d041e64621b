"""A running sandbox with each scenario in both shops, and a plain HTTP client that holds its key."""

from collections.abc import Iterator

import httpx
import pytest

from rever_api.sandbox import RunningSandbox, running_sandbox
from rever_api.sandbox.seed import SCENARIOS


@pytest.fixture
def running() -> Iterator[RunningSandbox]:
    with running_sandbox(returns=2 * len(SCENARIOS)) as started:
        yield started


@pytest.fixture
def http(running: RunningSandbox) -> Iterator[httpx.Client]:
    with client_of(running) as client:
        yield client


def client_of(running: RunningSandbox, timeout: float = 5) -> httpx.Client:
    # Without TLS there is nothing to verify, and reading the certificates is the slowest part of a small test.
    return httpx.Client(
        verify=False, base_url=running.base_url, headers={"x-rever-api-key": running.api_key}, timeout=timeout
    )
