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
from tests.forked import Forked, command
from tests.world import Start, World

EFFECTS = {operation.id for operation in OPERATIONS if operation.effect}
SLOW = FaultPlan(rate=1.0, weights={Fault.SLOW_BODY: 1}, effects_only=True, slow=0.3)


def cli(world: World, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Call `rever-returns` in a process of its own."""
    return command(*arguments, environment=world.environment, folder=world.ledger_file.parent).ended()


@contextmanager
def under_way(world: World) -> Iterator[Forked]:
    """A run in a child process that is in the midst of its refunds."""
    arguments = ("run", "process-pending-returns", "mode=act", "--no-prefect")
    child = command(*arguments, environment=world.environment, folder=world.ledger_file.parent)
    try:
        until = time.monotonic() + 30
        while len(sent(world)) < 5:
            assert time.monotonic() < until
            assert child.poll() is None
            time.sleep(0.01)
        yield child
    finally:
        child.kill()
        child.communicate()


def since(world: World) -> datetime:
    """When the switch was thrown, by the ledger."""
    at = world.read(switch).since
    assert at is not None
    return at


def sent(world: World) -> list[Entry]:
    return [entry for entry in world.sandbox.journal.entries if entry.operation in EFFECTS]


@pytest.mark.crash
def test_stop_reaches_a_run_under_way_within_a_second(start_world: Start) -> None:
    world = start_world(returns=100, faults=SLOW, settings={"REVER_RATE": "200"})
    with under_way(world) as child:
        stopped = cli(world, "stop", "--by", "olga", "--why", "a wrong price list")
        out, err = child.communicate(timeout=60)
    assert stopped.returncode == 0, stopped.stderr
    assert child.returncode == 0, err
    at = since(world)
    assert [entry for entry in sent(world) if entry.at > at + timedelta(seconds=1)] == []
    assert any(entry.at > at and entry.operation not in EFFECTS for entry in world.sandbox.journal.entries)
    assert "stopped by olga: a wrong price list" in out
    world.sandbox.stop_faults()
    left = world.sandbox.audit()
    assert left.violations == ()
    assert left.due_total

    before = len(sent(world))
    assert world.act().paid == {}
    assert len(sent(world)) == before
    assert "stopped" in cli(world, "holds").stdout.splitlines()[0]
    assert cli(world, "start", "--by", "olga").returncode == 0
    world.act()
    assert world.sandbox.audit().due_total == {}
    assert world.sandbox.audit().violations == ()


def test_what_is_stopped_twice_or_started_twice_says_so(start_world: Start) -> None:
    world = start_world(returns=0)
    world.act()
    assert "Nothing changed" in cli(world, "start", "--by", "olga").stdout
    assert "stopped" in cli(world, "stop", "--by", "olga", "--why", "audit").stdout
    again = cli(world, "stop", "--by", "pau", "--why", "me too").stdout
    assert "Nothing changed" in again
    assert "olga: audit" in again
    refused = cli(world, "stop", "--by", "olga", "--why", " ")
    assert refused.returncode == 2
    assert "--why" in refused.stderr
