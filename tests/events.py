"""The events that Prefect's server took, for tests: it writes them down some seconds after it has taken them."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect import get_client

Event = dict[str, Any]


async def events(name: str, mine: Callable[[Event], bool], *, at_least: int, within_s: float = 90) -> list[Event]:
    """The events of this name of the last minutes that are `mine`, once there are so many."""
    now, minutes = datetime.now(UTC), timedelta(minutes=10)
    occurred = {"since": (now - minutes).isoformat(), "until": (now + minutes).isoformat()}
    asked = {"filter": {"event": {"name": [name]}, "occurred": occurred}, "limit": 50}
    until = time.monotonic() + within_s
    async with get_client() as client:
        while True:
            answer = await client.request("POST", "/events/filter", json=asked)
            found = [event for event in answer.json()["events"] if mine(event)]
            if len(found) >= at_least:
                return found
            assert time.monotonic() < until, f"{len(found)} events {name} in {within_s} s, not {at_least}"
            await asyncio.sleep(0.2)
