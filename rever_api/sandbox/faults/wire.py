"""Answers as bytes: whole, slow, cut in the middle, or none at all, the connection being closed or reset.

Closing needs the connection itself: `SandboxProtocol` puts it into the ASGI scope, as the extension `rever.connection`.
"""

import asyncio
import socket
import struct
from typing import Any, cast

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_EXTENSION = "rever.connection"
_PIECES = 10


class HandsOutConnection(asyncio.Protocol):
    """A part of a uvicorn protocol: the application may close the connection without an answer."""

    app: Any

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hand the connection to every request that comes over it."""
        connection = cast("asyncio.Transport", transport)
        # asyncio leaves this to whoever made the socket; without it each answer waits 40 ms for a delayed ACK.
        connection.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(connection)
        self.app = _with_connection(cast("ASGIApp", self.app), connection)


class SandboxProtocol(HandsOutConnection, H11Protocol):
    """uvicorn's HTTP/1.1 in pure Python, which is the strict one about what a client sends."""


def lean_protocol() -> type[asyncio.Protocol]:
    """Return uvicorn's HTTP/1.1 over httptools: half the work per request. ImportError where that is not installed."""
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol  # noqa: PLC0415 - not in every installation

    class LeanProtocol(HandsOutConnection, HttpToolsProtocol):
        pass

    return LeanProtocol


def _with_connection(app: ASGIApp, connection: asyncio.Transport) -> ASGIApp:
    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("extensions", {})[_EXTENSION] = connection
        await app(scope, receive, send)

    return call


async def _end(scope: Scope, receive: Receive, *, reset: bool) -> None:
    """Close the connection, with a reset (RST) or properly (FIN), and wait until the server knows of it."""
    connection: asyncio.Transport = scope["extensions"][_EXTENSION]
    if reset:
        # Lingering for no time makes the kernel send a reset instead of a proper end.
        connection.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.abort()
    else:
        connection.close()
    while (await receive())["type"] != "http.disconnect":
        pass


class NoAnswer(Response):
    """No answer at all."""

    def __init__(self, *, reset: bool = False) -> None:
        super().__init__()
        self.reset = reset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """End the connection."""
        await _end(scope, receive, reset=self.reset)


class CutAnswer(Response):
    """The whole length is promised, half of the body is sent, then the connection ends."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send half, then end the connection."""
        await send(_start(self))
        half = bytes(self.body[: len(self.body) // 2])
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await _end(scope, receive, reset=False)


class SlowAnswer(Response):
    """The body comes in pieces, spread over `seconds`."""

    seconds: float = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Send the body piece by piece."""
        await send(_start(self))
        body = bytes(self.body)
        size = len(body) // _PIECES + 1
        for start in range(0, len(body), size):
            await asyncio.sleep(self.seconds / _PIECES)
            await send({"type": "http.response.body", "body": body[start : start + size], "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _start(response: Response) -> dict[str, Any]:
    return {"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers}
