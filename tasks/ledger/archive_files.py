"""The files of an archive: one Parquet file per table and a manifest with their digests, in a folder of their own.

The values are those of the ledger, exactly: amounts as decimal text, times in UTC to the microsecond, documents as JSON
text. A folder that has its name is never changed again. Nothing is read from a file whose digest is not the manifest's,
nor from a manifest whose digest is not the ledger's.
"""

import hashlib
import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Date,
    Integer,
    MetaData,
    Table,
    Text,
    true,
)

from tasks.database.engines import Money, UtcTime
from tasks.ledger.schema import SECRET, UNTOLD, audit, intents, parcel_changes, parcels, reminders, shadow
from tasks.ledger.types import LedgerError
from tasks.policy.tracking import OF_RETURN

MANIFEST = "manifest.json"

FORMAT = 1
"""Of the folder as a whole; the tables' columns are those of the ledger's version that the manifest names."""

returns = Table(
    "returns",
    MetaData(),
    Column("process_id", Text, primary_key=True),
    Column("store", Text),
    Column("order_name", Text),
    Column("after", Integer),
    Column("after_steps", Integer),
    Column("after_head", Text),
    Column("steps", Integer),
    Column("head", Text),
)
"""Which returns an archive is about, and where the chain of each begins and ends in it. `after` is the archive with the
steps before, 0 for none. A table of archives alone.
"""

MOVED = (audit, parcel_changes, parcels, shadow, reminders)
"""The tables whose rows leave the ledger for an archive: of parcels where the return itself stands, which has no
tracking number.
"""

TAKEN_OFF = ("snapshot", "evidence", "deadline", "settle_at")
"""What the effects of an archived return have in its archive alone."""

ARCHIVED = (returns, intents, *MOVED)
"""The tables of an archive. The rows of `intents` stay in the ledger too, without what is `TAKEN_OFF`."""

Row = dict[str, Any]


def columns_of(table: Table) -> list[Column[Any]]:
    """The columns of a table that an archive has: all but the tokens of claims."""
    return [column for column in table.columns if column.name not in SECRET]


def which_move(table: Table) -> ColumnElement[bool]:
    """Which rows of a table an archive takes of its returns."""
    return parcels.c.parcel == OF_RETURN if table is parcels else true()


def encoded(table: Table, row: Mapping[str, Any]) -> Row:
    """A row of the ledger as it stands in a file."""
    return {column.name: _encoded(column, row[column.name]) for column in columns_of(table)}


def _encoded(column: Column[Any], value: Any) -> Any:
    if isinstance(column.type, JSON):
        return None if value is None else json.dumps(told(column, value), ensure_ascii=False)
    if value is None:
        return None
    if isinstance(column.type, Money):
        return format(value, "f")
    return value.astimezone(UTC) if isinstance(column.type, UtcTime) else value


def told(column: Column[Any], value: Any) -> Any:
    """What a file has of a value of this column: details without what is told nowhere."""
    if column.name != "details" or not isinstance(value, dict):
        return value
    return {name: each for name, each in value.items() if name not in UNTOLD}


def decoded(table: Table, row: Mapping[str, Any]) -> Row:
    """The reverse of `encoded`; None in a column that the ledger did not have when the file was written."""
    return {column.name: _decoded(column, row.get(column.name)) for column in columns_of(table)}


def _decoded(column: Column[Any], value: Any) -> Any:
    if value is None:
        return None
    if isinstance(column.type, JSON):
        return json.loads(value)
    if isinstance(column.type, Money):
        return column.type.process_result_value(value, None)  # type: ignore[arg-type]
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def key_of(table: Table, row: Mapping[str, Any]) -> tuple[Any, ...]:
    """What the rows of a table are sorted by: the return, then the key."""
    return (row["process_id"], *(row[column.name] for column in table.primary_key.columns))


def write_folder(folder: Path, tables: Mapping[Table, Sequence[Row]], about: Mapping[str, Any]) -> str:
    """Write the files of an archive into a new folder, and bring them to the disk; the digest of the manifest.

    `tables` are encoded rows; `about` is what the manifest says beside counts and digests. All can be read by the owner
    alone. Raises `LedgerError`.
    """
    try:
        folder.mkdir(mode=0o700)
        told: dict[str, Any] = {}
        for table, rows in tables.items():
            content = _parquet(table, rows)
            _write(folder / _file(table), content)
            told[table.name] = {"rows": len(rows), "bytes": len(content), "sha256": _sha256(content)}
        manifest = json.dumps({"format": FORMAT, **about, "tables": told}, indent=1, sort_keys=True).encode()
        _write(folder / MANIFEST, manifest)
        sync_folder(folder)
    except OSError as error:
        raise LedgerError(f"the archive cannot be written to {folder.parent}: {error.strerror}") from None
    return _sha256(manifest)


def _file(table: Table) -> str:
    return f"{table.name}.parquet"


def _parquet(table: Table, rows: Sequence[Row]) -> bytes:
    import pyarrow as pa  # noqa: PLC0415 - few runs read or write an archive
    import pyarrow.parquet as pq  # noqa: PLC0415

    schema = pa.schema([pa.field(column.name, _arrow(column)) for column in columns_of(table)])
    into = BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), into, compression="zstd")
    return into.getvalue()


def _arrow(column: Column[Any]) -> Any:
    import pyarrow as pa  # noqa: PLC0415

    kinds = ((Boolean, pa.bool_()), (Integer | BigInteger, pa.int64()), (Date, pa.date32()))
    if isinstance(column.type, UtcTime):
        return pa.timestamp("us", tz="UTC")
    return next((arrow for kind, arrow in kinds if isinstance(column.type, kind)), pa.string())


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Bring a folder's list of names to the disk."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True)
class ArchiveFolder:
    """The files of one archive. What is read is what the digest was taken of."""

    path: Path
    manifest: Mapping[str, Any] = field(repr=False)

    @classmethod
    def open(cls, path: Path, digest: str) -> "ArchiveFolder":
        """Read the manifest. Raises `LedgerError` where it is missing, or is not the one of this digest."""
        content = _content(path / MANIFEST)
        if digest and _sha256(content) != digest:
            raise _changed(path / MANIFEST)
        try:
            manifest = json.loads(content)
        except ValueError:
            raise _changed(path / MANIFEST) from None
        if not (isinstance(manifest, dict) and isinstance(manifest.get("tables"), dict)):
            raise _changed(path / MANIFEST)
        return cls(path, manifest)

    def rows(self, table: Table, process_ids: Collection[str] | None = None) -> list[Row]:
        """The rows of a table, those of these returns or all, as they stand in the file, in order of return and key.

        Raises `LedgerError` where the file is missing, or is not the one that the manifest tells of.
        """
        told, path = self.manifest["tables"].get(table.name), self.path / _file(table)
        if told is None:
            raise LedgerError(f"the archive {self.path} has no table {table.name}")
        content = _content(path)
        if _sha256(content) != told["sha256"]:
            raise _changed(path)
        from pyarrow import ArrowException  # noqa: PLC0415 - few runs read an archive
        from pyarrow.parquet import read_table  # noqa: PLC0415

        only = None if process_ids is None else [("process_id", "in", sorted(process_ids))]
        if only and not process_ids:
            return []
        try:
            found = read_table(BytesIO(content), filters=only, partitioning=None).to_pylist()
        except (ArrowException, OSError, ValueError):
            raise _changed(path) from None
        return sorted(found, key=lambda row: key_of(table, row))


_BRING_BACK = (
    "Mount its disk, put the archive back from a copy, or say where it is now (rever-returns ledger archives"
    " --moved-to FOLDER); what can be told without it is in docs/archives.md"
)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise LedgerError(f"{path} is missing: a part of the ledger's history was moved there. {_BRING_BACK}") from None
    except OSError as error:
        raise LedgerError(
            f"{path}, with a part of the ledger's history, cannot be read ({error.strerror}). {_BRING_BACK}"
        ) from None


def _changed(path: Path) -> LedgerError:
    return LedgerError(
        f"{path} is not what was written to it: it was changed or damaged. Put the archive back from a copy"
    )
