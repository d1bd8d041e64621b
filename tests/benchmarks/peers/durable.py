"""The same job in DBOS: a workflow per return, its read and its refund as steps, its id the return's.

What it does not promise: that a refund whose answer was lost is not sent again. A step that was under way when the
process died is run again at recovery ("at least once"), so that a POST that REVER does not dedupe is paid twice. What
it promises: a workflow that began comes to its end, and one id runs once, also with two processes at the same time. It
keeps workflow and step results, not units, amounts, caps or an audit.

Threads without a queue: of threads, queue and asyncio the quickest of the three with DBOS 3.4.
"""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from dbos import DBOS, DBOSConfig, SetWorkflowID

from tests.benchmarks.peers.work import IN_FLIGHT, TIMEOUT_S, Target, due, page

_local = threading.local()
TARGET = Target.of_environment() if "REVER_BASE_URL" in os.environ else Target("", "", "")


def client() -> httpx.Client:
    """A client for each thread: one that all share waits for its own pool."""
    if not hasattr(_local, "client"):
        _local.client = httpx.Client(
            base_url=TARGET.base_url, headers=TARGET.headers, timeout=TIMEOUT_S, trust_env=False, verify=False
        )
    held: httpx.Client = _local.client
    return held


@DBOS.step()
def read_return(process_id: str) -> dict[str, Any]:
    """One return."""
    process: dict[str, Any] = client().get(f"/v1/processes/{process_id}").raise_for_status().json()
    return process


@DBOS.step()
def issue_refund(process_id: str, refund: dict[str, Any]) -> bool:
    """Pay it."""
    client().post(f"/v1/processes/{process_id}/refunds", json=refund).raise_for_status()
    return True


@DBOS.workflow()
def process_return(process_id: str) -> bool:
    """Read, decide, refund."""
    refund = due(read_return(process_id))
    return refund is not None and issue_refund(process_id, refund)


def search() -> list[str]:
    """The ids of all running returns."""
    found: list[str] = []
    while True:
        told = client().get("/v1/processes", params=page(TARGET, len(found))).raise_for_status().json()
        found += [entry["rever_process_id"] for entry in told["processes"]]
        if not told["processes"] or len(found) >= told["rowcount"]:
            return found


def launch(url: str) -> None:
    """Open the store of workflows at `url`, and make its tables."""
    config: DBOSConfig = {"name": "returns", "system_database_url": url, "log_level": "ERROR"}
    DBOS(config=config)
    DBOS.launch()


def run() -> int:
    """Refund all that is due; return how many that were."""

    def one(process_id: str) -> bool:
        with SetWorkflowID(f"refund-{process_id}"):
            return bool(process_return(process_id))

    with ThreadPoolExecutor(IN_FLIGHT) as threads:
        return sum(threads.map(one, search()))
