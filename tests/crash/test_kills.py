"""A worker dies by SIGKILL at any moment of a run; the runs after it pay what is left, once, and forget nothing.

`TEST_WHOLE=1` kills twenty workers at random moments; without it five die, one of them in `make test`.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from tests.books import Amounts, LedgerState
from tests.crash.workers import start
from tests.forked import command
from tests.judge import assert_promises_kept
from tests.world import Start, World, added, shown

pytestmark = pytest.mark.crash

RETURNS = 40
QUICK = {"REVER_TIMEOUT": "0.5", "REVER_SETTLE_AFTER": "1.5", "REVER_LEASE": "0.5"}
RUN = [("process-pending-returns", {"mode": "act"})]
KILLS = 20 if os.environ.get("TEST_WHOLE") == "1" else 5
SEEDS = [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, KILLS + 1))]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_worker_killed_at_a_random_moment(start_world: Start, tmp_path: Path, seed: int) -> None:
    elsewhere = {"REVER_LEDGER_URL": f"sqlite:///{tmp_path}/unkilled.sqlite"}
    # It has time for each call: what times out on a busy machine is paid, but not known to be by the end of its run.
    unkilled = start_world(settings=elsewhere, returns=RETURNS, seed=seed)
    unkilled.act()
    world = start_world(settings=QUICK, returns=RETURNS, seed=seed)
    moment = _killed(world, seed, len(unkilled.sandbox.journal.entries))
    world.act()
    assert world.sandbox.audit().violations == ()
    world.wait_until_settled()
    world.act()
    world.run("reconcile", mode="act")
    end = assert_promises_kept(world, f"seed {seed}: {moment}")
    _assert_total_is_an_unkilled_runs(world, unkilled.paid(), end)


def _killed(world: World, seed: int, calls: int) -> str:
    """Start a worker and kill it after so many of its calls, and some milliseconds, as the seed has it."""
    random = Random(seed)
    after, pause = random.randint(1, calls), random.uniform(0, 0.01)
    entries = world.sandbox.journal.entries
    worker, until = start(world, RUN), time.monotonic() + 60
    worker.begun()
    while len(entries) < after and time.monotonic() < until:
        time.sleep(0.0005)
    time.sleep(pause)
    worker.kill()
    states = [row.state for row in world.read(LedgerState.read).open]
    done = sum(world.sandbox.books.counts().values())
    return f"killed at call {after} of {calls}, {done} effects done, open then: {', '.join(states) or 'none'}"


def _assert_total_is_an_unkilled_runs(world: World, unkilled: Amounts, end: LedgerState) -> None:
    """All that is not paid belongs to returns of which a person is asked about a call that never reached REVER."""
    audit, asked_about = world.sandbox.audit(), {item.process_id for item in end.open}
    print(f"  paid {shown(world.paid())}; left {shown(audit.due_total)}; an unkilled run pays {shown(unkilled)}")
    assert added(world.paid(), audit.due_total) == unkilled
    assert {due.process_id for due in audit.due if due.amount and not due.blocked} <= asked_about
    assert end.open == end.asked_about


def test_the_real_command_killed_after_rever_acted_and_before_it_answered(start_world: Start) -> None:
    world = start_world(
        settings=QUICK | {"REVER_MAX_IN_FLIGHT": "1"}, returns=20, faults="issueRefund:3:hang_after_acting"
    )
    due = world.sandbox.audit().due_total
    installed = str(Path(sys.executable).with_name("rever-returns"))
    words = ("run", RUN[0][0], "mode=act", "--json", "--no-prefect")
    environment = {**os.environ, **world.environment}
    with subprocess.Popen(
        [installed, *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        _wait_for_the_held_answer(world, running)
        running.kill()
        out, _ = running.communicate(timeout=30)
    assert running.returncode == -signal.SIGKILL
    assert out == b""
    world.sandbox.stop_faults()
    world.act()
    world.wait_until_settled()
    ended = command(*words, environment=world.environment, folder=world.ledger_file.parent).ended()
    assert ended.returncode == 0, ended.stderr
    world.run("reconcile", mode="act")
    assert_promises_kept(world, "the command, killed")
    assert world.paid() == due


def _wait_for_the_held_answer(world: World, running: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and running.poll() is None:
        if any(entry.fault == "hang_after_acting" and entry.acted for entry in tuple(world.sandbox.journal.entries)):
            return
        time.sleep(0.002)
    pytest.fail("the refund whose answer is held back never came")
