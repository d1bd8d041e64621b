"""The Host header, checked: against web pages that reach a server on this machine by a name of their own.

A page from `evil.example` may let that name point to 127.0.0.1 once it is loaded (DNS rebinding); to the browser what
then answers is the page's own origin, and no rule about other origins applies. Such a request names `evil.example` as
its host. It can never name an address: so addresses and `localhost` are taken, and of names those that are known.
"""

import json
from collections.abc import Callable, Iterable
from ipaddress import ip_address

from starlette.types import ASGIApp, Receive, Scope, Send

_LOCAL = "localhost"


def host_name(header: str) -> str:
    """The host of a Host header without its port, in one spelling; "" where there is none."""
    text = header.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0].removesuffix(".")


class HostCheck:
    """An ASGI application that only what was sent to one of these names, to `localhost` or to an address reaches.

    `refused` is told the host of what was not let through.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str] = (), refused: Callable[[str], None] | None = None) -> None:
        self._app, self._names = app, {_LOCAL, *(host_name(name) for name in names)} - {""}
        self._refused = refused

    def takes(self, header: str) -> bool:
        """Whether a request with this Host header is let through."""
        host = host_name(header)
        try:
            ip_address(host)
        except ValueError:
            return host in self._names
        return True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may come in; answer 400 to what may not, and refuse its websockets."""
        if scope["type"] not in {"http", "websocket"}:
            return await self._app(scope, receive, send)
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(hosts) == 1 and self.takes(hosts[0]):
            return await self._app(scope, receive, send)
        if self._refused is not None:
            self._refused(host_name(hosts[0]) if len(hosts) == 1 else "")
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})
        body = json.dumps({"error": "the Host header names no host that this server is known by"}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 400, "headers": [*headers, (b"connection", b"close")]})
        return await send({"type": "http.response.body", "body": body})
