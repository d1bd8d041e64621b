"""A warehouse's day: a file of rows from a watched folder to refunds in the sandbox's books, and the same file again.

`python -m tests.benchmarks.inspections day [ROWS]` plays it, and ends with 1 where the books are not as they must be;
`... read ROWS` reads a file of so many rows, and prints how long it took and the most memory. Both print JSON.
"""

import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from flows.run import run_flow
from rever_api.sandbox import RunningSandbox, running_sandbox
from tasks.desk import utc_now
from tasks.files.inspections import read_inspections
from tasks.files.mapped_rows import find_header
from tasks.files.mapping import InspectionMapping
from tasks.files.open_table import open_table
from tests.benchmarks.children import ROOT, clean_environment
from tests.world import environment_of

ROWS = 5000
HEADER = ("Return", "Line", "Units", "Found", "Receipt")
MAPPING = """\
columns: {process_id: Return, line: Line, quantity: Units, outcome: Found, receipt: Receipt}
words: {Good: APPROVED, Worn: {status: DECLINED, reason: It was worn}}
"""
EVERY_TENTH_WORN = 10


@dataclass(frozen=True, slots=True)
class Day:
    """What a day's file came to, in seconds and by the sandbox's books: reviews and refunds, first and second time."""

    rows: int
    returns: int
    import_s: float
    refund_s: float
    again_s: float
    reviews: int
    refunds: int
    paid: dict[str, str]
    again_changed: bool
    first: str
    again: str


@dataclass(frozen=True, slots=True)
class Reading:
    """How long it took to read a file of so many rows, as a table and as inspections, and the most memory in MiB.

    `cpu_s` are the processor's seconds, which tell more on a machine that does something else too.
    """

    rows: int
    table_s: float
    table_cpu_s: float
    inspections_s: float
    inspections_cpu_s: float
    peak_mib: float


def play_day(rows: int, folder: Path) -> Day:
    """Put a file into a watched folder, import it, pay what is due then, and put the same file there again."""
    with running_sandbox(returns=rows, scenarios=("in_warehouse",), shops=("acme",)) as sandbox:
        drop = folder / "in" / "landmark"
        drop.mkdir(parents=True)
        (drop / "mapping.yaml").write_text(MAPPING)
        for name in [name for name in os.environ if name.startswith("REVER_")]:
            del os.environ[name]
        settings = {"REVER_INSPECTIONS": str(folder / "in"), "REVER_TIMEOUT": "30", "REVER_SETTLE_AFTER": "120"}
        os.environ |= environment_of(sandbox, f"sqlite:///{folder / 'ledger.sqlite'}", **settings)
        many = _write(drop / "day.csv", sandbox, rows)
        first, import_s = _run("import-inspections")
        _, refund_s = _run("process-pending-returns")
        before = _books(sandbox)
        _write(drop / "the same.csv", sandbox, rows)
        again, again_s = _run("import-inspections")
        _run("process-pending-returns")
        after = _books(sandbox)
        paid = {currency: str(amount) for currency, amount in sandbox.books.paid().items()}
        return Day(
            rows, many, import_s, refund_s, again_s, before["addReview"], before["issueRefund"], paid,
            before != after, first, again,
        )  # fmt: skip


def _write(path: Path, sandbox: RunningSandbox, rows: int) -> int:
    """A row for each line until there are so many; how many returns they are about."""
    seen = set()
    with sandbox.sandbox.locked(), path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        found = [stored.process for stored in sandbox.sandbox.processes.values()]
        lines = [(it.rever_process_id, line) for it in sorted(found, key=lambda it: it.order_name)
                 for line in it.return_line_items]  # fmt: skip
        for number, (process_id, line) in enumerate(lines[:rows]):
            seen.add(process_id)
            word = "Worn" if number % EVERY_TENTH_WORN == 0 else "Good"
            writer.writerow([process_id, line.id, line.quantity, word, f"W-{number}"])
    return len(seen)


def _run(flow: str) -> tuple[str, float]:
    began = time.perf_counter()
    # The clock is ahead of the file's last change: nothing waits for a minute here.
    report = run_flow(flow, {"mode": "act"}, prefect=False, clock=lambda: utc_now() + timedelta(minutes=2))
    return getattr(report, "headline", ""), time.perf_counter() - began


def _books(sandbox: RunningSandbox) -> dict[str, int]:
    found: dict[str, int] = {"addReview": 0, "issueRefund": 0, "issueExchange": 0}
    for effect in sandbox.books:
        if not effect.foreign:
            found[effect.operation] = found.get(effect.operation, 0) + 1
    return found


def write_large(path: Path, rows: int) -> None:
    """A file in the form of Landmark Global's, with made-up values."""
    names = "Shipment Reference,Customer Name,City,State,Postal,Country,Return Date,Return Code,Return Reason"
    names += (
        ",Return RMA Number,Notes,SKU,Item Quantity,Item Description,Condition,Unit Price,Total Price,Items Currency"
    )
    with path.open("w") as file:
        file.write(f"{names}\n")
        file.writelines(
            f"R-{n},Ana Ruiz,Madrid,,08001,ES,2026-03-02 14:05:00,RET,General Return,RMA{n},,SKU-{n % 500},1,Shirt,"
            "GOOD,12.00,24.00,EUR\n"
            for n in range(rows)
        )


def read_large(path: Path, rows: int) -> Reading:
    """Read it as a table, then as inspections, row by row."""
    columns = {"rma": "Return RMA Number", "sku": "SKU", "quantity": "Item Quantity", "outcome": "Condition"}
    columns |= {"inspected_at": "Return Date"}
    mapping = InspectionMapping.model_validate(
        {"columns": columns, "words": {"GOOD": "APPROVED"}, "zone": "America/Chicago"}
    )

    def as_table() -> int:
        return sum(1 for _ in open_table(path).rows()) - 1

    def as_inspections() -> int:
        table = open_table(path)
        header = find_header(table.rows(), mapping.columns.named(), str(path))
        return sum(1 for _ in read_inspections(table.rows(), header, mapping))

    def timed(read: Callable[[], int]) -> tuple[float, float]:
        began, cpu = time.perf_counter(), time.process_time()
        assert read() == rows
        return time.perf_counter() - began, time.process_time() - cpu

    return Reading(
        rows, *timed(as_table), *timed(as_inspections), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    )


def in_child(*arguments: str) -> dict[str, Any]:
    """What a fresh process prints: memory that another part has used is not counted."""
    command = [sys.executable, "-m", "tests.benchmarks.inspections", *arguments]
    ran = subprocess.run(command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def lines_of(readings: list[dict[str, Any]], day: dict[str, Any]) -> Iterator[str]:
    """The figures, in words."""
    for it in readings:
        yield (
            f"  {it['rows']:,} rows: as a table {it['table_s']:.1f} s ({it['table_cpu_s']:.1f} of the processor's), as "
            f"inspections {it['inspections_s']:.1f} s ({it['inspections_cpu_s']:.1f}), at most {it['peak_mib']:.0f} MiB"
        )
    yield (
        f"  a day of {day['rows']:,} rows about {day['returns']:,} returns: {day['import_s']:.1f} s to "
        f"{day['reviews']:,} reviews, {day['refund_s']:.1f} s to {day['refunds']:,} refunds; the same file again "
        f"{day['again_s']:.1f} s, and {'SOMETHING CHANGED' if day['again_changed'] else 'nothing changed'}"
    )


def main(arguments: list[str]) -> int:
    """Play one of the two and print it as JSON."""
    what, rows = arguments[0], int(arguments[1]) if len(arguments) > 1 else ROWS
    with tempfile.TemporaryDirectory(prefix="bench-inspections-") as folder:
        if what == "read":
            write_large(Path(folder) / "large.csv", rows)
            print(json.dumps(asdict(read_large(Path(folder) / "large.csv", rows))))
            return 0
        os.chdir(folder)
        day = play_day(rows, Path(folder))
        print(json.dumps(asdict(day), indent=2))
        return int(day.again_changed or not day.refunds)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
