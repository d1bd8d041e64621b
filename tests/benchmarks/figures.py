"""Figures of ours alone: shares, growth, a served limit, start-up."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.benchmarks.children import Surroundings, answer_of, environment
from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.peers.work import PAGE
from tests.benchmarks.served import Served, served
from tests.benchmarks.throughput import once

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
