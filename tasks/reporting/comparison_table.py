"""The comparison with REVER as rows for people: a table in the UI, and a CSV file for finance."""

import csv
import io
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tasks.desk import DeskError, WrongNameError
from tasks.policy.comparison import RefundComparison, Seen
from tasks.reconcile import Compared

COLUMNS = (
    "process_id",
    "order",
    "store",
    "status",
    "currency",
    "ours",
    "rever",
    "on_its_way",
    "difference",
    "by_hand",
    "seen",
    "decision",
    "why",
)


def comparison_rows(compared: Compared) -> list[dict[str, str]]:
    """A row for each return and currency, those that differ first. Amounts are decimal strings."""
    rows = [row for rows in compared.beside.values() for row in rows]
    rows.sort(key=lambda row: (row.seen in {Seen.SAME, Seen.NEITHER}, row.store, row.process_id, row.currency))
    return [_cells(row, compared) for row in rows]


def check_target(path: Path) -> None:
    """Refuse, before anything is done, a file that cannot be written. Raises `WrongNameError`."""
    folder = path.parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise WrongNameError(f"the comparison cannot be written to {path}: name a file in a folder that is there")


def write_csv(path: Path, rows: Iterable[dict[str, str]]) -> None:
    """Write the rows as CSV (RFC 4180, UTF-8), whole or not at all. Raises `DeskError`."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows({name: _harmless(value) for name, value in row.items()} for row in rows)
    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8", newline="") as file:
            file.write(text.getvalue())
        Path(file.name).replace(path)
    except OSError as error:
        raise DeskError(f"the comparison could not be written to {path}: {error.strerror}") from None


def _cells(row: RefundComparison, compared: Compared) -> dict[str, str]:
    decided = compared.decided.get(row.process_id)
    return {
        "process_id": row.process_id,
        "order": row.order_name,
        "store": row.store,
        "status": row.status,
        "currency": row.currency,
        "ours": str(row.ours),
        "rever": str(row.theirs),
        "on_its_way": str(row.on_its_way),
        "difference": str(row.difference),
        "by_hand": str(row.by_hand),
        "seen": str(row.seen),
        "decision": decided.decision.rule if decided else "at its end",
        "why": decided.decision.why if decided else "",
    }


def _harmless(value: str) -> str:
    """A text that a spreadsheet would take for a formula is quoted; a negative amount is none."""
    number = value.removeprefix("-").replace(".", "", 1).isdecimal()
    return f"'{value}" if value[:1] in {"=", "+", "-", "@", "\t"} and not number else value
