"""A server that is not there, or refuses us."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments.bootstrap.command import server
from deployments.bootstrap.objects import BootstrapError
from deployments.prefect_server import free_port


async def why_not(url: str | None, wait_s: float = 0) -> str:
    with temporary_settings({PREFECT_API_URL: url}), pytest.raises(BootstrapError) as found:
        async with server(wait_s):
            pass
    return str(found.value)


@contextmanager
def answering(health: int, rest: int) -> Iterator[str]:
    """Something on a port that answers its health with one status and everything else with another."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(health if self.path.endswith("/health") else rest)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Nothing."""

    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}/api"
    finally:
        listening.shutdown()
        listening.server_close()


async def test_no_address_means_no_server_of_ones_own() -> None:
    assert "PREFECT_API_URL is not set" in await why_not(None)


async def test_a_server_that_does_not_come_up_is_waited_for_and_named_without_its_password() -> None:
    port = free_port()
    said = await why_not(f"http://me:secret@127.0.0.1:{port}/api", wait_s=0.6)
    assert f"@127.0.0.1:{port}/api after 0.6 s (ConnectError): start it with `python -m deployments." in said
    assert "secret" not in said


async def test_what_is_no_prefect_server_is_said_to_be_none() -> None:
    with answering(404, 404) as url:
        assert "(HTTP 404)" in await why_not(url)


@pytest.mark.parametrize("health", [200, 401])
async def test_a_server_with_a_password_says_which_variable(health: int) -> None:
    with answering(health, 401) as url:
        assert "set PREFECT_API_AUTH_STRING" in await why_not(url)
