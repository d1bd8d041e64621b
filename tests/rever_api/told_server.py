"""A real HTTP server on a port of this machine that answers, or breaks, as it is told. One play per request."""

import json
import socket
import socketserver
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Play = Callable[["Conversation"], None]


@dataclass(frozen=True)
class Heard:
    """A request as it came over the wire; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Conversation(socketserver.StreamRequestHandler):
    """One connection, kept alive until a play closes it."""

    server: "_Server"
    open: bool = True

    def handle(self) -> None:
        """Read requests and play, until the connection ends."""
        while self.open and (heard := self._hear()):
            self.server.told.heard.append(heard)
            try:
                self.server.told.next_play()(self)
            except OSError:
                return

    def _hear(self) -> Heard | None:
        try:
            first = self.rfile.readline().decode("latin-1").split()
        except OSError:
            return None
        if len(first) != 3 or not first[2].startswith("HTTP/"):
            return None
        headers = {}
        while (line := self.rfile.readline().decode("latin-1").strip()) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length", 0)))
        return Heard(first[0], first[1], headers, body)

    def drop(self, *, reset: bool = False) -> None:
        """Close the connection, with a RST where `reset`."""
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.open = False
        self.connection.shutdown(socket.SHUT_RDWR) if not reset else self.connection.close()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    told: "ToldServer"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A play that breaks a connection is no error."""


@dataclass
class ToldServer:
    """What the server heard, and what it will play. The last play is repeated."""

    port: int = 0
    heard: list[Heard] = field(default_factory=list)
    plays: deque[Play] = field(default_factory=deque)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def tell(self, *plays: Play) -> None:
        """Say what comes next."""
        self.plays = deque(plays)

    def next_play(self) -> Play:
        """Take the next play, and leave the last one in place."""
        return self.plays.popleft() if len(self.plays) > 1 else self.plays[0]


def answers(status: int, body: Any = b"", *, headers: dict[str, str] | None = None, close: bool = False) -> Play:
    """Answer; a body that is not bytes is sent as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()

    def play(conversation: Conversation) -> None:
        conversation.wfile.write(_head(status, len(raw), headers or {}) + raw)
        if close:
            conversation.drop()

    return play


def closes(*, reset: bool = False) -> Play:
    """Close the connection after the request was read, without an answer."""
    return lambda conversation: conversation.drop(reset=reset)


def keeps_silent(seconds: float) -> Play:
    """Answer nothing for so long, then close."""

    def play(conversation: Conversation) -> None:
        time.sleep(seconds)
        conversation.drop()

    return play


def cuts(body: bytes, promised: int) -> Play:
    """Promise a longer body than is sent, then close."""

    def play(conversation: Conversation) -> None:
        conversation.wfile.write(_head(200, promised, {}) + body)
        conversation.drop()

    return play


def drips(body: Any, *, every: float) -> Play:
    """Send the body byte by byte."""
    raw = json.dumps(body).encode()

    def play(conversation: Conversation) -> None:
        conversation.wfile.write(_head(200, len(raw), {}))
        for byte in raw:
            conversation.wfile.write(bytes([byte]))
            time.sleep(every)

    return play


def _head(status: int, length: int, headers: dict[str, str]) -> bytes:
    lines = [
        f"HTTP/1.1 {status} Told",
        f"content-length: {length}",
        *(f"{key}: {value}" for key, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


@contextmanager
def told_server() -> Iterator[ToldServer]:
    """Run a server in a thread."""
    told = ToldServer()
    with _Server(("127.0.0.1", 0), Conversation) as server:
        server.told = told
        told.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield told
        server.shutdown()
        thread.join()
