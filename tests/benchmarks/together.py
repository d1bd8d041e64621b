"""Several workers on one store's backlog: the same flow in as many processes, on one ledger in PostgreSQL.

Nobody deals the returns out. Each worker searches all of them, and works on those that it is the first to claim.
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from tests.benchmarks.children import PATIENCE_S, ChildFailedError, Surroundings, environment
from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.served import served

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
