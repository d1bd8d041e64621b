"""Read what was moved to archives, for whoever tells of the past: the one way to it.

A return of which nothing was archived costs one small query. Where an archive is missing or was changed, a
`LedgerError` names the file: nothing is told with a gap in it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Table, select, update

from tasks.database.engines import chunks
from tasks.database.lists import among
from tasks.ledger.archive_files import TAKEN_OFF, ArchiveFolder, Row, decoded, returns
from tasks.ledger.parcels import parcels_of
from tasks.ledger.records import load_records
from tasks.ledger.schema import archives, chains, intents, parcel_changes, parcels
from tasks.ledger.types import LedgerError
from tasks.policy.record import ParcelChange, Record

_NEWEST = select(chains.c.process_id, chains.c.archive).where(among(chains.c.process_id, "ids"), chains.c.archive > 0)


ARCHIVED_EVENT = "archived"
"""The step of the ledger's own chain that names an archive, with the digest of its manifest."""


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive that the ledger knows. `counts` are its rows per table; `digest` is that of its manifest."""

    number: int
    name: str
    folder: Path
    digest: str
    made_at: datetime
    cut: datetime
    counts: Mapping[str, int]

    @property
    def path(self) -> Path:
        """Where its files are."""
        return self.folder / self.name

    def opened(self) -> ArchiveFolder:
        """Its files. Raises `LedgerError`."""
        return ArchiveFolder.open(self.path, self.digest)


def known_archives(conn: Connection) -> list[Archive]:
    """All archives of the ledger, oldest first."""
    return [
        Archive(row.number, row.name, Path(row.folder), row.digest, row.made_at, row.cut, row.counts)
        for row in conn.execute(select(archives).order_by(archives.c.number))
    ]


def move_archives(conn: Connection, folder: Path) -> list[Archive]:
    """Say that the archives are in this folder now; each that is there as it was written. The others stay as they are.

    Raises `LedgerError` where none of them is there.
    """
    found = []
    for archive in known_archives(conn):
        there = replace(archive, folder=folder)
        try:
            there.opened()
        except LedgerError:
            continue
        conn.execute(update(archives).where(archives.c.number == archive.number).values(folder=str(folder)))
        found.append(there)
    if not found:
        raise LedgerError(f"none of the ledger's archives is in {folder}; nothing was changed")
    return found


def archived_rows(conn: Connection, table: Table, process_ids: Collection[str] | None = None) -> Iterator[Row]:
    """The archived rows of a table, of these returns or of all, the oldest archive first. Raises `LedgerError`."""
    if process_ids is None:
        for archive in known_archives(conn):
            if archive.counts.get(table.name):
                yield from (decoded(table, row) for row in archive.opened().rows(table))
        return
    for folder, ids in _folders_of(conn, process_ids):
        yield from (decoded(table, row) for row in folder.rows(table, ids))


def _folders_of(conn: Connection, process_ids: Collection[str]) -> list[tuple[ArchiveFolder, set[str]]]:
    """The archives with anything of these returns, oldest first, each with those it has something of."""
    wanted: dict[int, set[str]] = defaultdict(set)
    for ids in chunks(process_ids):
        for row in conn.execute(_NEWEST, {"ids": ids}):
            wanted[row.archive].add(row.process_id)
    if not wanted:
        return []
    known = {archive.number: archive for archive in known_archives(conn)}
    found: dict[int, tuple[ArchiveFolder, set[str]]] = {}
    while wanted:
        number = max(wanted)
        ids_here = wanted.pop(number)
        if number not in known:
            raise LedgerError(f"the ledger does not know its archive {number}, which has steps of {min(ids_here)}")
        folder = known[number].opened()
        found[number] = (folder, ids_here)
        for about in folder.rows(returns, ids_here):
            if about["after"]:
                wanted[about["after"]].add(about["process_id"])
    return [found[number] for number in sorted(found)]


def archived_evidence(conn: Connection, process_ids: Collection[str] | None = None) -> dict[str, Row]:
    """Effect -> what was taken off it (`TAKEN_OFF`), as it was before it was archived."""
    found: dict[str, Row] = {}
    for effect in archived_rows(conn, intents, process_ids):
        found.setdefault(effect["id"], {name: effect[name] for name in TAKEN_OFF})
    return found


def all_parcels_of(conn: Connection, process_ids: Collection[str]) -> Mapping[str, tuple[ParcelChange, ...]]:
    """As `parcels_of`, with the changes that were archived; where each parcel is, and its number, is in the ledger."""
    before: dict[str, list[Row]] = defaultdict(list)
    for row in archived_rows(conn, parcel_changes, process_ids):
        before[row["process_id"]].append(row)
    numbers: dict[tuple[str, int], tuple[str, str]] = {}
    for ids in chunks(before):
        for it in conn.execute(select(parcels).where(parcels.c.process_id.in_(ids))):
            numbers[it.process_id, it.parcel] = (it.tracking, it.carrier)
    return {
        each: (*_changes(before.get(each, ()), numbers), *later)
        for each, later in parcels_of(conn, process_ids).items()
    }


def _changes(rows: Collection[Row], numbers: Mapping[tuple[str, int], tuple[str, str]]) -> Iterator[ParcelChange]:
    names = ("parcel", "n", "before", "status", "seen_at", "told_at", "as_of")
    for row in sorted(rows, key=lambda row: (row["seen_at"], row["parcel"], row["n"])):
        yield ParcelChange(*(row[name] for name in names), *numbers.get((row["process_id"], row["parcel"]), ()))


def past_records(conn: Connection, process_ids: Collection[str]) -> dict[str, Record]:
    """As `load_records`, with the changes of parcels that were archived: for who plays the past once more."""
    found = load_records(conn, process_ids)
    archived = [each for each, record in found.items() if record.archived_at is not None]
    moved = all_parcels_of(conn, archived) if archived else {}
    return found | {each: replace(found[each], parcels=moved[each]) for each in archived}
