"""Two workers on PostgreSQL and Redis share the work and one is killed: nothing is done twice, nothing is lost."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import psutil
import pytest
from prefect.client.schemas.objects import FlowRun

from deployments.prefect_server import without_own_settings
from deployments.up.parts import RUNS_OF_A_WORKER
from tests.books import Books
from tests.judge import judge
from tests.scale.servers import running_redis, running_whole_postgres
from tests.scale.work import Work, work_at
from tests.ui.desks import wait_until
from tests.ui.running_up import UP_WITHIN_S, Up, running_up

pytestmark = [pytest.mark.live, pytest.mark.timeout(1800)]

RUNS = 2 * RUNS_OF_A_WORKER
"""One worker alone cannot take them all at once."""
PATIENCE_S, EVERY_S = 600.0, 1.0
"""Much longer than it takes until a run is Crashed that was taken and never begun (3 minutes)."""


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    with running_whole_postgres() as postgres, running_redis(tmp_path) as redis:
        addresses = {"UP_POSTGRES_URL": postgres, "UP_REDIS_URL": redis}
        with running_up(tmp_path, "--shared", "--workers", "2", **addresses) as running:
            running.wait_for("The desk is up", UP_WITHIN_S)
            yield running


def test_two_workers_share_and_one_is_killed(up: Up) -> None:
    with work_at(up) as work:
        began = time.monotonic()
        ids = sorted({due.process_id for due in Books.served_at(up.address("sandbox")).due})
        runs = [work.run(process_ids=ids[number::RUNS]) for number in range(RUNS)]
        seen = partial(work.seen, runs)
        wait_until(lambda: _both_at_work(work, runs), "both at work", PATIENCE_S, EVERY_S, seen)
        killed = _kill_a_worker(up)
        wait_until(lambda: work.ended(runs), "every run to end", PATIENCE_S, EVERY_S, seen)
        print(f"\n{len(ids)} returns, {RUNS} runs: {dict(work.states(runs))}, taken: {dict(work.takers(runs))};")
        print(f"{killed} processes killed; all ended after {time.monotonic() - began:.0f} s")
        last = [work.run()]
        wait_until(lambda: work.ended(last), "the next run to end", PATIENCE_S, EVERY_S)
        assert work.states(last) == {"COMPLETED": 1}
        _judge(work)


def _both_at_work(work: Work, runs: Sequence[FlowRun]) -> bool:
    return work.states(runs)["COMPLETED"] >= 2 and min(work.takers(runs).values(), default=0) > 0


def _kill_a_worker(up: Up) -> int:
    """SIGKILL to the second worker and all that it has started, in whatever session that is; return how many."""
    worker = up.child("worker 2")
    family = [worker, *worker.children(recursive=True)]
    for process in family:
        process.kill()
    psutil.wait_procs(family, timeout=10)
    return len(family)


def _judge(work: Work) -> None:
    """By REVER's books: nothing twice; what is due still is held or waits; our ledger says the same to the cent."""
    _told(work, "run", "reconcile", "mode=act", "--json", "--no-prefect")
    books, ledger = Books.served_at(work.up.address("sandbox")), work.ledger()
    print(f"refunds by us in our ledger: {ledger.paid}; held or waiting: {len({*ledger.held, *ledger.waits})}")
    assert judge(books, ledger, waits=ledger.waits).words == []


def _told(work: Work, *arguments: str) -> dict[str, list[str]]:
    report: dict[str, list[str]] = json.loads(_said(work, *arguments))
    return report


def _said(work: Work, *arguments: str) -> str:
    env = {**without_own_settings(os.environ), **work.variables()}
    command = [sys.executable, "-m", "deployments.cli", *arguments]
    return subprocess.run(command, env=env, cwd=work.up.folder, capture_output=True, text=True, check=True).stdout
