"""One attempt over HTTP: the request goes out once, and the whole answer comes back or an error says how far it got.

httpx carries it. Its client reads the proxies and certificates that the environment names, and another one can be
handed in (`http_client`). Added here: a transport with a connection for each call in flight, a deadline for the attempt
as a whole, a body that is unpacked piece by piece, and what a failure means for an effect.
"""

import asyncio
import copy
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from typing import Any, Self, cast
from urllib.parse import urlencode
from urllib.request import getproxies

import httpx

from rever_api.config import ClientConfig
from rever_api.errors import ClientClosed, NotSent, OutcomeUnknown, ReverError, WrongSetup
from rever_api.messages import Answer, Body, Request
from rever_api.redaction import masked

KEY_HEADER = "x-rever-api-key"
"""The only place the API key goes to (REVER's reference)."""

_KEEP_ALIVE = 4.0  # under the 5 s after which common servers close: an effect must not meet a closing connection
_STAGES = ("pool", "connect", "write", "read")
_PACKED = "gzip, deflate"
_USER_AGENT = {"user-agent": "rever-returns"}


@dataclass
class Progress:
    """How far an attempt got, and how long its next stage may take.

    `left` says whether the request may have left this machine. It counts as left once it was handed to the transport,
    but for the time between the start of a new connection and the first bytes of the request, as httpcore's trace
    events report it. A server that closes a kept-alive connection gives no sign of having read what was under way, and
    a transport without trace events says nothing. What was sent once stays sent, whatever connection is opened later.

    Past the deadline neither the request's head nor its body begins to go out: in a process that was stopped meanwhile
    (SIGSTOP) the event loop first goes on with what was ready before, and only then looks at its timers.

    `timeouts` is the mapping that httpcore reads at the start of each stage; without any the deadline alone holds.
    """

    deadline: float
    left: bool = False
    started: float = field(default_factory=time.monotonic)
    timeouts: dict[str, float] = field(default_factory=dict)
    _begun: bool = False

    def note(self, event: str, info: Any) -> None:
        """Take note of one of httpcore's trace events, and leave a stage that begins no more than the time left."""
        if not event.endswith(".started"):
            return
        if event.endswith(".connect_tcp.started"):
            self.left = self._begun
        elif event.endswith(".send_request_headers.started") and info["request"].method != b"CONNECT":
            self.left = self._begun
            self.check()
            self.left = self._begun = True
        elif event.endswith(".send_request_body.started"):
            self.check()
        if self.timeouts:
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


class ConnectionPerCall(httpx.AsyncBaseTransport):
    """A transport of httpx's for each call in flight, the last used first. The options are `AsyncHTTPTransport`'s.

    A pool with many connections looks through all of them, and asks the system about each that is idle, several times
    in each call; that took a quarter of it.
    """

    def __init__(self, **options: Any) -> None:
        # One connection to REVER, and one to where the labels' files are.
        limits = httpx.Limits(max_connections=2, max_keepalive_connections=2, keepalive_expiry=_KEEP_ALIVE)
        self._options = {"limits": limits, **options}
        self._all: list[httpx.AsyncHTTPTransport] = []
        self._free: list[httpx.AsyncHTTPTransport] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send over a transport that nobody else uses until the answer is closed."""
        one = self._free.pop() if self._free else self._one_more()
        try:
            response = await one.handle_async_request(request)
        except BaseException:
            self._free.append(one)
            raise
        response.stream = _Lent(cast("httpx.AsyncByteStream", response.stream), partial(self._free.append, one))
        return response

    def _one_more(self) -> httpx.AsyncHTTPTransport:
        self._all.append(httpx.AsyncHTTPTransport(**self._options))
        return self._all[-1]

    async def aclose(self) -> None:
        """Close the connections."""
        for one in self._all:
            await one.aclose()


class _Lent(httpx.AsyncByteStream):
    """The body of an answer, whose transport is given back when it is closed."""

    def __init__(self, stream: httpx.AsyncByteStream, give_back: Callable[[], None]) -> None:
        self._stream = stream
        self._give_back: Callable[[], None] | None = give_back

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._stream.__aiter__()

    async def aclose(self) -> None:
        give_back, self._give_back = self._give_back, None
        try:
            await self._stream.aclose()
        finally:
            if give_back is not None:
                give_back()


class _Sender:
    """What both senders share: how a request is built and how its answer is read."""

    def __init__(
        self, config: ClientConfig, clock: Callable[[], datetime], http_client: httpx.AsyncClient | httpx.Client | None
    ) -> None:
        self._config = config
        self._clock = clock
        self._own = self._closes = http_client is None
        self._closed = False
        # The headers of a client that was handed in are meant for REVER, not for where a label's file lies.
        self._with_key = httpx.Headers(_USER_AGENT if http_client is None else http_client.headers)
        self._with_key.update(
            {
                "accept": "application/json",
                "accept-encoding": _PACKED,
                KEY_HEADER: config.api_key.get_secret_value(),
            }
        )
        self._without_key = httpx.Headers({"accept": "*/*", "accept-encoding": _PACKED, **_USER_AGENT})

    def under(self, config: ClientConfig) -> Self:
        """The same connections with other times; who made them closes them."""
        other = copy.copy(self)
        other._config, other._closes = config, False
        return other

    def _progress(self) -> Progress:
        """A fresh attempt."""
        timeouts = dict.fromkeys(_STAGES, min(self._config.timeout, self._config.attempt_deadline))
        return Progress(self._config.attempt_deadline, timeouts=timeouts)

    def _built(self, request: Request, progress: Progress, trace: Callable[..., Any]) -> httpx.Request:
        """Turn a request into httpx's, the key in its header. Raises `httpx.InvalidURL`."""
        url = _ShownWithoutQuery(f"{request.url}?{urlencode(request.params)}" if request.params else request.url)
        built = httpx.Request(
            request.method,
            url,
            headers=self._with_key if request.with_key else self._without_key,
            json=request.json,
            extensions={"trace": trace, "timeout": progress.timeouts},
        )
        built.url = url
        return built

    def _answer(self, request: Request, response: httpx.Response, body: bytes, progress: Progress) -> Answer:
        """The answer, with the mask that its words need."""
        sent = {**dict(request.params), "json": request.json}
        return Answer(
            operation=request.operation,
            status=response.status_code,
            headers=dict(response.headers.items()),
            body=body,
            at=self._clock(),
            mask=partial(masked, key=self._config.api_key.get_secret_value(), sent=sent),
            effect=request.effect,
            took=time.monotonic() - progress.started,
            theirs=request.with_key,
        )

    def _failed(self, broken: Exception, request: Request, progress: Progress) -> ReverError:
        """Tell which error a broken attempt means. Of our own transport it is known that it sends nothing twice."""
        never_left = self._own and isinstance(broken, _NO_CONNECTION)
        return failure(broken, request, left=progress.left and not never_left)


class AsyncSender(_Sender):
    """Sends requests with httpx's asynchronous client, within the deadline."""

    def __init__(
        self, config: ClientConfig, clock: Callable[[], datetime], http_client: httpx.AsyncClient | None = None
    ) -> None:
        if not isinstance(http_client, httpx.AsyncClient | None):
            raise TypeError(f"http_client must be an httpx.AsyncClient, found a {type(http_client).__name__}.")
        super().__init__(config, clock, http_client)
        self._http = self._client() if http_client is None else http_client

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._closed or self._http.is_closed

    def _client(self) -> httpx.AsyncClient:
        """A client of httpx's. Where the environment names a proxy it keeps its own pool, which knows proxies."""
        proxies = not self._config.loopback and getproxies().keys() - {"no"}
        options = _options(self._config, _forget_location_async)
        try:
            return _AsyncClient(transport=None if proxies else ConnectionPerCall(verify=options["verify"]), **options)
        except _WRONG_PROXY:
            raise _wrong_proxy() from None

    def _progress(self) -> Progress:
        """A fresh attempt. No stage has a time of its own where that could not end before the deadline does.

        A timer for each read and write costs more than the deadline's. Another's transport may go by them alone.
        """
        if self._own and self._config.timeout >= self._config.attempt_deadline:
            return Progress(self._config.attempt_deadline)
        return super()._progress()

    async def send(self, request: Request) -> Answer:
        """Send once, within the deadline. A cancellation goes through as such."""
        if self.closed:
            raise closed(request.operation)
        progress = self._progress()
        try:
            async with asyncio.timeout(progress.deadline):
                return await self._exchange(request, progress)
        except BROKEN as broken:
            error = self._failed(broken, request, progress)
        raise error  # out here, so that no frame that holds the key's header hangs on it

    async def _exchange(self, request: Request, progress: Progress) -> Answer:
        """Send and read the whole answer."""
        built = self._built(request, progress, progress.anote)
        progress.left = True
        response = await self._http.send(built, stream=True, auth=None, follow_redirects=False)
        try:
            if response.is_stream_consumed:  # a mock's, or read by a hook of the client that was handed in
                return self._answer(request, response, response.content, progress)
            body = Body(response.headers)
            async for chunk in response.aiter_raw():
                for taken, _ in enumerate(body.take(chunk)):
                    if taken:
                        await asyncio.sleep(0)  # a small chunk may hold a large body: others go on meanwhile
        finally:
            await response.aclose()
        return self._answer(request, response, body.whole(), progress)

    async def aclose(self) -> None:
        """Close the connections; those of a client that was handed in are its owner's."""
        self._closed = True
        if self._closes:
            await self._http.aclose()


class Sender(_Sender):
    """Sends requests with httpx's client, from any number of threads.

    The deadline holds for each stage and between any two chunks of the body; one stage may overrun it by `timeout` at
    most when a server sends its headers byte by byte.
    """

    def __init__(
        self, config: ClientConfig, clock: Callable[[], datetime], http_client: httpx.Client | None = None
    ) -> None:
        if not isinstance(http_client, httpx.Client | None):
            raise TypeError(f"http_client must be an httpx.Client, found a {type(http_client).__name__}.")
        super().__init__(config, clock, http_client)
        self._http = self._client() if http_client is None else http_client

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._closed or self._http.is_closed

    def _client(self) -> httpx.Client:
        """A client of httpx's."""
        try:
            return _Client(**_options(self._config, _forget_location))
        except _WRONG_PROXY:
            raise _wrong_proxy() from None

    def send(self, request: Request) -> Answer:
        """Send once, within the deadline."""
        if self.closed:
            raise closed(request.operation)
        progress = self._progress()
        try:
            return self._exchange(request, progress)
        except BROKEN as broken:
            error = self._failed(broken, request, progress)
        raise error  # out here, so that no frame that holds the key's header hangs on it

    def _exchange(self, request: Request, progress: Progress) -> Answer:
        """Send and read the whole answer."""
        built = self._built(request, progress, progress.note)
        progress.left = True
        response = self._http.send(built, stream=True, auth=None, follow_redirects=False)
        try:
            if response.is_stream_consumed:
                return self._answer(request, response, response.content, progress)
            body = Body(response.headers)
            for chunk in response.iter_raw():
                for _ in body.take(chunk):
                    progress.check()
        finally:
            response.close()
        return self._answer(request, response, body.whole(), progress)

    def close(self) -> None:
        """Close the connections; those of a client that was handed in are its owner's."""
        self._closed = True
        if self._closes:
            self._http.close()


class _ShownWithoutQuery(httpx.URL):
    """A URL whose text leaves out its query, where a signature or a shopper's e-mail may be: httpx logs that text."""

    def __str__(self) -> str:
        return super().__str__().partition("?")[0]

    def __repr__(self) -> str:
        return f"URL({str(self)!r})"


class _NoCookies(httpx.Cookies):
    """Keeps none: the key alone says who calls, and to look for cookies in an answer takes a twentieth of the call."""

    def extract_cookies(self, response: httpx.Response) -> None:
        """Leave them."""


class _AsyncClient(httpx.AsyncClient):
    """httpx's asynchronous client, without cookies."""

    cookies = _NoCookies()  # type: ignore[override]  # httpx takes more kinds to be set; nobody does


class _Client(httpx.Client):
    """httpx's synchronous client, without cookies."""

    cookies = _NoCookies()  # type: ignore[override]  # httpx takes more kinds to be set; nobody does


def _forget_location(response: httpx.Response) -> None:
    """Leave out where a redirect leads: none is followed, and httpx refuses an answer whose address is malformed."""
    if response.is_redirect:
        response.headers.pop("location", None)


async def _forget_location_async(response: httpx.Response) -> None:
    _forget_location(response)


def _options(config: ClientConfig, hook: Callable[[httpx.Response], Any]) -> dict[str, Any]:
    """The options of httpx's client: nothing from the environment for a sandbox on this machine."""
    count = config.max_in_flight
    return {
        "trust_env": not config.loopback,
        "verify": trusted(trust_env=not config.loopback),
        "event_hooks": {"response": [hook]},
        "limits": httpx.Limits(max_connections=count, max_keepalive_connections=count, keepalive_expiry=_KEEP_ALIVE),
    }


@cache
def trusted(*, trust_env: bool = True) -> ssl.SSLContext:
    """The trusted certificates, read once: that takes as long as twenty calls."""
    return httpx.create_ssl_context(trust_env=trust_env)


_WRONG_PROXY = (ValueError, ImportError, httpx.InvalidURL)


def _wrong_proxy() -> WrongSetup:
    return WrongSetup(
        "The proxy that the environment names has no valid http or socks5 address: check HTTPS_PROXY and ALL_PROXY."
    )


BROKEN = (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError)
"""How an attempt may end without an answer; anything else is a mistake of this package."""

_NO_CONNECTION = (httpx.PoolTimeout, httpx.UnsupportedProtocol)
"""What httpx raises before it takes or opens a connection; no trace event reports it."""


def closed(operation: str = "") -> ClientClosed:
    """The error of a call with a client that is closed."""
    what = f"{operation} was not sent: the client" if operation else "The client"
    return ClientClosed(f"{what} is closed; make a new one, or call inside its `with`.", operation=operation)


def failure(broken: Exception, request: Request, *, left: bool) -> ReverError:
    """Tell which error a broken attempt means; `left` says whether the request may have left this machine."""
    where = _origin(request.url)
    why = reason_in_words(broken)
    if not left:
        sentence = f"{request.operation} was not sent: {where} could not be reached ({why})."
        return NotSent(sentence, operation=request.operation)
    sentence = f"{where} gave no whole answer to {request.operation} ({why}): what was done is not known."
    return OutcomeUnknown(sentence, operation=request.operation)


def reason_in_words(broken: Exception) -> str:
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
        return "an invalid address"
    return f"{parts.scheme}://{parts.netloc.decode('ascii')}"
