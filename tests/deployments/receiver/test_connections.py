"""Real sockets before the receiver: what says nothing, or says it slowly, keeps no delivery out."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from pydantic import SecretStr

from deployments.prefect_server import without_own_settings
from deployments.receiver.app import create_app
from deployments.receiver.connections import MOST, GuardedConnection
from deployments.receiver.offers import waiting_returns
from rever_api.webhooks import SIGNATURE_HEADER, sign
from tests.deployments.receiver.conftest import Desk, body, signed
from tests.deployments.receiver.processes import receiving

URL = "/webhooks/rever"


@asynccontextmanager
async def serving(desk: Desk, **bounds: float) -> AsyncIterator[int]:
    """The receiver of this desk on a port of 127.0.0.1, its connections with these bounds."""
    guarded = type("Guarded", (GuardedConnection,), bounds)
    most = int(bounds.get("most", MOST))
    config = uvicorn.Config(
        create_app(desk.receiver()), http=guarded, log_config=None, ws="none", limit_concurrency=most, lifespan="off",
        proxy_headers=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
        task = asyncio.create_task(server._serve([listening]))
        while not server.started:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.005)
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = server.force_exit = True
            await task


def request(raw: bytes, *more: str, method: str = "POST", path: str = URL) -> bytes:
    """A request as it goes over the wire, with these headers and no others."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *more, "", ""]).encode() + raw


def delivery(raw: bytes) -> bytes:
    """A good one."""
    return request(raw, *(f"{name}: {value}" for name, value in signed(raw).items()), f"Content-Length: {len(raw)}")


async def sent(port: int, raw: bytes) -> bytes:
    """Send this on a connection of its own; return the first line of what comes back, b"" where it was cut off."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(raw)
        async with asyncio.timeout(20):
            return (await reader.readline()).strip()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def cut_off(reader: asyncio.StreamReader) -> bool:
    """Whether the other side has ended the connection without an answer, within some seconds."""
    try:
        async with asyncio.timeout(10):
            return await reader.read() == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize(
    "silence",
    [
        b"",
        b"POST /webh",
        request(b"", "Content-Type: application/json")[:-2],
        request(b"{", "Content-Type: application/json", "Content-Length: 100"),
        request(b"x", "Content-Length: 100", path="/nowhere"),
        request(b"", "Content-Length: 100", "Expect: 100-continue", "Content-Type: application/json"),
    ],
)
async def test_connections_that_keep_us_waiting_make_room_for_a_delivery(local: Desk, silence: bytes) -> None:
    async with serving(local, most=20, head_s=60, rest_s=60) as port:
        kept = [await asyncio.open_connection("127.0.0.1", port) for _ in range(45)]
        for _, writer in kept:
            writer.write(silence)
        raws = [body(f"retp_{number}") for number in range(3)]
        assert [await sent(port, delivery(raw)) for raw in raws] == [b"HTTP/1.1 202 Accepted"] * 3
        for _, writer in kept:
            writer.close()
    assert len(local.inbox.read(waiting_returns)) == 3


async def test_a_request_must_be_in_within_its_time(local: Desk) -> None:
    dribbling = request(b"", *(f"X-{n}: y" for n in range(1000)))
    async with serving(local, head_s=0.3, rest_s=0.3) as port:
        silent, said_half, dribbles, body_stuck = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4)]
        said_half[1].write(b"POST / HTTP/1.1\r\nHost: 127")
        body_stuck[1].write(request(b"x", "Content-Length: 100", path="/nowhere"))

        async def dribble() -> None:
            for sign_ in dribbling:
                dribbles[1].write(bytes([sign_]))
                await asyncio.sleep(0.01)

        slowly = asyncio.create_task(dribble())
        assert [await cut_off(reader) for reader, _ in (silent, said_half, dribbles)] == [True] * 3
        slowly.cancel()
        assert (await body_stuck[0].readline()).strip() == b"HTTP/1.1 404 Not Found"
        async with asyncio.timeout(10):
            await body_stuck[0].read()
        assert await sent(port, delivery(body())) == b"HTTP/1.1 202 Accepted"


async def test_a_second_request_on_a_connection_has_a_time_of_its_own(local: Desk) -> None:
    async with serving(local, head_s=0.5, rest_s=0.5) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in range(4):
            await asyncio.sleep(0.3)
            raw = body(f"retp_{number}")
            writer.write(delivery(raw))
            assert await reader.readline() == b"HTTP/1.1 202 Accepted\r\n"
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
        writer.write(delivery(body("last"))[:40])
        assert await cut_off(reader)


@pytest.mark.parametrize(
    "headers",
    [
        ("Content-Length: {length}", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: {length}"),
        ("Transfer-Encoding: chunked", "Content-Length: 0"),
        ("transfer-encoding: Chunked", "content-length: {length}"),
    ],
)
async def test_a_length_that_is_stated_in_two_ways_is_refused(local: Desk, headers: tuple[str, ...]) -> None:
    raw = body()
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(raw), raw)
    more = [f"{name}: {value}" for name, value in signed(raw).items()]
    lengths = [header.format(length=len(chunked)) for header in headers]
    async with serving(local) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(chunked, *more, *lengths) + delivery(body("retp_smuggled")))
        assert (await reader.readline()).strip() == b"HTTP/1.1 400 Bad Request"
        assert b"HTTP/1.1" not in await reader.read()
        assert await sent(port, request(chunked, *more, "Transfer-Encoding: chunked")) == b"HTTP/1.1 202 Accepted"
    assert [item.process_id for item in local.inbox.read(waiting_returns)] == ["retp_1"]


@pytest.mark.parametrize("lengths", [("5", "6"), ("-1",), ("+5",), ("0x5",), ("5 5",), ("",)])
async def test_a_length_that_is_none_is_refused(local: Desk, lengths: tuple[str, ...]) -> None:
    async with serving(local) as port:
        told = await sent(port, request(body(), *(f"Content-Length: {length}" for length in lengths)))
    assert told == b"HTTP/1.1 400 Bad Request"


def test_hundreds_of_silent_connections_do_not_keep_a_delivery_out(tmp_path: Path) -> None:
    """The command itself, with its own bounds."""
    env = {
        **without_own_settings(os.environ),
        "REVER_BASE_URL": "http://127.0.0.1:9",
        "REVER_API_KEY": "key",
        "REVER_STORES": "acme",
        "REVER_WEBHOOK_SECRETS": "a-shared-s3cr3t",
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_URL": "http://127.0.0.1:9/api",
    }
    raw = body()
    headers = {"content-type": "application/json", SIGNATURE_HEADER: sign(raw, SecretStr("a-shared-s3cr3t"))}
    with receiving(tmp_path, env) as receiver, ExitStack() as stack:
        for number in range(MOST + 88):
            silent = stack.enter_context(socket.create_connection(("127.0.0.1", receiver.port), timeout=20))
            if number % 2:
                silent.sendall(b"POST /webhooks/rever HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        began = time.monotonic()
        answer = httpx.post(f"{receiver.url}/", content=raw, headers=headers, trust_env=False, timeout=20)
        assert (answer.status_code, answer.json()) == (202, {"outcome": "stored"})
        print(f"answered after {time.monotonic() - began:.2f} s")
        assert httpx.get(f"{receiver.address}/health", trust_env=False, timeout=20).status_code == 200
