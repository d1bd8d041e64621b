"""What both transports share: how a request is built, and how an answer is told.

They work with httpcore, which carries httpx too: httpx's own layers above it took a third of a call (measured), and
redirects, cookies and authentication are what a call here must not have.
"""

import json
import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpcore
import httpx

from rever_api.answers import Answer
from rever_api.config import ClientConfig
from rever_api.progress import Progress
from rever_api.redaction import masked
from rever_api.requests import Request

KEY_HEADER = "x-rever-api-key"
"""The only place the API key goes to (REVER's reference)."""

_WITH_BODY = frozenset({"PATCH", "POST", "PUT"})
_SAFE = "!#$%&'()*+,/:;=?@[]~"
"""What stays as it is in an address that is given whole (RFC 3986); a blank or a letter outside ASCII is encoded."""

logger = logging.getLogger(__name__)


class Attempts:
    """What both transports share: how a request is built and how an answer is told."""

    def __init__(self, config: ClientConfig, clock: Callable[[], datetime]) -> None:
        self._config = config
        self._clock = clock
        parts = urlsplit(config.base_url)
        self._origin, self._base = f"{parts.scheme}://{parts.netloc}/", _address(config.base_url)

    def _progress(self) -> Progress:
        """A fresh attempt."""
        stages = ("pool", "connect", "write", "read")
        timeouts = dict.fromkeys(stages, min(self._config.timeout, self._config.attempt_deadline))
        return Progress(self._config.attempt_deadline, timeouts=timeouts)

    def _built(self, request: Request, progress: Progress, trace: Callable[..., Any]) -> httpcore.Request:
        """Turn a request into httpcore's, the key in its header. Raises `httpx.InvalidURL`."""
        url = f"{request.url}?{urlencode(request.params)}" if request.params else quote(request.url, safe=_SAFE)
        body = None if request.json is None else _json(request.json)
        address, host = self._address(url)
        return httpcore.Request(
            request.method,
            address,
            headers=self._headers(request, host, body),
            content=body,
            extensions={"trace": trace, "timeout": progress.timeouts},
        )

    def _address(self, url: str) -> tuple[httpcore.URL, str]:
        """As `_address`, without reading the part anew that all of REVER's addresses begin with."""
        if not url.startswith(self._origin):
            return _address(url)
        base, host = self._base
        return httpcore.URL(
            scheme=base.scheme, host=base.host, port=base.port, target=url[len(self._origin) - 1 :]
        ), host

    def _headers(self, request: Request, host: str, body: bytes | None) -> list[tuple[bytes, bytes]]:
        headers = [
            (b"host", host.encode("ascii")),
            (b"accept", b"application/json" if request.with_key else b"*/*"),
            (b"accept-encoding", b"gzip, deflate"),
            (b"user-agent", b"rever-returns"),
        ]
        if request.with_key:
            headers.append((KEY_HEADER.encode(), self._config.api_key.get_secret_value().encode("ascii")))
        if body is not None:
            headers.append((b"content-type", b"application/json"))
        if body is not None or request.method in _WITH_BODY:
            headers.append((b"content-length", str(len(body or b"")).encode()))
        return headers

    def _answer(
        self, request: Request, status: int, headers: dict[str, str], body: bytes, progress: Progress
    ) -> Answer:
        """The answer, with the mask that its words need."""
        logger.debug("%s %s: %d", request.method, request.url.partition("?")[0], status)
        return Answer(
            operation=request.operation,
            status=status,
            headers=headers,
            body=body,
            at=self._clock(),
            mask=partial(masked, key=self._config.api_key.get_secret_value(), request=request),
            effect=request.effect,
            took=time.monotonic() - progress.started,
            theirs=request.with_key,
        )


def _address(url: str) -> tuple[httpcore.URL, str]:
    """An address as httpcore takes it, and the host that is asked for."""
    try:
        return httpcore.URL(url), urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        raise httpx.InvalidURL("an address that is none") from None


def _json(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def joined(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """Names in lower case; what comes several times is joined (RFC 9110, 5.2)."""
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found
