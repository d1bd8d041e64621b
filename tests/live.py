"""A real Prefect server for tests, started as `rever-returns up` starts it, with `deployments/server.env`.

The fixture `live_server` (tests/conftest.py) starts one per session, and only where a test asks for it. It keeps what
it is given: tests name their work pools and deployments apart, and take away what would run on.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from deployments.prefect_server import PrefectServer, without_own_settings


@contextmanager
def in_prefect_of(server: PrefectServer) -> Iterator[None]:
    """Let this process's Prefect clients, flows and events talk to the server while the block runs."""
    from prefect.settings import (
        PREFECT_API_AUTH_STRING,
        PREFECT_API_URL,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        temporary_settings,
    )

    with temporary_settings(
        {
            PREFECT_API_URL: server.variables["PREFECT_API_URL"],
            PREFECT_API_AUTH_STRING: server.variables["PREFECT_API_AUTH_STRING"],
            PREFECT_FLOWS_HEARTBEAT_FREQUENCY: 30,
        }
    ):
        yield


def environment(server: PrefectServer, settings: dict[str, str] | None = None) -> dict[str, str]:
    """What a child process needs to work with the server: this process's variables, Prefect's, and `settings`."""
    return {**without_own_settings(os.environ), **server.variables, **(settings or {})}
