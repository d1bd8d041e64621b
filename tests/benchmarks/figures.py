"""What is measured: contender beside contender, ours alone, several workers, and what the sandbox could serve."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from tests.benchmarks.children import PATIENCE_S, ChildFailedError, Surroundings, answer_of, environment
from tests.benchmarks.contenders import CONTENDERS, Contender
from tests.benchmarks.peers.work import IN_FLIGHT, PAGE, due
from tests.benchmarks.served import Served, WrongBooksError, served

# What the sandbox could serve at most: the same calls, from raw sockets that read no more than they must.


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


# Returns per second, contender beside contender: interleaved rounds, medians, and ratios within a round.


BASES = ("plain", "plain-ours", "dbos", "dbos-postgres", "tutorial")


@dataclass(frozen=True, slots=True)
class Row:
    """One contender over all rounds. `ratios`: base -> median of the ratios to that base in the same round."""

    name: str
    words: str
    returns: int
    rates: tuple[float, ...]
    cores: float
    max_rss_mib: float
    ratios: dict[str, float]

    @property
    def rate(self) -> float:
        """The median of the rounds, in returns per second."""
        return median(self.rates)


def once(contender: Contender, returns: int, around: Surroundings) -> dict[str, Any]:
    """Let one contender do the job against a fresh sandbox, and audit it. Raises `WrongBooksError`."""
    count = min(returns, contender.most or returns)
    with served(count) as target:
        with environment(contender, target, around) as (env, folder):
            told = answer_of(["tests.benchmarks.contenders", contender.name], env, folder)
        try:
            target.audit()
        except WrongBooksError as wrong:
            raise WrongBooksError(f"{contender.name}: {wrong}") from None
    return told | {"rate": count / told["seconds"], "returns": count}


def throughput(
    names: Sequence[str], returns: int, rounds: int, around: Surroundings
) -> tuple[list[Row], dict[str, str]]:
    """All contenders in each round, each round in another order; and those that could not take part, and why."""
    absent = {name: why for name in names if (why := around.missing(CONTENDERS[name]))}
    there = [name for name in names if name not in absent]
    told: dict[str, list[dict[str, Any]]] = {name: [] for name in there}
    for number in range(rounds):
        for place in range(len(there)):
            name = there[(place + number) % len(there)]
            told[name].append(once(CONTENDERS[name], returns, around))
            print(f"  round {number + 1}: {name:16} {told[name][-1]['rate']:8.1f} returns/s", flush=True)
    rates = {name: [each["rate"] for each in rounds_of] for name, rounds_of in told.items()}
    return [_row(name, told[name], rates) for name in there], absent


def _row(name: str, told: list[dict[str, Any]], rates: dict[str, list[float]]) -> Row:
    return Row(
        name=name,
        words=CONTENDERS[name].words,
        returns=told[0]["returns"],
        rates=tuple(rates[name]),
        cores=median(each["cpu"] / each["seconds"] for each in told),
        max_rss_mib=median(each["max_rss_mib"] for each in told),
        ratios=ratios(rates[name], {base: rates[base] for base in BASES if base in rates and base != name}),
    )


def ratios(mine: Sequence[float], others: dict[str, list[float]]) -> dict[str, float]:
    """Base -> the median over rounds of my rate by that of the base in the same round."""
    return {base: median(a / b for a, b in zip(mine, theirs, strict=True)) for base, theirs in others.items()}


OURS = ("ours", "ours-no-prefect")
COMMAND = Path(sys.executable).with_name("rever-returns")


def time_shares(returns: int, around: Surroundings) -> dict[str, dict[str, Any]]:
    """One profiled run with Prefect and one without: each layer's share of the CPU time, and the calls made."""
    told = {}
    for name in OURS:
        contender = CONTENDERS[name]
        if around.missing(contender):
            continue
        with served(returns) as target, environment(contender, target, around) as (env, folder):
            told[name] = answer_of(["tests.benchmarks.profiled", name], env, folder)
            target.audit()
    return told


def growth(sizes: Sequence[int], around: Surroundings) -> list[dict[str, Any]]:
    """Time and peak memory of ours, by the number of returns in one run."""
    return [once(CONTENDERS["ours-no-prefect"], size, around) for size in sizes]


@dataclass(frozen=True, slots=True)
class AtLimit:
    """A run against a REVER that takes `rate` requests per second. `refused` counts its answers 429."""

    rate: float
    returns: int
    seconds: float
    refused: int
    requests: int

    @property
    def ideal(self) -> float:
        """Seconds that the work's calls take at that rate: a read and a refund each, the search, the settings."""
        return (2 * self.returns + -(-self.returns // PAGE) + 1) / self.rate

    @property
    def share(self) -> float:
        """The ideal by what it took; 1 is perfect."""
        return self.ideal / self.seconds


def at_limit(rate: float, returns: int, around: Surroundings) -> AtLimit:
    """Ours, told the limit (`REVER_RATE`), against a sandbox that keeps it."""
    contender = CONTENDERS["ours-no-prefect"]
    with served(returns, rate) as target:
        with environment(contender, target, around) as (env, folder):
            told = answer_of(["tests.benchmarks.contenders", contender.name], env | {"REVER_RATE": str(rate)}, folder)
        target.audit()
        statuses = [entry["status"] for entry in target.control("journal")]
    return AtLimit(rate, returns, told["seconds"], statuses.count(429), len(statuses))


def starts(around: Surroundings) -> dict[str, float]:
    """Seconds from the start of a process: to its end for `--help`, to the first call at REVER for a flow."""
    told = {"rever-returns --help": min(_seconds([str(COMMAND), "--help"], dict(os.environ), Path()) for _ in range(3))}
    for name, options in (("ours-no-prefect", ["--no-prefect"]), ("ours", [])):
        contender = CONTENDERS[name]
        if not around.missing(contender):
            with served(1) as target, environment(contender, target, around) as (env, folder):
                told[f"first call, {contender.words}"] = _first_call(options, env, folder, target)
    return told


def _seconds(command: list[str], env: dict[str, str], folder: Path) -> float:
    began = time.perf_counter()
    subprocess.run(command, env=env, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - began


def _first_call(options: list[str], env: dict[str, str], folder: Path, target: Served) -> float:
    began = time.time()
    _seconds([str(COMMAND), "run", "process-pending-returns", *options], env, folder)
    return datetime.fromisoformat(target.control("journal")[0]["at"]).timestamp() - began


# Several workers on one store's backlog: the same flow in as many processes, on one ledger in PostgreSQL.
#
# Nobody deals the returns out. Each worker searches all of them, and works on those that it is the first to claim.


WORKER = CONTENDERS["ours-postgres"]


@dataclass(frozen=True, slots=True)
class Team:
    """So many workers, and what they took for the backlog: seconds until the last had ended, CPU seconds of all."""

    workers: int
    returns: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        """Returns per second of all together."""
        return self.returns / self.seconds


def teams(counts: Sequence[int], returns: int, around: Surroundings) -> list[Team]:
    """Let so many workers do a backlog of so many returns, each time anew; audit it. Raises `WrongBooksError`."""
    return [_team(count, returns, around) for count in counts]


def _team(count: int, returns: int, around: Surroundings) -> Team:
    with served(returns) as target, environment(WORKER, target, around) as (env, folder), ExitStack() as stack:
        command = [sys.executable, "-m", "tests.benchmarks.contenders", WORKER.name, "together"]
        workers = []
        for number in range(count):
            log = stack.enter_context((folder / f"worker-{number}.log").open("w+"))
            pipe = subprocess.PIPE
            worker = stack.enter_context(
                subprocess.Popen(command, env=env, cwd=folder, stdin=pipe, stdout=pipe, stderr=log, text=True)
            )
            stack.callback(worker.kill)
            _read(worker, f"worker {number}")  # ready; one after the other, since the first makes the tables
            workers.append(worker)
        began = time.perf_counter()
        for worker in workers:
            assert worker.stdin
            worker.stdin.write("\n")
            worker.stdin.flush()
        told = [json.loads(_read(worker, f"worker {number}")) for number, worker in enumerate(workers)]
        seconds = time.perf_counter() - began
        for worker in workers:
            worker.wait(PATIENCE_S)
        target.audit()
    print(f"  {count} workers: {returns / seconds:8.1f} returns/s", flush=True)
    return Team(count, returns, seconds, sum(each["cpu"] for each in told))


def _read(worker: subprocess.Popen[str], name: str) -> str:
    assert worker.stdout
    line = worker.stdout.readline()
    if not line:
        raise ChildFailedError(f"{name} ended with {worker.wait(PATIENCE_S)}")
    return line
