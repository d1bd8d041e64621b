"""The receiver's connections: so many, and each for so long, that none of them keeps a delivery out.

uvicorn has no time limit for the head of a request, and answers 503 to all once its connections are taken: a few
hundred that say nothing, held open by anybody, would be the end of it. Here a request must be in within its time, and a
connection that comes when all are taken is given the place of the one that has kept us waiting longest.
"""

import asyncio
import re
from typing import Any

import h11
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from deployments.receiver.delivery import BODY_S

MOST = 512
"""Connections at a time."""

HEAD_S = 10.0
"""Seconds a request's line and headers may take, from the connection's beginning or the request's first byte."""

REST_S = BODY_S + 5.0
"""Seconds its body may take. The application says 408 before; this ends those that it does not read."""


class GuardedConnection(H11Protocol):
    """One connection, as uvicorn makes it, that is closed once it keeps us waiting for too long."""

    most, head_s, rest_s = MOST, HEAD_S, REST_S

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._waits_since, self._in_head = self.loop.time(), True
        self._ends: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take its place; where all are taken, that of the one which has kept us waiting longest."""
        super().connection_made(transport)
        self._waits_since = self.loop.time()
        self._end_after(self.head_s)
        # The one more is uvicorn's own bound, which would refuse this one's request.
        if len(self.connections) >= self.most:
            waiting = [each for each in self.connections if isinstance(each, GuardedConnection) and each.waits]
            if oldest := min((each for each in waiting if each is not self), key=_since, default=None):
                self.connections.discard(oldest)
                oldest.abort()

    def data_received(self, data: bytes) -> None:
        """See how far the request has come."""
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """An answer is out: the next request may begin, or has begun."""
        super().on_response_complete()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._end_after(None)
        super().connection_lost(exc)

    @property
    def waits(self) -> bool:
        """Whether we wait for the other side: for a request, for the rest of one, or until it reads an answer."""
        answered = self.cycle is None or self.cycle.response_complete
        return answered or self.conn.their_state is h11.SEND_BODY or self.flow.write_paused

    def abort(self) -> None:
        """End it at once."""
        self._end_after(None)
        self.transport.abort()

    def _look(self) -> None:
        state = self.conn.their_state
        if self.transport.is_closing() or state in {h11.DONE, h11.MUST_CLOSE, h11.CLOSED, h11.ERROR}:
            self._end_after(None)
            self._in_head = False
        elif state is h11.SEND_BODY:
            if self._in_head:
                self._in_head = False
                self._end_after(self.rest_s)
        elif not self._in_head or self._ends is None:
            # Between two requests uvicorn's own limit counts, until there is a first byte of the next.
            self._in_head, self._waits_since = True, self.loop.time()
            self._end_after(self.head_s)

    def _end_after(self, seconds: float | None) -> None:
        if self._ends is not None:
            self._ends.cancel()
        self._ends = None if seconds is None else self.loop.call_later(seconds, self.abort)


def _since(connection: GuardedConnection) -> float:
    return connection._waits_since


class OneLength:
    """Refuses a request that states its length in two ways: what is between may have read it the other way."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what states it once; else 400, and the connection ends."""
        if scope["type"] == "http":
            names = [name for name, _ in scope["headers"]]
            chunked = b"transfer-encoding" in names
            if chunked and (b"content-length" in names or scope["http_version"] < "1.1"):
                body = b'{"error":"Content-Length and Transfer-Encoding exclude each other"}'
                headers = [
                    (b"content-type", b"application/json"),
                    (b"content-length", str(len(body)).encode()),
                    (b"connection", b"close"),
                ]
                await send({"type": "http.response.start", "status": 400, "headers": headers})
                await send({"type": "http.response.body", "body": body})
                return
        await self._app(scope, receive, send)


class AnyPrefix:
    """Finds the receiver's path however a proxy passes it on: below a prefix, with slashes doubled or at the end."""

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app = app
        self._taken = re.compile(rf"(?:/.*)?({re.escape(path)}(?:/[^/]+)?)/?")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, by the plain path."""
        if scope["type"] == "http":
            plain = re.sub("/{2,}", "/", scope["path"])
            if found := self._taken.fullmatch(plain):
                scope = {**scope, "path": found[1], "raw_path": found[1].encode(), "root_path": ""}
        await self._app(scope, receive, send)
