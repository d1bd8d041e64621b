"""One profiled run of ours: `python -m tests.benchmarks.profiled ours|ours-no-prefect` prints shares and calls.

`BENCH_HOTTEST=N` prints the N functions with the most own time on stderr besides.
"""

import json
import os
import sys
from typing import Any

import httpx

from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.layers import Profiler, hottest, shares


class Counting:
    """Counts the requests of this process by what their URL begins with."""

    def __init__(self) -> None:
        self.urls: list[str] = []
        plain, aplain = httpx.Client.send, httpx.AsyncClient.send

        def send(client: httpx.Client, request: httpx.Request, **how: Any) -> httpx.Response:
            self.urls.append(str(request.url))
            return plain(client, request, **how)

        async def asend(client: httpx.AsyncClient, request: httpx.Request, **how: Any) -> httpx.Response:
            self.urls.append(str(request.url))
            return await aplain(client, request, **how)

        httpx.Client.send, httpx.AsyncClient.send = send, asend  # type: ignore[assignment, method-assign]

    def at(self, base: str) -> int:
        """How many went there."""
        return sum(url.startswith(base) for url in self.urls) if base else 0


def main(name: str) -> None:
    """Print the shares of the layers, and the requests to Prefect and to REVER."""
    counting, profiler = Counting(), Profiler()
    job = CONTENDERS[name].prepare()
    with profiler.running():
        returns = job()
    table = profiler.stats()
    if most := int(os.environ.get("BENCH_HOTTEST", "0")):
        print("\n".join(hottest(table, most)), file=sys.stderr)
    told = {
        "returns": returns,
        "shares": shares(table),
        "prefect_calls": counting.at(os.environ.get("PREFECT_API_URL", "")),
        "rever_calls": counting.at(os.environ["REVER_BASE_URL"]),
    }
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
