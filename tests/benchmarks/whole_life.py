"""How often REVER is called for returns over their whole life, label to refund, beside the least that would do.

Counts, not times. Every return gets its label, is collected, arrives, is inspected by a warehouse's file and refunded;
no call fails. The least is what a run cannot do without: the store's settings, the pages of its search, one read right
before each effect (that decides whether it is still due), and the effect's one call.
"""

import csv
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from unittest.mock import patch

from rever_api.sandbox import running_sandbox
from tests.benchmarks.served import WrongBooksError
from tests.benchmarks.text import table
from tests.world import PATIENT, World

SHOP = "acme"
PAGE = 100
READ = "getReturnProcess"
HOUR_S = 3600
MAPPING = "columns: {process_id: id, line: line, quantity: units, outcome: found}\nwords: {good: APPROVED}\n"


@dataclass(frozen=True, slots=True)
class Stage:
    """One run in the life of the returns: how often each operation was called, and how often it must be at least."""

    name: str
    calls: Counter[str]
    least: Counter[str]


def play(returns: int, folder: Path) -> list[Stage]:
    """Play so many returns through. Raises `WrongBooksError` where not every one was refunded once."""
    with running_sandbox(returns=returns, shops=(SHOP,), scenarios=("label_needed_drop_off",)) as sandbox:
        world = World(sandbox, f"sqlite:///{folder / 'ledger.sqlite'}", dict(PATIENT))
        with patch.dict(os.environ, world.environment):
            return list(_stages(world, returns, folder))


def _stages(world: World, returns: int, folder: Path) -> Iterator[Stage]:
    pages = ceil(returns / PAGE)
    searched = Counter(searchReturnProcesses=pages, getEcommerceSettings=1)
    yield _run(
        world, "label", "generate-labels", searched + _each(returns, "createOrderV2") + Counter(listWarehouses=1)
    )
    for name, move in (("collected", "collect"), ("arrived", "arrive")):
        for process_id in world.sandbox.process_ids():
            world.sandbox.act(move, process_id)
        yield _run(world, name, "track-parcels", searched)
    inspected = Counter(getEcommerceSettings=1) + _each(returns, "addReview")
    yield _run(world, "inspected", "import-inspections", inspected, **_warehouse(world, folder))
    yield _run(world, "refunded", "process-pending-returns", searched + _each(returns, "issueRefund"))
    refunds = Counter(effect.process_id for effect in world.sandbox.books if effect.operation == "issueRefund")
    audit = world.sandbox.audit()
    if audit.violations or audit.due or refunds.total() != len(refunds) or len(refunds) != returns:
        raise WrongBooksError(f"{len(refunds)} of {returns} returns refunded; {audit.violations}; {len(audit.due)} due")


def _each(returns: int, effect: str) -> Counter[str]:
    """An effect for each return, and the read before it."""
    return Counter({effect: returns, READ: returns})


def _run(world: World, name: str, flow: str, least: Counter[str], **values: str) -> Stage:
    before = len(world.sandbox.journal.entries)
    world.pass_time(HOUR_S)
    world.run(flow, mode="act", **values)
    return Stage(name, Counter(entry.operation for entry in world.sandbox.journal.entries[before:]), least)


def _warehouse(world: World, folder: Path) -> dict[str, str]:
    """A file that says of every unit that it is good, and what its columns mean."""
    file, mapping = folder / "day.csv", folder / "mapping.yaml"
    mapping.write_text(MAPPING, encoding="utf-8")
    with world.sandbox.sandbox.locked(), file.open("w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out)
        rows.writerow(["id", "line", "units", "found"])
        for stored in world.sandbox.sandbox.processes.values():
            lines = stored.process.return_line_items
            rows.writerows([stored.process.rever_process_id, it.id, it.quantity, "good"] for it in lines)
    return {"file": str(file), "mapping": str(mapping)}


def lines_of(stages: Sequence[Stage], returns: int) -> Iterator[str]:
    """By run and operation: calls, the least, and both per return."""
    rows = [
        (stage.name, operation, str(stage.calls[operation]), str(stage.least[operation]))
        for stage in stages
        for operation in sorted(stage.calls | stage.least)
    ]
    calls, least = sum(it.calls.total() for it in stages), sum(it.least.total() for it in stages)
    rows.append(("whole life", "all", str(calls), str(least)))
    rows.append(("whole life", "per return", f"{calls / returns:.2f}", f"{least / returns:.2f}"))
    yield from table(("run", "operation", "calls", "least"), rows)
