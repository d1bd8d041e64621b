"""One attempt over HTTP: the request goes out once, the whole answer comes back, or an error says how far it got."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from datetime import datetime

import httpx

from rever_api.answers import Answer
from rever_api.attempts import Attempts, Progress
from rever_api.config import ClientConfig
from rever_api.failures import BROKEN, failure
from rever_api.requests import Request

_MAX_BODY = 32 * 1024 * 1024


class AsyncTransport(Attempts):
    """Sends requests with httpx's asynchronous client: one for each call in flight, the last used first.

    A client with many connections looks through all of them, and asks the system about each that is idle, several
    times in each call; that took a quarter of it.
    """

    def __init__(self, config: ClientConfig, clock: Callable[[], datetime]) -> None:
        super().__init__(config, clock)
        self._all: list[httpx.AsyncClient] = []
        self._free: list[httpx.AsyncClient] = []

    def client(self) -> httpx.AsyncClient:
        """One more client of httpx, closed with this transport."""
        self._all.append(httpx.AsyncClient(**self._options()))
        return self._all[-1]

    async def send(self, request: Request) -> Answer:
        """Send once, within the deadline. A cancellation goes through as such."""
        progress = self._progress()
        try:
            async with asyncio.timeout(progress.deadline):
                return await self._exchange(request, progress)
        except BROKEN as broken:
            error = failure(broken, request, left=progress.left)
        raise error  # out here, so that no frame that holds the key's header hangs on it

    async def _exchange(self, request: Request, progress: Progress) -> Answer:
        """Send over a client that nobody else uses meanwhile, and read the whole answer."""
        http = self._free.pop() if self._free else self.client()
        try:
            return await self._over(http, request, progress)
        finally:
            self._free.append(http)

    async def _over(self, http: httpx.AsyncClient, request: Request, progress: Progress) -> Answer:
        built = self._built(http, request, progress, progress.anote)
        progress.left = True
        response = await http.send(built, stream=True)
        try:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += _bounded(body, chunk)
        finally:
            await response.aclose()
        return self._answer(request, response, bytes(body))

    async def aclose(self) -> None:
        """Close the connections."""
        for http in self._all:
            await http.aclose()


class Transport(Attempts):
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
        except BROKEN as broken:
            error = failure(broken, request, left=progress.left)
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


def _bounded(body: bytearray, chunk: bytes) -> bytes:
    """Refuse a body without end."""
    if len(body) + len(chunk) > _MAX_BODY:
        raise httpx.DecodingError("the body is too long")
    return chunk
