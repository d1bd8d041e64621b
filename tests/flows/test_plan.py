"""`plan` writes nothing: not at REVER, not in the ledger, not even a file beside it."""

import hashlib
from pathlib import Path

import pytest

from tests.world import World

FLOWS = ("process-pending-returns", "generate-labels", "reconcile")


def files(folder: Path) -> dict[str, str]:
    """Every file of the folder with a digest of what is in it."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def asked(world: World) -> set[str]:
    return {entry.operation for entry in world.sandbox.journal.entries}


@pytest.mark.parametrize("flow", FLOWS)
def test_before_there_is_a_ledger(world: World, flow: str) -> None:
    before = world.sandbox.books.effects
    world.run(flow, mode="plan")
    world.run("process-return", mode="plan", process_id=world.sandbox.process_ids("approved_one")[0])
    assert files(world.ledger_file.parent) == {}
    assert world.sandbox.books.effects == before
    assert {name for name in asked(world) if not name.startswith(("get", "list", "search"))} == set()


@pytest.mark.parametrize("flow", FLOWS)
def test_on_a_ledger_with_work_in_it(world: World, flow: str) -> None:
    """Half of the shop is done, one outcome is unknown, the rest is due: `plan` sees it all and touches none of it."""
    world.sandbox.set_faults("issueRefund:2:acts_answer_lost")
    world.act(max_returns="20")
    before, effects, calls = (
        files(world.ledger_file.parent),
        world.sandbox.books.effects,
        len(world.sandbox.journal.entries),
    )
    report = world.run(flow, mode="plan")
    assert files(world.ledger_file.parent) == before
    assert world.sandbox.books.effects == effects
    later = {entry.operation for entry in world.sandbox.journal.entries[calls:]}
    assert later
    assert {name for name in later if not name.startswith(("get", "list", "search"))} == set()
    assert report.paid == {}
