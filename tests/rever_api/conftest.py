"""Both clients behind one face, against a server that is told what to answer."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from pydantic import SecretStr

from rever_api import AsyncReverClient, ClientConfig, Limits, ReverClient
from rever_api.messages import Answer
from tests.rever_api.fake_time import FakeTime
from tests.rever_api.told_server import ToldServer, told_server

KEY = "rk_live_5e4c0ffee"


@dataclass
class Caller:
    """Calls one method of the sync or the async client, in time that passes only when the client sleeps."""

    kind: Literal["sync", "async"]
    base_url: str
    time: FakeTime = field(default_factory=FakeTime)
    settings: dict[str, Any] = field(default_factory=dict)
    watched: list[Answer] = field(default_factory=list)

    def __call__(self, method: str, *args: Any, **settings: Any) -> Any:
        return self.session(lambda client: getattr(client, method)(*args), **settings)

    def config(self, **settings: Any) -> ClientConfig:
        """The configuration that the calls are made with."""
        base = {"base_url": self.base_url, "api_key": SecretStr(KEY), "timeout": 2.0}
        return ClientConfig(**{**base, **self.settings, **settings})

    def session(self, use: Callable[[Any], Any], **settings: Any) -> Any:
        """Use one client; `use` gives a value, or an awaitable of the async client."""
        config = self.config(**settings)
        limits = Limits(config.rate, config.max_in_flight, self.time.monotonic)
        clocks: dict[str, Any] = {"limits": limits, "clock": self.time.now, "monotonic": self.time.monotonic}
        clocks["watch"] = self.watched.append
        if self.kind == "sync":
            with ReverClient(config, sleep=self.time.sleep, **clocks) as client:
                return use(client)

        async def use_async() -> Any:
            async with AsyncReverClient(config, sleep=self.time.asleep, **clocks) as client:
                return await use(client)

        return asyncio.run(use_async())


@pytest.fixture(scope="module")
def _server() -> Iterator[ToldServer]:
    with told_server() as server:
        yield server


@pytest.fixture
def told(_server: ToldServer) -> ToldServer:
    """A server that answers as told, and has heard nothing yet."""
    _server.heard.clear()
    _server.tell()
    return _server


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest, told: ToldServer) -> Caller:
    """Either client, talking to the told server."""
    return Caller(request.param, told.url)
