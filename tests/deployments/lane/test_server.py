"""A server that is away: said once, asked less and less often, and gone on with when it is back."""

import asyncio
import logging

import httpx
import pytest

from deployments.lane import lane as lane_server
from deployments.lane.lane import LONGEST_PAUSE_S, Server
from tasks.desk import DeskError

ADDRESS = "http://127.0.0.1:4200/api"


async def _answers() -> None:
    """A question that is answered."""


async def _is_away() -> None:
    raise httpx.ConnectError("refused")


async def _says(status: int) -> None:
    httpx.Response(status, request=httpx.Request("GET", ADDRESS)).raise_for_status()


async def test_a_server_that_is_away_is_said_once_and_asked_less_often(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, lane_server.__name__)
    server, pauses = Server(ADDRESS, 0.25), []
    for _ in range(8):
        assert not await server.asked(_is_away)
        pauses.append(server.pause_s)
    assert pauses[:4] == [0.5, 1, 2, 4]
    assert pauses[4:] == [LONGEST_PAUSE_S] * 4
    assert await server.asked(_answers)
    assert server.pause_s == 0.25
    assert [record.getMessage() for record in caplog.records] == [
        f"Prefect's server at {ADDRESS} does not respond (ConnectError): asked again every {LONGEST_PAUSE_S:g} s",
        "Prefect's server responds again",
    ]


async def test_a_server_that_errs_or_takes_too_long_counts_as_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_server, "PATIENCE_S", 0.01)
    assert not await Server(ADDRESS, 0.25).asked(lambda: _says(503))
    assert not await Server(ADDRESS, 0.25).asked(lambda: asyncio.sleep(60))


async def test_a_server_that_refuses_us_ends_the_lane_with_a_sentence() -> None:
    with pytest.raises(DeskError, match="PREFECT_API_AUTH_STRING"):
        await Server(ADDRESS, 0.25).asked(lambda: _says(401))
