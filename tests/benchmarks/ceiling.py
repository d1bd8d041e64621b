"""What the sandbox could serve at most: the same calls, from raw sockets that read no more than they must."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from tests.benchmarks.peers.work import IN_FLIGHT, due
from tests.benchmarks.served import Served, served

END = b"\r\n\r\n"


class Wire:
    """One kept-alive connection."""

    def __init__(self, target: Served) -> None:
        self._target = target
        self._host = urlsplit(target.base_url)

    async def open(self) -> "Wire":
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection(self._host.hostname, self._host.port)
        return self

    async def call(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Send a request, and answer the body."""
        lines = (
            f"{method} {path} HTTP/1.1",
            f"host: {self._host.netloc}",
            f"x-rever-api-key: {self._target.api_key}",
            f"content-length: {len(body)}",
        )
        self._writer.write("\r\n".join(lines).encode() + END + body)
        head = (await self._reader.readuntil(END)).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        return await self._reader.readexactly(length)

    def close(self) -> None:
        """Disconnect."""
        self._writer.close()


def ceiling(returns: int) -> float:
    """Returns per second that the sandbox serves, a read and a refund each, without the search."""
    with served(returns) as target:
        told = target.control("state")["processes"]
        seconds = asyncio.run(_serve(target, [entry["process"] for entry in told]))
        target.audit()
    return returns / seconds


async def _serve(target: Served, processes: list[dict[str, Any]]) -> float:
    wires = [await Wire(target).open() for _ in range(IN_FLIGHT)]
    work = iter([(p["rever_process_id"], json.dumps(due(p)).encode()) for p in processes])
    began = time.perf_counter()
    await asyncio.gather(*(_worker(wire, work) for wire in wires))
    seconds = time.perf_counter() - began
    for wire in wires:
        wire.close()
    return seconds


async def _worker(wire: Wire, work: Iterator[tuple[str, bytes]]) -> None:
    for process_id, refund in work:
        await wire.call("GET", f"/v1/processes/{process_id}")
        await wire.call("POST", f"/v1/processes/{process_id}/refunds", refund)
