"""The response to one request of the API: carried out under the lock, and broken where the plan of faults says so.

It is broken as a status that is wrong, as a body that is wrong, or as bytes: late, cut, or none at all. `draw` is a
number from the plan by which a fault chooses further, so that it can be replayed.
"""

import asyncio
import json
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from email.utils import format_datetime
from http import HTTPStatus
from itertools import pairwise
from typing import Any, cast

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from rever_api.sandbox.faults import Fault, Faults
from rever_api.sandbox.operations import Call, Operation
from rever_api.sandbox.state import (
    ABORTED,
    PERMISSION_DENIED,
    RESOURCE_EXHAUSTED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    Entry,
    Refusal,
    Sandbox,
)

_ABSURD = 1_000_000
_HTML = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr>nginx</body></html>"
_NGINX = {500: "500 Internal Server Error", 502: "502 Bad Gateway", 504: "504 Gateway Time-out"}
_OTHER_READ: dict[Fault, dict[str, Any]] = {
    Fault.STALE_READ: {"stale": True},
    Fault.PAGE_REPEATS: {"moved": -1},
    Fault.PAGE_SKIPS: {"moved": 1},
}
_DENIED_AFTER: dict[Fault, tuple[int, ...]] = {
    Fault.REDIRECT_AFTER: (301, 302, 303, 307, 308),
    Fault.SET_UP_AFTER: (401, 403, 404, 405, 407),
    Fault.TOO_MANY_AFTER: (429,),
    Fault.CONFLICT_409_AFTER: (409,),
}
"""The statuses of a response that denies what was carried out; the draw says which."""

_EMPTY = ((200, b""), (204, b""), (200, b"null"), (200, b'""'), (200, b"{}"))


def error(status: int, code: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """Return an error as a gRPC gateway writes it."""
    return JSONResponse({"code": code, "message": message, "details": []}, status, headers)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request, and what its response needs. `gone` says whether the caller went away, `draw` is the plan's."""

    sandbox: Sandbox
    faults: Faults
    operation: Operation
    call: Call
    entry: Entry
    gone: Callable[[], Awaitable[bool]]
    draw: int

    def carry_out(self, call: Call | None = None) -> Response:
        """Do what is asked, and note in the journal how many effects that had."""
        with self.sandbox.locked():
            before = len(self.sandbox.books)
            try:
                return with_poisons(self.operation.run(self.sandbox, call or self.call), self.sandbox.poisons)
            except Refusal as refusal:
                return JSONResponse(refusal.body, refusal.status)
            finally:
                self.entry.acted += len(self.sandbox.books) - before

    async def respond(self, fault: Fault | None) -> Response:
        """Return the proper response, or one that is broken in the way of `fault`."""
        if fault is None:
            return self.carry_out()
        if fault in _OTHER_READ:
            return self.carry_out(replace(self.call, **_OTHER_READ[fault]))
        if (refused := self._refused(fault)) is not None:
            return refused
        if fault is Fault.NO_ANSWER_BEFORE_ACTING:
            await asyncio.sleep(self.faults.plan.silent)
            return NoResponse()
        if fault is Fault.ACTS_LATER:
            self.sandbox.later(self.faults.plan.later, self.carry_out, fault=True)
            return _html(504)
        proper = self.carry_out()
        if fault is Fault.HANG_AFTER_ACTING:
            await self._hang()
        return self._broken(fault, proper)

    def _refused(self, fault: Fault) -> Response | None:
        """Return the response of a fault that does nothing and says so; None for another kind."""
        wait = self.faults.plan.retry_after
        busy = {
            Fault.TOO_MANY_SECONDS: {"Retry-After": str(wait)},
            Fault.TOO_MANY_DATE: {"Retry-After": format_datetime(self.sandbox.clock() + timedelta(seconds=wait), True)},
            Fault.TOO_MANY_ABSURD: {"Retry-After": str(_ABSURD)},
            Fault.TOO_MANY_SILENT: {},
        }
        if fault in busy:
            return error(429, RESOURCE_EXHAUSTED, "too many requests", busy[fault])
        if fault in {Fault.ERROR_500_BEFORE, Fault.ERROR_502_BEFORE}:
            return _html(500 if fault is Fault.ERROR_500_BEFORE else 502)
        plain = {
            Fault.UNAVAILABLE_503: (503, UNAVAILABLE, "upstream is not available"),
            Fault.UNAUTHORIZED_401: (401, UNAUTHENTICATED, "the key is not valid"),
            Fault.FORBIDDEN_403: (403, PERMISSION_DENIED, "the key may not act for this store"),
            Fault.CONFLICT_409: (409, ABORTED, "the process is being changed"),
        }
        return error(*plain[fault]) if fault in plain else None

    async def _hang(self) -> None:
        until = time.monotonic() + self.faults.plan.hang
        # Another thread ends a hang, and nothing says that the caller is gone: hence the loop.
        while time.monotonic() < until and not self.faults.released.is_set() and not await self.gone():  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    def _broken(self, fault: Fault, proper: Response) -> Response:
        """Return the response to what was carried out, broken in the way of `fault`."""
        if fault is Fault.HANG_AFTER_ACTING:
            return proper
        if fault is Fault.ACTS_ANSWER_LOST:
            return NoResponse(reset=True)
        if fault in {Fault.ERROR_500_AFTER, Fault.ERROR_502_AFTER}:
            return _html(500 if fault is Fault.ERROR_500_AFTER else 502)
        if fault in _DENIED_AFTER:
            return _denied(fault, self.draw)
        if fault is Fault.EMPTY_ANSWER:
            status, body = _EMPTY[self.draw % len(_EMPTY)]
            return Response(body, status, media_type="application/json") if proper.status_code < 300 else proper
        return _with_broken_body(fault, proper, self.faults.plan.slow, self.draw)


def _html(status: int) -> Response:
    return HTMLResponse(_HTML.format(_NGINX[status]), status)


def _denied(fault: Fault, draw: int) -> Response:
    """Deny, in the words of a proxy or of REVER's own gateway, what was carried out."""
    statuses = _DENIED_AFTER[fault]
    status = statuses[draw % len(statuses)]
    if fault is Fault.REDIRECT_AFTER:
        return Response(b"", status, {"Location": "/v1/done"})
    words = HTTPStatus(status).phrase
    if fault is Fault.CONFLICT_409_AFTER or (fault is Fault.TOO_MANY_AFTER and draw & 1):
        return error(status, ABORTED if status == 409 else RESOURCE_EXHAUSTED, words.lower())
    return HTMLResponse(_HTML.format(f"{status} {words}"), status)


def _with_broken_body(fault: Fault, proper: Response, seconds: float, draw: int) -> Response:
    """Return the proper response with its body cut, slow or tampered with."""
    status, body, media_type = proper.status_code, bytes(proper.body), proper.media_type
    if fault is Fault.CUT_BODY:
        return CutResponse(body, status, media_type=media_type)
    if fault is Fault.CUT_JSON:
        return Response(body[: len(body) // 2], status, media_type=media_type)
    if fault is Fault.SLOW_BODY:
        slow = SlowResponse(body, status, media_type=media_type)
        slow.seconds = seconds
        return slow
    content = json.loads(body)
    _TAMPERED[fault](content, draw)
    return JSONResponse(content, status)


def with_poisons(body: Any, poisons: Mapping[str, tuple[tuple[str | int, ...], bytes]]) -> Response:
    """Return the response with the bytes that a test has put into fields of returns, whether they are JSON or not."""
    if not poisons:
        return JSONResponse(body)
    content, raw = json.loads(bytes(JSONResponse(body).body)), {}
    entries = content.get("processes", [content]) if isinstance(content, dict) else []
    for place, entry in enumerate(entries):
        path, value = poisons.get(entry.get("rever_process_id"), ((), b""))
        if path:
            mark = f"poison-{place}"
            _put(entry, path, mark)
            raw[f'"{mark}"'.encode()] = value
    poisoned = bytes(JSONResponse(content).body)
    for mark_json, value in raw.items():
        poisoned = poisoned.replace(mark_json, value)
    return Response(poisoned, media_type="application/json")


def _put(body: Any, path: tuple[str | int, ...], value: Any) -> None:
    """Put a value into a body, making the objects and lists that lead there."""
    for step, following in pairwise(path):
        new: Any = [] if isinstance(following, int) else {}
        if isinstance(body, list):
            while len(body) <= int(step):
                body.append({})
            body = body[int(step)]
        else:
            if not isinstance(body.get(step), dict | list):
                body[step] = new
            body = body[step]
    if isinstance(body, list):
        body[int(path[-1]) :] = [value]
    else:
        body[path[-1]] = value


_ENUMS = {
    "rever_process_status": "PAUSED_BY_REVIEW",
    "return_status": "IN_ORBIT",
    "return_method": "BY_PIGEON",
    "compensation_method": "LOYALTY_POINTS",
    "type": "LOYALTY_POINTS",
    "status": "LOST_AT_SEA",
    "timing": "ON_FULL_MOON",
}


def _target(body: dict[str, Any], draw: int) -> dict[str, Any]:
    """Return the part that is to be changed: an entry of a page, the order within its envelope, else the body."""
    entries = body.get("processes")
    if entries:
        target: dict[str, Any] = entries[draw % len(entries)]
        return target
    order = body.get("order")
    return order if isinstance(order, dict) else body


def _without_a_field(body: dict[str, Any], draw: int) -> None:
    """Take one field out of the body."""
    target = _target(body, draw)
    if target:
        del target[sorted(target)[draw % len(target)]]


def _with_another_field(body: dict[str, Any], draw: int) -> None:
    """Put a field into the body that the contract does not know."""
    _target(body, draw)["x_risk_assessment"] = {"score": 17, "flags": ["NEW", None], "nested": {"deep": True}}


def _with_an_unknown_value(body: dict[str, Any], draw: int) -> None:
    """Give one enum of the body, or of what is in it, a value that the contract does not know."""
    enums = [(part, name) for part in _parts(_target(body, draw)) for name in _ENUMS if part.get(name)]
    if enums:
        part, name = enums[draw % len(enums)]
        part[name] = _ENUMS[name]


def _with_other_terms(body: dict[str, Any], draw: int) -> None:
    """Give each line of a process another total, quantity, currency or method, or the process other costs."""
    further = Decimal(1 + draw // 5 % 5000) / 100
    for line in body.get("return_line_items") or ():
        if draw % 5 == 0:
            line["total_price"] = str(Decimal(line["total_price"]) + further)
        elif draw % 5 == 1:
            line["quantity"] += 1 + draw // 5 % 50
        elif draw % 5 == 2:
            line["currency"] = "USD" if line["currency"] != "USD" else "EUR"
        elif draw % 5 == 3:
            line["compensation_method"] = (
                "BANK_TRANSFER" if line["compensation_method"] != "BANK_TRANSFER" else "GIFT_CARD"
            )
    if draw % 5 == 4:
        body["return_costs"] = str(Decimal(body.get("return_costs") or 0) + further)


def _parts(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the body, its settings of refunds, and the entries of its lines, reviews and parcels."""
    yield body
    if isinstance(body.get("refund"), dict):
        yield body["refund"]
    for name in ("return_line_items", "reviews", "logistics"):
        yield from body.get(name) or ()


_TAMPERED: dict[Fault, Callable[[dict[str, Any], int], None]] = {
    Fault.MISSING_FIELD: _without_a_field,
    Fault.EXTRA_FIELD: _with_another_field,
    Fault.UNKNOWN_ENUM: _with_an_unknown_value,
    Fault.READ_DIFFERS: _with_other_terms,
}


_EXTENSION = "rever.connection"
_PIECES = 10


class HandsOutConnection(asyncio.Protocol):
    """A part of a uvicorn protocol: the application may close the connection without a response.

    It finds the connection in the ASGI scope, as the extension `rever.connection`.
    """

    app: Any

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hand the connection to every request that comes over it."""
        connection, app = cast("asyncio.Transport", transport), cast("ASGIApp", self.app)

        async def with_connection(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("extensions", {})[_EXTENSION] = connection
            await app(scope, receive, send)

        # asyncio leaves this to whoever made the socket; without it each response waits 40 ms for a delayed ACK.
        connection.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(connection)
        self.app = with_connection


class SandboxProtocol(HandsOutConnection, H11Protocol):
    """uvicorn's HTTP/1.1 in pure Python, which is the strict one about what a client sends."""


def lean_protocol() -> type[asyncio.Protocol]:
    """Return uvicorn's HTTP/1.1 over httptools: half the work per request. ImportError where that is not installed."""
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol  # noqa: PLC0415 - not in every installation

    class LeanProtocol(HandsOutConnection, HttpToolsProtocol):
        pass

    return LeanProtocol


async def _end(scope: Scope, receive: Receive, *, reset: bool) -> None:
    """Close the connection, with a reset (RST) or properly (FIN), and wait until the server knows of it."""
    connection: asyncio.Transport = scope["extensions"][_EXTENSION]
    if reset:
        # Lingering for no time makes the kernel send a reset instead of a proper end.
        connection.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.abort()
    else:
        connection.close()
    await _disconnected(receive)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class NoResponse(Response):
    """No response at all."""

    def __init__(self, *, reset: bool = False) -> None:
        super().__init__()
        self.reset = reset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """End the connection."""
        await _end(scope, receive, reset=self.reset)


class CutResponse(Response):
    """The whole length is promised, half of the body is sent, then the connection ends."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send half, then end the connection."""
        await send(_start(self))
        half = bytes(self.body[: len(self.body) // 2])
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await _end(scope, receive, reset=False)


class SlowResponse(Response):
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


class DripResponse(Response):
    """The body comes byte by byte, ten in a second, as long as somebody waits for it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Send a byte and wait, until the connection ends."""
        await send(_start(self))
        gone = asyncio.ensure_future(_disconnected(receive))
        for byte in bytes(self.body):
            await send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
            await asyncio.wait({gone}, timeout=0.1)
            if gone.done():
                return
        gone.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _start(response: Response) -> dict[str, Any]:
    return {"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers}
