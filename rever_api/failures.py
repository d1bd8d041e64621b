"""What a broken attempt means: nothing left this machine, or REVER may have acted."""

import os
import socket
import ssl

import httpcore
import httpx

from rever_api.errors import NotSent, OutcomeUnknown, ReverError
from rever_api.requests import Request

BROKEN = (
    *(httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError),
    *(httpcore.UnsupportedProtocol, httpx.DecodingError, httpx.InvalidURL, TimeoutError, ssl.SSLError, UnicodeError),
)
"""How an attempt may end without an answer; anything else is a mistake of this package."""

_NEVER_LEFT = (
    httpcore.ConnectError,
    httpcore.ConnectTimeout,
    httpcore.PoolTimeout,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
    httpx.InvalidURL,
)


def failure(broken: Exception, request: Request, *, left: bool) -> ReverError:
    """Tell which error a broken attempt means; `left` says whether the request may have left this machine."""
    where = _origin(request.url)
    why = _reason(broken)
    if isinstance(broken, _NEVER_LEFT) or not left:
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
