"""Two workers at the same time, in two processes on one SQLite ledger: whoever loses a claim does nothing."""

from typing import Any

import pytest

from tests.books import LedgerState
from tests.crash.workers import Worker, start
from tests.judge import assert_promises_kept
from tests.world import Start, World, added

pytestmark = pytest.mark.crash

ALL = ("process-pending-returns", {"mode": "act"})


def together(*workers: Worker) -> list[list[dict[str, Any]]]:
    """Let workers run to their end, and answer what each reported of its runs."""
    for worker in workers:
        worker.begun()
    told = [worker.reports() for worker in workers]
    assert all(isinstance(report, dict) for reports in told for report in reports), told
    return told


def assert_paid_once(world: World, due: dict[str, Any], about: str) -> None:
    world.run("reconcile", mode="act")
    dues = world.sandbox.audit().due
    waits = {row.process_id for row in world.read(LedgerState.read).open}
    left = world.sandbox.audit().forgotten({hold.process_id for hold in world.holds()} | waits)
    assert set(left) <= world.explained()
    world.act()  # does what one left to the other, and the other to the next run
    end = assert_promises_kept(world, about)
    assert world.paid() == due
    assert end.open == []
    print(f"  left to the next run: {[item for item in dues if item.process_id in left]}")


def test_the_same_batch_twice_at_once(start_world: Start) -> None:
    world = start_world(returns=60)
    due = world.sandbox.audit().due_total
    first, second = together(start(world, [ALL]), start(world, [ALL]))
    assert len(first) == len(second) == 1
    assert first[0]["outcomes"]["unknown"] == second[0]["outcomes"]["unknown"] == 0
    reported = added(*({key: type(due[key])(text) for key, text in run[0]["paid"].items()} for run in (first, second)))
    assert reported == due
    assert_paid_once(world, due, f"the same batch twice: {first[0]['outcomes']} and {second[0]['outcomes']}")


def test_one_return_by_hand_beside_the_schedule(start_world: Start) -> None:
    world = start_world(returns=60)
    due = world.sandbox.audit().due_total
    payable = [item.process_id for item in world.sandbox.audit().due if item.amount and not item.blocked]
    by_hand = [("process-return", {"mode": "act", "process_id": process_id}) for process_id in payable]
    schedule, hand = together(start(world, [ALL]), start(world, by_hand))
    assert len(hand) == len(payable)
    assert_paid_once(world, due, f"{len(hand)} by hand beside {schedule[0]['outcomes']}")
    assert world.read(LedgerState.read).open == []


def test_four_workers_find_an_empty_folder(start_world: Start) -> None:
    """All four start on a ledger that is not there yet; one migrates it, and each return is still worked on once."""
    world = start_world(returns=20)
    due = world.sandbox.audit().due_total
    together(*(start(world, [ALL]) for _ in range(4)))
    assert_paid_once(world, due, "four workers at once")
