"""What both transports share: how far an attempt got, how a request is built, how an answer is told.

What has left this machine is read from httpcore's trace events (documented by httpx): between the start of a new
connection and the start of the request's first bytes nothing has. Without such an event, as on a kept-alive connection,
it counts as left: a server that closes a connection while a request is under way gives no sign of having read it.
"""

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from http.cookiejar import CookieJar
from typing import Any

import httpx

from rever_api.answers import Answer
from rever_api.config import ClientConfig
from rever_api.redaction import mask
from rever_api.requests import Request

KEY_HEADER = "x-rever-api-key"
"""The only place the API key goes to (REVER's reference)."""

_KEEP_ALIVE = 4.0  # under the 5 s after which common servers close: an effect must not meet a closing connection


class _ShownWithoutQuery(httpx.URL):
    """A URL whose text leaves out its query, where a signature or a shopper's e-mail may be: httpx logs that text."""

    def __str__(self) -> str:
        return str(httpx.URL(self).copy_with(query=None)) if self.query else super().__str__()

    def __repr__(self) -> str:
        return f"URL({str(self)!r})"


class _NoCookies(CookieJar):
    """Keeps none: the key alone says who calls, and reading each answer for cookies costs a twentieth of the call."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Leave them."""


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


class Attempts:
    """What both transports share: how a request is built and how a failure is told."""

    def __init__(self, config: ClientConfig, clock: Callable[[], datetime]) -> None:
        self._config = config
        self._clock = clock

    def _options(self) -> dict[str, Any]:
        """The options of httpx's client: no redirect, no cookies, proxies only beyond this machine."""
        count = self._config.max_in_flight
        return {
            "follow_redirects": False,
            "trust_env": not self._config.loopback,
            "verify": _tls(trust_env=not self._config.loopback),
            "cookies": _NoCookies(),
            "limits": httpx.Limits(
                max_connections=count, max_keepalive_connections=count, keepalive_expiry=_KEEP_ALIVE
            ),
        }

    def _progress(self) -> Progress:
        """A fresh attempt."""
        stages = ("pool", "connect", "write", "read")
        timeouts = dict.fromkeys(stages, min(self._config.timeout, self._config.attempt_deadline))
        return Progress(self._config.attempt_deadline, timeouts=timeouts)

    def _built(
        self, http: httpx.Client | httpx.AsyncClient, request: Request, progress: Progress, trace: Callable[..., Any]
    ) -> httpx.Request:
        """Turn a request into httpx's, the key in its header."""
        headers = {KEY_HEADER: self._config.api_key.get_secret_value()} if request.with_key else {}
        built = httpx.Request(  # and not by the client, whose merging of URLs and headers costs as much again
            request.method,
            request.url,
            params=request.params or None,
            json=request.json,
            headers={**http.headers, "accept": "application/json" if request.with_key else "*/*", **headers},
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


@cache
def _tls(*, trust_env: bool) -> ssl.SSLContext:
    """The trusted certificates, read once: that takes as long as twenty calls."""
    return httpx.create_ssl_context(trust_env=trust_env)
