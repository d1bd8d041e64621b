"""Which hosts a server answers to: addresses, `localhost`, and the names it is known by; no name of somebody else's."""

from collections.abc import Sequence

import pytest
from starlette.types import Message, Receive, Scope, Send

from deployments.host_check import HostCheck


async def _reached(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "reached"})


async def _sent(kind: str, hosts: Sequence[str], names: Sequence[str] = ()) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    scope = {"type": kind, "headers": [(b"host", host.encode()) for host in hosts]}
    await HostCheck(_reached, names)(scope, receive, send)
    return sent


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.0.0.1:4200", "[::1]:4200", "localhost:4200", "LocalHost.", "10.1.2.3",
        "returns.example.com", "Returns.Example.com.:443",
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_what_it_is_known_by_is_let_through(host: str, kind: str) -> None:
    assert await _sent(kind, [host], ["returns.example.com"]) == [{"type": "reached"}]


@pytest.mark.parametrize(
    "hosts",
    [
        ["evil.example"], ["evil.example:4200"], ["127.0.0.1.evil.example"], ["localhost.evil.example"], [""], [],
        ["127.0.0.1", "evil.example"], ["evil.example@127.0.0.1"], ["0x7f.1"], ["sub.returns.example.com"], [":4200"],
    ],
)  # fmt: skip
async def test_any_other_name_is_refused(hosts: list[str]) -> None:
    start, body = await _sent("http", hosts, ["returns.example.com", ""])
    assert start["status"] == 400
    assert b"Host header" in body["body"]
    assert await _sent("websocket", hosts) == [{"type": "websocket.close", "code": 1008}]


async def test_the_start_and_end_of_the_server_are_passed_on() -> None:
    assert await _sent("lifespan", []) == [{"type": "reached"}]
