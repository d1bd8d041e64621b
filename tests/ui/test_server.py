"""The real server of the live tests answers, and shows its UI."""

import httpx
import pytest

from deployments.prefect_server import PrefectServer

pytestmark = pytest.mark.live


def test_the_server_answers_and_shows_its_ui(live_server: PrefectServer) -> None:
    assert httpx.get(f"{live_server.address}/api/health", trust_env=False).json() is True
    page = httpx.get(f"{live_server.address}/", trust_env=False, follow_redirects=True)
    assert page.status_code == httpx.codes.OK
    assert "text/html" in page.headers["content-type"]
