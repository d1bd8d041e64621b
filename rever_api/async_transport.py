"""One attempt over HTTP by the asynchronous client, with aiohttp: at eight calls in flight it takes a third of the
processor that httpx takes.

What has left this machine is read from aiohttp's trace events: until a connection is there (a new one made, TLS and a
proxy's tunnel included, or a kept-alive one taken) nothing has. From then on it counts as left.
"""

import asyncio
import json
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from yarl import URL

from rever_api.answers import Answer
from rever_api.attempts import KEEP_ALIVE, Attempts, tls
from rever_api.config import ClientConfig
from rever_api.failures import BROKEN, failure
from rever_api.requests import Request
from rever_api.transport import bounded

logger = logging.getLogger(__name__)

_PLAIN = re.compile(r"[A-Za-z0-9:/._~%-]+")
"""An address that needs no quoting."""


@dataclass(slots=True)
class Sending:
    """Whether the request may have left this machine."""

    left: bool = False


class _ConnectionBrokenError(aiohttp.ClientError):
    """A connection broke under a request."""


class AsyncTransport(Attempts):
    """Sends requests with aiohttp. Belongs to the event loop of its first call."""

    def __init__(self, config: ClientConfig, clock: Callable[[], datetime]) -> None:
        super().__init__(config, clock)
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: Request) -> Answer:
        """Send once, within the deadline. A cancellation goes through as such."""
        sending = Sending()
        try:
            async with asyncio.timeout(self._config.attempt_deadline):
                return await self._exchange(request, sending)
        except BROKEN as broken:
            error = failure(broken, request, left=sending.left)
        raise error  # out here, so that no frame that holds the key's header hangs on it

    async def _exchange(self, request: Request, sending: Sending) -> Answer:
        """Send and read the whole answer."""
        url, body = _url(request), bytearray()
        headers = {
            **self._headers(request),
            **({"content-type": "application/json"} if request.json is not None else {}),
        }
        async with self.session().request(
            request.method,
            url,
            data=_json(request.json),
            headers=headers,
            allow_redirects=False,
            proxy=None if self._config.loopback else _proxy(url.scheme, url.host or ""),
            trace_request_ctx=sending,
        ) as response:
            async for chunk in response.content.iter_any():
                body += bounded(body, chunk)
            # Without the query, where a signature or a shopper's e-mail may be.
            logger.debug("%s %s%s: %d", request.method, url.host, url.raw_path.partition("?")[0], response.status)
            return self._answer(request, response.status, response.headers.items(), bytes(body))

    def session(self) -> aiohttp.ClientSession:
        """The session of aiohttp, made at the first call."""
        if self._session is None:
            count, timeout = self._config.max_in_flight, self._config.timeout
            trust_env = not self._config.loopback
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=count, keepalive_timeout=KEEP_ALIVE, ssl=tls(trust_env=trust_env)),
                timeout=aiohttp.ClientTimeout(connect=timeout, sock_connect=timeout, sock_read=timeout),
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=[_trace()],
                middlewares=[_once],
            )
        return self._session

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send a request once: by the kind of an error aiohttp would send some again, an effect by PUT or DELETE too."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as broken:
        raise _ConnectionBrokenError(type(broken).__name__) from broken


def _trace() -> aiohttp.TraceConfig:
    """Take note of the moment from which a request may have left."""
    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(_leaves)
    trace.on_connection_reuseconn.append(_leaves)
    return trace


async def _leaves(_session: aiohttp.ClientSession, context: Any, _event: Any) -> None:
    context.trace_request_ctx.left = True


def _url(request: Request) -> URL:
    """The address, sent as it stands; one with parameters, or with letters that need quoting, as httpx writes it."""
    if not request.params and _PLAIN.fullmatch(request.url):
        return URL(request.url, encoded=True)
    given = httpx.URL(request.url, params=request.params) if request.params else httpx.URL(request.url)
    if given.scheme not in {"http", "https"} or not given.host:
        raise httpx.UnsupportedProtocol("neither http nor https")
    return URL(str(given), encoded=True)


def _json(body: Any) -> bytes | None:
    if body is None:
        return None
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


@cache
def _proxy(scheme: str, host: str) -> str | None:
    """The proxy that this machine's environment names for a host."""
    if proxy_bypass(host):
        return None
    named = getproxies()
    return named.get(scheme) or named.get("all")
