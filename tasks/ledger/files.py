"""The files that were taken from a watched folder, by their content: what moves them comes after, and may not come."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, select

from tasks.database.sql import upsert
from tasks.ledger.schema import files


def file_taken(conn: Connection, digest: str) -> datetime | None:
    """When a file of this content was taken, all its rows done or given back; None for one that was not."""
    taken: datetime | None = conn.execute(select(files.c.taken_at).where(files.c.digest == digest)).scalar()
    return taken


def note_file_taken(conn: Connection, digest: str, counts: Mapping[str, int], *, now: datetime) -> None:
    """Write down that a file was taken, with how many of its rows had which verdict; the first time stays."""
    conn.execute(upsert(conn, files, ["digest"]), [{"digest": digest, "taken_at": now, "counts": dict(counts)}])
