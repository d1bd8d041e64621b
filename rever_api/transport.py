"""One attempt over HTTP: the request goes out once, the whole answer comes back, or an error says how far it got.

What has left this machine is read from httpcore's trace events (documented by httpx): between the start of a new
connection and the start of the request's first bytes nothing has. Without such an event, as on a kept-alive connection,
it counts as left: a server that closes a connection while a request is under way gives no sign of having read it.
"""

import asyncio
import os
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

import httpx

from rever_api.answers import Answer
from rever_api.config import ClientConfig
from rever_api.errors import NotSent, OutcomeUnknown, ReverError
from rever_api.redaction import mask
from rever_api.requests import Request

KEY_HEADER = "x-rever-api-key"
"""The only place the API key goes to (REVER's reference)."""

_MAX_BODY = 32 * 1024 * 1024
_KEEP_ALIVE = 4.0  # under the 5 s after which common servers close: an effect must not meet a closing connection
_NEVER_LEFT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
_BROKEN = (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ssl.SSLError, UnicodeError)
_Http = TypeVar("_Http", httpx.Client, httpx.AsyncClient)


class _ShownWithoutQuery(httpx.URL):
    """A URL whose text leaves out its query, where a signature or a shopper's e-mail may be: httpx logs that text."""

    def __str__(self) -> str:
        return str(httpx.URL(self).copy_with(query=None))

    def __repr__(self) -> str:
        return f"URL({str(self)!r})"


@dataclass
class Progress:
    """How far an attempt got. `timeouts` is the mapping that httpcore reads at the start of each stage."""

    deadline: float
    left: bool = False
    started: float = field(default_factory=time.monotonic)
    timeouts: dict[str, float] = field(default_factory=dict)

    def note(self, event: str, _: Any) -> None:
        """Take note of one of httpcore's trace events, and leave the next stage no more than the time that is left."""
        if event == "connection.connect_tcp.started":
            self.left = False
        elif event.endswith("send_request_headers.started"):
            self.left = True
        remaining = max(0.001, self.remaining())
        self.timeouts.update({stage: min(limit, remaining) for stage, limit in self.timeouts.items()})

    async def anote(self, event: str, info: Any) -> None:
        """As `note`, for the asynchronous client."""
        self.note(event, info)

    def remaining(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - (time.monotonic() - self.started)

    def check(self) -> None:
        """Raise TimeoutError past the deadline."""
        if self.remaining() <= 0:
            raise TimeoutError


class _Attempts:
    """What both transports share: how a request is built and how a failure is told."""

    def __init__(self, config: ClientConfig, clock: Callable[[], datetime]) -> None:
        self._config = config
        self._clock = clock

    def _options(self) -> dict[str, Any]:
        """The options of httpx's client: no redirect, a connection for each call, proxies only beyond this machine."""
        count = self._config.max_in_flight
        return {
            "follow_redirects": False,
            "trust_env": not self._config.loopback,
            "verify": _tls(trust_env=not self._config.loopback),
            "limits": httpx.Limits(
                max_connections=count, max_keepalive_connections=count, keepalive_expiry=_KEEP_ALIVE
            ),
        }

    def _progress(self) -> Progress:
        """A fresh attempt."""
        stages = ("pool", "connect", "write", "read")
        timeouts = dict.fromkeys(stages, min(self._config.timeout, self._config.attempt_deadline))
        return Progress(self._config.attempt_deadline, timeouts=timeouts)

    def _built(self, http: _Http, request: Request, progress: Progress, trace: Callable[..., Any]) -> httpx.Request:
        """Turn a request into httpx's, the key in its header."""
        headers = {KEY_HEADER: self._config.api_key.get_secret_value()} if request.with_key else {}
        built = http.build_request(
            request.method,
            request.url,
            params=request.params or None,
            json=request.json,
            headers={"accept": "application/json" if request.with_key else "*/*", **headers},
            extensions={"trace": trace, "timeout": progress.timeouts},
        )
        built.url = _ShownWithoutQuery(built.url)
        return built

    def _answer(self, request: Request, response: httpx.Response, body: bytes) -> Answer:
        """The answer, with the mask that its words need."""
        return Answer(
            operation=request.operation,
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=body,
            at=self._clock(),
            mask=mask(self._config.api_key.get_secret_value(), request),
        )


class AsyncTransport(_Attempts):
    """Sends requests with httpx's asynchronous client."""

    def __init__(self, config: ClientConfig, clock: Callable[[], datetime]) -> None:
        super().__init__(config, clock)
        self._http = httpx.AsyncClient(**self._options())

    async def send(self, request: Request) -> Answer:
        """Send once, within the deadline. A cancellation goes through as such."""
        progress = self._progress()
        try:
            async with asyncio.timeout(progress.deadline):
                return await self._exchange(request, progress)
        except _BROKEN as broken:
            error = failure(broken, request, progress)
        raise error  # out here, so that no frame that holds the key's header hangs on it

    async def _exchange(self, request: Request, progress: Progress) -> Answer:
        """Send and read the whole answer."""
        built = self._built(self._http, request, progress, progress.anote)
        progress.left = True
        response = await self._http.send(built, stream=True)
        try:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += _bounded(body, chunk)
        finally:
            await response.aclose()
        return self._answer(request, response, bytes(body))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()


class Transport(_Attempts):
    """Sends requests with httpx's synchronous client.

    The deadline holds for each stage and between any two chunks of the body; one stage may overrun it by `timeout` at
    most when a server sends its headers byte by byte.
    """

    def __init__(self, config: ClientConfig, clock: Callable[[], datetime]) -> None:
        super().__init__(config, clock)
        self._http = httpx.Client(**self._options())

    def send(self, request: Request) -> Answer:
        """Send once, within the deadline."""
        progress = self._progress()
        try:
            return self._exchange(request, progress)
        except _BROKEN as broken:
            error = failure(broken, request, progress)
        raise error  # out here, so that no frame that holds the key's header hangs on it

    def _exchange(self, request: Request, progress: Progress) -> Answer:
        """Send and read the whole answer."""
        built = self._built(self._http, request, progress, progress.note)
        progress.left = True
        response = self._http.send(built, stream=True)
        with closing(response):
            body = bytearray()
            for chunk in response.iter_bytes():
                progress.check()
                body += _bounded(body, chunk)
        return self._answer(request, response, bytes(body))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


@cache
def _tls(*, trust_env: bool) -> ssl.SSLContext:
    """The trusted certificates, read once: that takes as long as twenty calls."""
    return httpx.create_ssl_context(trust_env=trust_env)


def failure(broken: Exception, request: Request, progress: Progress) -> ReverError:
    """Tell what a broken attempt means: nothing left this machine, or REVER may have acted."""
    where = _origin(request.url)
    why = _reason(broken)
    if isinstance(broken, _NEVER_LEFT) or not progress.left:
        sentence = f"{request.operation} was not sent: {where} could not be reached ({why})."
        return NotSent(sentence, operation=request.operation)
    sentence = f"{where} gave no whole answer to {request.operation} ({why}): what was done is not known."
    return OutcomeUnknown(sentence, operation=request.operation)


def _reason(broken: Exception) -> str:
    """Name a failure in words; the text of an exception may quote what was sent, its kind does not."""
    if isinstance(broken, TimeoutError):
        return "the deadline passed"
    cause: BaseException | None = broken
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return f"TLS: {(cause.reason or 'handshake failed').lower().replace('_', ' ')}"
        if isinstance(cause, socket.gaierror):
            return "its name is not known"
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno).lower()
        cause = cause.__cause__ or cause.__context__
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in type(broken).__name__)
    return words.strip()


def _origin(url: str) -> str:
    """Scheme, host and port of an address."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        return "an address that is none"
    return f"{parts.scheme}://{parts.netloc.decode('ascii')}"


def _bounded(body: bytearray, chunk: bytes) -> bytes:
    """Refuse a body without end."""
    if len(body) + len(chunk) > _MAX_BODY:
        raise httpx.DecodingError("the body is too long")
    return chunk
