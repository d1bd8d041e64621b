"""The stop switch, thrown from another process: no effect starts any more, reads go on, and every report says so."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest

from rever_api.sandbox.faults import Fault, FaultPlan
from rever_api.sandbox.operations import OPERATIONS
from rever_api.sandbox.state import Entry
from tasks.ledger import switch
from tests.flows.conftest import Bench, Start
from tests.forked import Forked, command

EFFECTS = {operation.id for operation in OPERATIONS if operation.effect}
SLOW = FaultPlan(rate=1.0, weights={Fault.SLOW_BODY: 1}, effects_only=True, slow=0.3)


def cli(bench: Bench, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Call `rever-returns` in a process of its own."""
    return command(*arguments, environment=bench.environment, folder=bench.ledger_file.parent).ended()


@contextmanager
def under_way(bench: Bench) -> Iterator[Forked]:
    """A run in a child process that is in the midst of its refunds."""
    arguments = ("run", "process-pending-returns", "mode=act", "--no-prefect")
    child = command(*arguments, environment=bench.environment, folder=bench.ledger_file.parent)
    try:
        until = time.monotonic() + 30
        while len(sent(bench)) < 5:
            assert time.monotonic() < until
            assert child.poll() is None
            time.sleep(0.01)
        yield child
    finally:
        child.kill()
        child.communicate()


def since(bench: Bench) -> datetime:
    """When the switch was thrown, by the ledger."""
    at = bench.read(switch).since
    assert at is not None
    return at


def sent(bench: Bench) -> list[Entry]:
    return [entry for entry in bench.sandbox.journal.entries if entry.operation in EFFECTS]


@pytest.mark.crash
def test_stop_reaches_a_run_under_way_within_a_second(start_bench: Start) -> None:
    bench = start_bench(returns=100, faults=SLOW, settings={"REVER_RATE": "200"})
    with under_way(bench) as child:
        stopped = cli(bench, "stop", "--by", "olga", "--why", "a wrong price list")
        out, err = child.communicate(timeout=60)
    assert stopped.returncode == 0, stopped.stderr
    assert child.returncode == 0, err
    at = since(bench)
    assert [entry for entry in sent(bench) if entry.at > at + timedelta(seconds=1)] == []
    assert any(entry.at > at and entry.operation not in EFFECTS for entry in bench.sandbox.journal.entries)
    assert "stopped by olga: a wrong price list" in out
    bench.sandbox.stop_faults()
    left = bench.sandbox.audit()
    assert left.violations == ()
    assert left.due_total

    before = len(sent(bench))
    assert bench.act().paid == {}
    assert len(sent(bench)) == before
    assert "stopped" in cli(bench, "holds").stdout.splitlines()[0]
    assert cli(bench, "start", "--by", "olga").returncode == 0
    bench.act()
    assert bench.sandbox.audit().due_total == {}
    assert bench.sandbox.audit().violations == ()


def test_what_is_stopped_twice_or_started_twice_says_so(start_bench: Start) -> None:
    bench = start_bench(returns=0)
    bench.act()
    assert "Nothing changed" in cli(bench, "start", "--by", "olga").stdout
    assert "stopped" in cli(bench, "stop", "--by", "olga", "--why", "audit").stdout
    again = cli(bench, "stop", "--by", "pau", "--why", "me too").stdout
    assert "Nothing changed" in again
    assert "olga: audit" in again
    refused = cli(bench, "stop", "--by", "olga", "--why", " ")
    assert refused.returncode == 2
    assert "--why" in refused.stderr
