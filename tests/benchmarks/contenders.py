"""Those who are measured, each in a process of its own that is given a sandbox, a folder and where to keep its state.

`python -m tests.benchmarks.contenders NAME` does the job once and prints what it took. The clock starts when all is
imported and every store (ledger, DBOS's tables) has been made, and stops when the last refund is written down. With
`together` behind the name it says when it is ready, and begins when a line comes in on stdin.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

Job = Callable[[], int]
"""Refunds all that is due, and returns how many returns that were."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One of them. `most` bounds its returns: its rate is what counts. `store`: the kind of database it is given."""

    name: str
    words: str
    prepare: Callable[[], Job]
    most: int | None = None
    prefect: bool = False
    store: str = "sqlite"
    needs: str = ""


def ours(*, prefect: bool) -> Job:
    """process-pending-returns as the command line runs it."""
    from deployments.console.logs import log_to_stderr

    log_to_stderr(debug=False)
    from flows import process_pending_returns as flow
    from flows.run import run_flow
    from tasks.desk import utc_now
    from tasks.ledger import Ledger
    from tasks.settings import load_settings

    assert flow.NAME
    settings = load_settings()
    Ledger.open(settings.ledger_url.get_secret_value(), account=settings.account, clock=utc_now).close()
    return lambda: run_flow(flow.NAME, {"mode": "act"}, prefect=prefect).seen


def plain(*, over_ours: bool) -> Job:
    """The script without durability."""
    from tests.benchmarks.peers import plain as peer
    from tests.benchmarks.peers.work import Target

    target = Target.of_environment()
    return lambda: asyncio.run(peer.run(target, peer.over_ours if over_ours else peer.stock))


def tutorial() -> Job:
    """The Prefect project of the tutorials."""
    from tests.benchmarks.peers import tutorial as peer

    asyncio.run(peer.limit_tag())
    return peer.process_returns


def durable() -> Job:
    """DBOS."""
    from tests.benchmarks.peers import durable as peer

    peer.launch(os.environ["BENCH_STORE"])
    return peer.run


CONTENDERS = {
    each.name: each
    for each in (
        Contender("ours", "ours, with Prefect", partial(ours, prefect=True), prefect=True),
        Contender("ours-no-prefect", "ours, --no-prefect", partial(ours, prefect=False)),
        Contender("ours-postgres", "ours, --no-prefect, on PostgreSQL", partial(ours, prefect=False), store="postgres"),
        Contender("plain", "plain script, stock httpx", partial(plain, over_ours=False), store=""),
        Contender("plain-ours", "plain script, our transport", partial(plain, over_ours=True), store=""),
        Contender("dbos", "DBOS, SQLite", durable, needs="dbos"),
        Contender("dbos-postgres", "DBOS, PostgreSQL", durable, store="postgres", needs="dbos"),
        Contender("tutorial", "Prefect as in its tutorials", tutorial, most=100, prefect=True, store=""),
    )
}


def measured(prepare: Callable[[], Job], ready: Callable[[], object] = lambda: None) -> dict[str, Any]:
    """Do the job, and say what it took: seconds, CPU seconds of this process, and its peak of memory in MiB."""
    job = prepare()
    ready()
    began, cpu = time.perf_counter(), time.process_time()
    returns = job()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {"returns": returns, "seconds": seconds, "cpu": cpu, "max_rss_mib": max_rss_mib()}


def max_rss_mib() -> float:
    """The peak of this process's memory. (getrusage would tell its parent's where that was higher.)"""
    status = Path("/proc/self/status")
    if not status.exists():
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def main(name: str, *, together: bool = False) -> None:
    """Print what it took, as the last line on stdout."""
    print(json.dumps(measured(CONTENDERS[name].prepare, _ready if together else lambda: None)), flush=True)


def _ready() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main(sys.argv[1], together=sys.argv[2:] == ["together"])
    sys.stdout.flush()
    os._exit(0)  # DBOS's threads would go on polling
