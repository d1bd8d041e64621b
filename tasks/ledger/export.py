"""The ledger as files for finance and for the archive: CSV or JSON Lines, money as decimal text, times in UTC.

Of shoppers the ledger has keyed hashes and tracking numbers alone. Both are left out, as are the tokens of claims.
"""

import csv
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Table, select

from tasks.ledger.archive_files import MOVED, told
from tasks.ledger.archives import archived_evidence, archived_rows
from tasks.ledger.schema import (
    SECRET,
    audit,
    chains,
    files,
    holds,
    intents,
    label_files,
    lines,
    order_shipping,
    parcel_changes,
    parcels,
    records,
    shadow,
    units,
    waivers,
)
from tasks.ledger.types import LedgerError

TABLES = (
    records,
    lines,
    intents,
    units,
    order_shipping,
    holds,
    waivers,
    audit,
    chains,
    shadow,
    files,
    parcels,
    parcel_changes,
    label_files,
)

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


class Format(StrEnum):
    """How the files are written."""

    CSV = "csv"
    JSONL = "jsonl"


def export(conn: Connection, folder: Path, form: Format) -> dict[str, int]:
    """Write one file per table, of one consistent view; answers rows per file.

    Raises `LedgerError` where the folder holds something already or cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise LedgerError(f"{folder} is not empty, and an export overwrites nothing; name a new folder")
        return {f"{table.name}.{form}": _write(conn, table, folder / f"{table.name}.{form}", form) for table in TABLES}
    except OSError as error:
        raise LedgerError(f"the export cannot be written to {folder}: {error.strerror}") from None


def _write(conn: Connection, table: Table, path: Path, form: Format) -> int:
    columns = [column for column in table.columns if column.name not in SECRET]
    names = [column.name for column in columns]
    rows = _rows(conn, table, columns)
    path.touch(mode=0o600, exist_ok=False)
    with path.open("w", encoding="utf-8", newline="") as file:
        if form is Format.JSONL:
            return _count(file.write(_line(names, row)) for row in rows)
        writer = csv.writer(file)
        writer.writerow(names)
        return _count(writer.writerow([_cell(value) for value in row]) for row in rows)


def _rows(conn: Connection, table: Table, columns: Sequence[Column[Any]]) -> Iterator[Sequence[Any]]:
    """All rows of a table: those that were moved to archives first, then those of the ledger."""
    names = [column.name for column in columns]
    if table in MOVED:
        yield from ([row[name] for name in names] for row in archived_rows(conn, table))
    whole = archived_evidence(conn) if table is intents else {}
    for row in conn.execute(select(*columns).order_by(*table.primary_key.columns)).yield_per(1000):
        before = whole.get(row.id) if whole else None
        values = [before.get(name, value) for name, value in zip(names, row, strict=True)] if before else row
        yield [told(column, value) for column, value in zip(columns, values, strict=True)]


def _count(written: Iterator[Any]) -> int:
    return sum(1 for _ in written)


def _line(names: Sequence[str], row: Sequence[Any]) -> str:
    line = {
        name: value if isinstance(value, int | dict | list) else _text(value)
        for name, value in zip(names, row, strict=True)
    }
    return json.dumps(line, ensure_ascii=False) + "\n"


def _cell(value: Any) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    text = _text(value) or ""
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text


def _text(value: Any) -> str | None:
    match value:
        case None:
            return None
        case Decimal():
            return format(value, "f")
        case datetime():
            return value.astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
        case bool():
            return str(value).lower()
        case _:
            return str(value)
