"""Connections below httpx: one for each call in flight, none that the server has closed, and errors as httpx's own."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import psutil
import pytest

from rever_api.connections import ConnectionPerCall
from rever_api.http import reason_in_words, trusted
from tests.rever_api.samples import REFUNDED
from tests.rever_api.test_http import refused_port
from tests.rever_api.told_server import ToldServer, answers, closes, cuts, told_server


@pytest.fixture
async def ours() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=ConnectionPerCall(trusted(trust_env=False), 3)) as client:
        yield client


def remembers(peers: list[Any]) -> Any:
    """Answer, and keep the client's address."""

    def play(conversation: Any) -> None:
        peers.append(conversation.client_address)
        time.sleep(0.05)
        answers(200, REFUNDED)(conversation)

    return play


def established(peers: list[Any]) -> set[Any]:
    """Which of these addresses of a client are connected."""
    open_now = {each.laddr for each in psutil.Process().net_connections() if each.status == psutil.CONN_ESTABLISHED}
    return open_now & set(peers)


async def test_calls_at_the_same_time_share_none_and_later_ones_take_the_last_used(
    ours: httpx.AsyncClient, told: ToldServer
) -> None:
    peers: list[Any] = []
    told.tell(remembers(peers))
    await asyncio.gather(*(ours.get(told.url) for _ in range(3)))
    assert len(set(peers)) == 3
    for _ in range(3):
        await ours.get(told.url)
    assert len(set(peers)) == 3
    assert len(set(peers[3:])) == 1
    assert len(established(peers)) == 3
    await ours.aclose()
    assert established(peers) == set()


async def test_of_too_many_the_one_unused_for_longest_is_closed(ours: httpx.AsyncClient, told: ToldServer) -> None:
    peers: list[Any] = []
    told.tell(remembers(peers))
    await ours.get(told.url)
    await asyncio.gather(*(ours.get(told.url) for _ in range(5)))
    assert len(set(peers)) == 5
    assert len(established(peers)) == 3


async def test_a_connection_goes_to_one_host_only(ours: httpx.AsyncClient, told: ToldServer) -> None:
    peers: list[Any] = []
    told.tell(remembers(peers))
    with told_server() as other:
        other.tell(answers(404))
        found = [(await ours.get(each.url)).status_code for each in (told, other, told, other)]
    assert found == [200, 404, 200, 404]
    assert len(set(peers)) == 1


async def test_a_connection_that_the_server_closed_meanwhile_is_not_used(
    ours: httpx.AsyncClient, told: ToldServer
) -> None:
    """The effect that met it would have an unknown outcome."""
    told.tell(answers(200, close=True), answers(200))
    await ours.get(told.url)
    await asyncio.sleep(0.05)
    assert (await ours.post(told.url, json={})).status_code == 200
    assert [heard.method for heard in told.heard] == ["GET", "POST"]


async def test_a_connection_that_lay_idle_for_long_is_not_used(
    ours: httpx.AsyncClient, told: ToldServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rever_api.connections.KEEP_ALIVE", 0.05)
    peers: list[Any] = []
    told.tell(remembers(peers))
    await ours.get(told.url)
    await asyncio.sleep(0.1)
    await ours.get(told.url)
    assert len(set(peers)) == 2
    assert established(peers) == {peers[-1]}


async def test_calls_at_the_same_time_that_find_old_connections_take_new_ones(
    ours: httpx.AsyncClient, told: ToldServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To close an old one is a wait, in which others look for theirs."""
    monkeypatch.setattr("rever_api.connections.KEEP_ALIVE", 0.05)
    peers: list[Any] = []
    told.tell(remembers(peers))
    for _ in range(2):
        await asyncio.gather(*(ours.get(told.url) for _ in range(3)))
        await asyncio.sleep(0.1)
    assert len(set(peers)) == 6


@pytest.mark.parametrize("after", [0.0, 0.02])
async def test_the_connection_of_a_call_that_is_cancelled_is_closed(
    ours: httpx.AsyncClient, told: ToldServer, after: float
) -> None:
    peers: list[Any] = []
    told.tell(remembers(peers))
    call = asyncio.create_task(ours.get(told.url))
    while not peers:  # noqa: ASYNC110 - it is a thread that hears
        await asyncio.sleep(0.001)
    await asyncio.sleep(after)
    call.cancel()
    await asyncio.wait([call])
    assert call.cancelled()
    assert established(peers) == set()
    assert (await ours.get(told.url)).status_code == 200
    assert len(set(peers)) == 2


@pytest.mark.parametrize("steps", range(12))
async def test_a_call_that_is_cancelled_early_leaves_no_connection_that_nobody_uses(
    ours: httpx.AsyncClient, told: ToldServer, steps: int
) -> None:
    """Kept alive it may be used again, or it is closed."""
    told.tell(answers(200))
    await ours.get(told.url)
    calls = [asyncio.create_task(ours.post(told.url, json={})) for _ in range(2)]
    for _ in range(steps):
        await asyncio.sleep(0)
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)
    assert (await ours.get(told.url)).status_code == 200
    await asyncio.sleep(0.05)
    assert len(
        established([each.laddr for each in psutil.Process().net_connections() if goes_to(told, each)])
    ) <= 1 + sum(not call.cancelled() for call in calls)


def goes_to(told: ToldServer, connection: Any) -> bool:
    return bool(connection.raddr) and connection.raddr.port == told.port


PLAYS = {
    "closed": closes(),
    "reset": closes(reset=True),
    "cut": cuts(b"{", 50),
    "answered": answers(200, REFUNDED),
    "no HTTP": lambda conversation: conversation.wfile.write(b"hello\r\n\r\n"),
}


@pytest.mark.parametrize("play", [*PLAYS, "refused", "no TLS", "no scheme"])
async def test_a_call_ends_as_over_httpx_s_own_transport_and_says_as_much_on_the_way(
    ours: httpx.AsyncClient, told: ToldServer, play: str
) -> None:
    """How far a request got is read from these events, and what its failure means from the error."""
    told.tell(PLAYS.get(play, closes()))
    here = {
        "refused": f"http://127.0.0.1:{refused_port()}",
        "no TLS": told.url.replace("http:", "https:"),
        "no scheme": told.url.replace("http:", "ftp:"),
    }.get(play, told.url)
    async with httpx.AsyncClient() as theirs:
        assert await course(ours, here) == await course(theirs, here)


async def course(client: httpx.AsyncClient, url: str) -> tuple[list[str], type[Exception] | int, str]:
    """The trace events of a call, how it ended, and the failure in words."""
    events: list[str] = []

    async def trace(event: str, _info: Any) -> None:
        events.append(event)

    try:
        answer = await client.post(url, json={"a": 1}, extensions={"trace": trace})
    except httpx.TransportError as broken:
        return events, type(broken), reason_in_words(broken)
    return events, answer.status_code, ""
