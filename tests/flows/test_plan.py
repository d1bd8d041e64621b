"""`plan` writes nothing: not at REVER, not in the ledger, not even a file beside it."""

import hashlib
from pathlib import Path

import pytest

from tests.flows.conftest import Bench

FLOWS = ("process-pending-returns", "generate-labels", "reconcile")


def files(folder: Path) -> dict[str, str]:
    """Every file of the folder with a digest of what is in it."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def asked(bench: Bench) -> set[str]:
    return {entry.operation for entry in bench.sandbox.journal.entries}


@pytest.mark.parametrize("flow", FLOWS)
def test_before_there_is_a_ledger(bench: Bench, flow: str) -> None:
    before = bench.sandbox.books.effects
    bench.run(flow, mode="plan")
    bench.run("process-return", mode="plan", process_id=bench.sandbox.process_ids("approved_one")[0])
    assert files(bench.ledger_file.parent) == {}
    assert bench.sandbox.books.effects == before
    assert {name for name in asked(bench) if not name.startswith(("get", "list", "search"))} == set()


@pytest.mark.parametrize("flow", FLOWS)
def test_on_a_ledger_with_work_in_it(bench: Bench, flow: str) -> None:
    """Half of the shop is done, one outcome is unknown, the rest is due: `plan` sees it all and touches none of it."""
    bench.sandbox.set_faults("issueRefund:2:acts_answer_lost")
    bench.act(max_returns="20")
    before, effects, calls = (
        files(bench.ledger_file.parent),
        bench.sandbox.books.effects,
        len(bench.sandbox.journal.entries),
    )
    report = bench.run(flow, mode="plan")
    assert files(bench.ledger_file.parent) == before
    assert bench.sandbox.books.effects == effects
    later = {entry.operation for entry in bench.sandbox.journal.entries[calls:]}
    assert later
    assert {name for name in later if not name.startswith(("get", "list", "search"))} == set()
    assert report.paid == {}
