"""One profiled run of ours: `python -m tests.benchmarks.profiled ours|ours-no-prefect` prints shares and calls.

`BENCH_HOTTEST=N` prints the N functions with the most own time on stderr besides.
"""

import cProfile
import json
import os
import pstats
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from tests.benchmarks.contenders import CONTENDERS

# Whose CPU time it was: cProfile's own times of all threads, put down to layers by the file they were spent in.
#
# What belongs to no layer (built-ins, the standard library) goes to whoever called it, in proportion. Times are each
# thread's CPU time, so waiting counts for nobody; cProfile makes code of many small calls look dearer than it is.


LAYERS = (
    ("policy", ("/tasks/policy/",)),
    ("ledger", ("/tasks/ledger/", "/tasks/database/", "/sqlalchemy/", "/psycopg/", "/alembic/")),
    ("API client", ("/rever_api/", "/tenacity/", "/pydantic/")),
    ("HTTP", ("/httpx", "/httpcore/", "/h11/", "/anyio/", "/sniffio/", "/aiohttp/", "/ssl.py")),
    ("Prefect", ("/prefect/", "/websockets/", "/opentelemetry/", "/pendulum/", "/fastapi/", "/starlette/")),
    ("desk", ("/tasks/", "/flows/", "/deployments/")),
    ("event loop", ("/asyncio/", "/selectors.py", "/uvloop/")),
)
REST = "rest"
_DEEP = 40

Function = tuple[str, int, str]
Callers = Mapping[Function, tuple[int, int, float, float]]


def layer_of(file: str) -> str:
    """The layer of a file; empty for what works for whoever calls it."""
    return next((name for name, parts in LAYERS if any(part in file for part in parts)), "")


class Profiler:
    """Profiles this thread and all that are started meanwhile."""

    def __init__(self) -> None:
        self._profiles: list[cProfile.Profile] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Profile what runs in the block."""
        plain_run = threading.Thread.run

        def run(thread: threading.Thread) -> None:
            with self._one():
                plain_run(thread)

        threading.Thread.run = run  # type: ignore[method-assign, assignment]
        try:
            with self._one():
                yield
        finally:
            threading.Thread.run = plain_run  # type: ignore[method-assign]

    @contextmanager
    def _one(self) -> Iterator[None]:
        profile = cProfile.Profile(time.thread_time)
        self._profiles.append(profile)
        profile.enable()
        try:
            yield
        finally:
            profile.disable()

    def stats(self) -> dict[Function, Any]:
        """pstats' table of all threads: function -> (calls, calls, own time, time with callees, callers)."""
        joined = pstats.Stats(self._profiles[0])
        for profile in self._profiles[1:]:
            profile.create_stats()
            if profile.stats:
                joined.add(profile)
        table: dict[Function, Any] = joined.stats  # type: ignore[attr-defined]
        return table


def shares(table: Mapping[Function, Any]) -> dict[str, float]:
    """Layer -> its part of the CPU time, 0 to 1."""
    owners = _Owners(table)
    seconds: defaultdict[str, float] = defaultdict(float)
    for function, (_, _, own, _, _) in table.items():
        for layer, part in owners.of(function).items():
            seconds[layer] += own * part
    total = sum(seconds.values()) or 1.0
    return {name: seconds[name] / total for name in (*(name for name, _ in LAYERS), REST)}


class _Owners:
    """Layer -> part, for each function."""

    def __init__(self, table: Mapping[Function, Any]) -> None:
        self._table = table
        self._known: dict[Function, dict[str, float]] = {}

    def of(self, function: Function, deep: int = 0) -> dict[str, float]:
        if function not in self._known:
            self._known[function] = {REST: 1.0}  # also where a circle of callers comes back here
            self._known[function] = self._found(function, deep)
        return self._known[function]

    def _found(self, function: Function, deep: int) -> dict[str, float]:
        layer = layer_of(function[0])
        callers: Callers = self._table[function][4] if function in self._table else {}
        weights = {caller: max(edge[3], 1e-9) for caller, edge in callers.items() if caller != function}
        if layer or not weights or deep > _DEEP:
            return {layer or REST: 1.0}
        parts: defaultdict[str, float] = defaultdict(float)
        total = sum(weights.values())
        for caller, weight in weights.items():
            for name, part in self.of(caller, deep + 1).items():
                parts[name] += part * weight / total
        return dict(parts)


def hottest(table: Mapping[Function, Any], count: int = 25, named: Callable[[str], bool] = bool) -> list[str]:
    """The functions with the most own time, as text."""
    rows = sorted(((row[2], row[0], key) for key, row in table.items() if named(key[0])), reverse=True)[:count]
    return [
        f"{own:8.3f} s {calls:9} x  {'/'.join(file.split('/')[-3:])}:{name}" for own, calls, (file, _, name) in rows
    ]


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
