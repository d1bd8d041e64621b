"""One attempt over HTTP: the request goes out once, the whole answer comes back, or an error says how far it got."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import httpcore

from rever_api.answers import Answer
from rever_api.attempts import Attempts, joined
from rever_api.config import ClientConfig
from rever_api.connections import pool_options
from rever_api.failures import BROKEN, failure
from rever_api.progress import Progress
from rever_api.requests import Request
from rever_api.unpacking import Body


class AsyncTransport(Attempts):
    """Sends requests over one connection for each call in flight, the last used first.

    A pool with many connections looks through all of them, and asks the system about each that is idle, several times
    in each call; that took a quarter of it.
    """

    def __init__(self, config: ClientConfig, clock: Callable[[], datetime]) -> None:
        super().__init__(config, clock)
        self._options = pool_options(config.base_url, 1, trust_env=not config.loopback)
        self._all: list[httpcore.AsyncConnectionPool] = []
        self._free: list[httpcore.AsyncConnectionPool] = []

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
        """Send over a connection that nobody else uses meanwhile, and read the whole answer."""
        if not request.with_key:  # a label's file, which is somewhere else
            options = pool_options(request.url, 1, trust_env=not self._config.loopback)
            async with httpcore.AsyncConnectionPool(**options) as once:
                return await self._over(once, request, progress)
        http = self._free.pop() if self._free else self._one_more()
        try:
            return await self._over(http, request, progress)
        finally:
            self._free.append(http)

    async def _over(self, http: httpcore.AsyncConnectionPool, request: Request, progress: Progress) -> Answer:
        built = self._built(request, progress, progress.anote)
        progress.left = True
        response = await http.handle_async_request(built)
        try:
            headers = joined(response.headers)
            body = Body(headers)
            async for chunk in response.aiter_stream():
                for taken, _ in enumerate(body.take(chunk)):
                    if taken:
                        await asyncio.sleep(0)  # a small chunk may hold a large body: others go on meanwhile
        finally:
            await response.aclose()
        return self._answer(request, response.status, headers, body.whole(), progress)

    def _one_more(self) -> httpcore.AsyncConnectionPool:
        self._all.append(httpcore.AsyncConnectionPool(**self._options))
        return self._all[-1]

    async def aclose(self) -> None:
        """Close the connections."""
        for http in self._all:
            await http.aclose()


class Transport(Attempts):
    """Sends requests from any number of threads.

    The deadline holds for each stage and between any two chunks of the body; one stage may overrun it by `timeout` at
    most when a server sends its headers byte by byte.
    """

    def __init__(self, config: ClientConfig, clock: Callable[[], datetime]) -> None:
        super().__init__(config, clock)
        self._http = self._connections(config.base_url)

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
        if not request.with_key:  # a label's file, which is somewhere else
            with self._connections(request.url) as once:
                return self._over(once, request, progress)
        return self._over(self._http, request, progress)

    def _over(self, http: httpcore.ConnectionPool, request: Request, progress: Progress) -> Answer:
        built = self._built(request, progress, progress.note)
        progress.left = True
        response = http.handle_request(built)
        try:
            headers = joined(response.headers)
            body = Body(headers)
            for chunk in response.iter_stream():
                for _ in body.take(chunk):
                    progress.check()
        finally:
            response.close()
        return self._answer(request, response.status, headers, body.whole(), progress)

    def _connections(self, url: str) -> httpcore.ConnectionPool:
        options = pool_options(url, self._config.max_in_flight, trust_env=not self._config.loopback)
        return httpcore.ConnectionPool(**options)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
