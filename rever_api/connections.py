"""A connection of its own for each call in flight, below httpx's asynchronous client.

httpx's pool looks through all its connections, and asks the system about each that is idle, several times in each call;
with one connection a pool it still asks twice, and wraps what goes through it twice more. Here a call takes the
connection that was last used, and asks once whether it is still open.
"""

import ssl
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from functools import partial
from typing import cast

import httpcore
import httpx

KEEP_ALIVE = 4.0
"""Seconds; under the 5 after which common servers close: an effect must not meet a closing connection."""

_AS_HTTPX: dict[type[Exception], type[httpx.TransportError]] = {
    httpcore.ConnectTimeout: httpx.ConnectTimeout,
    httpcore.ReadTimeout: httpx.ReadTimeout,
    httpcore.WriteTimeout: httpx.WriteTimeout,
    httpcore.ConnectError: httpx.ConnectError,
    httpcore.ReadError: httpx.ReadError,
    httpcore.WriteError: httpx.WriteError,
    httpcore.LocalProtocolError: httpx.LocalProtocolError,
    httpcore.RemoteProtocolError: httpx.RemoteProtocolError,
}
"""What one connection raises, and which of its own httpx's transports make of it."""

_BROKEN = tuple(_AS_HTTPX)


class ConnectionPerCall(httpx.AsyncBaseTransport):
    """A transport of httpx's: HTTP/1.1 over httpcore's connections, to anywhere, without a proxy.

    Two calls never share a connection at the same time, so none waits for another's. At most `most_idle` stay open
    while nobody uses them.
    """

    def __init__(self, certificates: ssl.SSLContext, most_idle: int) -> None:
        self._certificates = certificates
        self._most_idle = most_idle
        self._idle: list[httpcore.AsyncHTTPConnection] = []
        self._lent: set[httpcore.AsyncHTTPConnection] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send over a connection that nobody else uses until the answer is closed."""
        if request.url.scheme not in {"http", "https"}:
            raise httpx.UnsupportedProtocol("The address begins with neither http:// nor https://.")
        sent = httpcore.Request(
            request.method,
            httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=cast("AsyncIterable[bytes]", request.stream),
            extensions=request.extensions,
        )
        one = await self._taken(sent.url.origin)
        self._lent.add(one)
        try:
            answer = await one.handle_async_request(sent)
        except _BROKEN as broken:
            await self._give_back(one)
            raise _as_httpx(broken) from broken
        except BaseException:
            await self._give_back(one)
            raise
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Lent(answer, partial(self._give_back, one)),
            extensions=answer.extensions,
        )

    async def _taken(self, origin: httpcore.Origin) -> httpcore.AsyncHTTPConnection:
        """Take the last used connection to there that is still open, or a new one."""
        # Looked for anew after each wait: others take and give back meanwhile.
        while one := next((each for each in reversed(self._idle) if each.can_handle_request(origin)), None):
            self._idle.remove(one)
            if not one.has_expired():
                return one
            await one.aclose()
        return httpcore.AsyncHTTPConnection(origin, self._certificates, KEEP_ALIVE)

    async def _give_back(self, one: httpcore.AsyncHTTPConnection) -> None:
        """Keep a connection whose answer came in as a whole, and close any other, or the oldest of too many."""
        self._lent.discard(one)
        if one.is_idle() and not one.is_closed():
            self._idle.append(one)
            if len(self._idle) <= self._most_idle:
                return
            one = self._idle.pop(0)
        if not one.is_closed():
            await one.aclose()

    async def aclose(self) -> None:
        """Close the connections, also those that are in use."""
        for one in (*self._idle, *self._lent):
            await one.aclose()
        self._idle.clear()


class _Lent(httpx.AsyncByteStream):
    """The body of an answer, whose connection is given back when it is closed."""

    def __init__(self, answer: httpcore.Response, give_back: Callable[[], Awaitable[None]]) -> None:
        self._answer = answer
        self._give_back: Callable[[], Awaitable[None]] | None = give_back

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in cast("AsyncIterable[bytes]", self._answer.stream):
                yield part
        except _BROKEN as broken:
            raise _as_httpx(broken) from broken

    async def aclose(self) -> None:
        give_back, self._give_back = self._give_back, None
        try:
            await self._answer.aclose()
        finally:
            if give_back is not None:
                await give_back()


def _as_httpx(broken: Exception) -> httpx.TransportError:
    return next(theirs for ours, theirs in _AS_HTTPX.items() if isinstance(broken, ours))(str(broken))
