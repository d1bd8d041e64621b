"""Move old rows to archives: choose the returns that are wholly over, write their files, compare them, remove the rows.

What makes an effect happen once never moves: the effects with their units and amounts, the numbers of an order's
shipping, the counters of the guards, holds and waivers stay in the ledger for ever, and with them all that a rule
decides by. What moves is read by people alone: the audit, the evidence and snapshots of effects, the changes of
parcels, what a candidate policy said, and of which returns people were reminded. The chains' anchors stay: how many
steps of each return are archived, and the hash of the last.

A worker that is killed leaves the rows in the ledger, and in an archive that the ledger does not know yet; or only in
one that it knows. The next run removes what was left behind.
"""

import fcntl
import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    Table,
    Text,
    bindparam,
    cast,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from tasks.crash_points import CrashPoint, reached
from tasks.database.engines import chunks
from tasks.ledger.after_restore import restored
from tasks.ledger.archive_files import (
    ARCHIVED,
    MOVED,
    TAKEN_OFF,
    ArchiveFolder,
    Row,
    columns_of,
    encoded,
    key_of,
    returns,
    sync_folder,
    which_move,
    write_folder,
)
from tasks.ledger.archives import ARCHIVED_EVENT, known_archives
from tasks.ledger.audit import append, audit_row, lock_heads
from tasks.ledger.ledger import Ledger
from tasks.ledger.schema import (
    REVISION,
    archives,
    audit,
    chains,
    holds,
    intents,
    ledger,
    metadata,
    parcel_changes,
    parcels,
    records,
    reminders,
    shadow,
    words,
)
from tasks.ledger.types import Actor, LedgerError
from tasks.ledger.writing import lock_rows
from tasks.policy.record import MADE, OPEN_STATES, IntentState

AT_ONCE = 5000
"""Returns in one archive: so long does one transaction last in which rows are removed, some two seconds."""

TRIES = 3
"""Of one archive, where a return changes while it is written."""

KEPT_EVIDENCE = (MADE, "reason", "meant")
"""What of an effect's evidence stays in the ledger: rules and counters read it."""

_PART = ".part-"
_PAID = (IntentState.DONE, IntentState.DONE_BY_HAND)

# Which returns are wholly over.


def _of(table: Table, *more: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(table.c.process_id == records.c.process_id, *more)


def over(cut: datetime) -> Select[Any]:
    """The returns that are wholly over and were last touched before the cut, with anything to be moved.

    Each effect has come to its end, no hold is open, no parcel moves, and REVER showed the return at its end. What a
    clock that was ahead has touched counts as touched since.
    """
    untouched = [
        records.c.looked_at < cut,
        or_(records.c.run_began_at.is_(None), records.c.run_began_at < cut),
        ~_of(intents, or_(intents.c.state.in_(sorted(OPEN_STATES)), intents.c.closed_at.is_(None))),
        ~_of(intents, or_(intents.c.closed_at >= cut, intents.c.created_at >= cut, intents.c.sent_at >= cut)),
        ~_of(holds, or_(holds.c.state == "open", holds.c.since >= cut, holds.c.answered_at >= cut)),
        ~_of(audit, audit.c.at >= cut),
        ~_of(parcels, or_(parcels.c.moving, parcels.c.looked_at >= cut)),
        ~_of(parcel_changes, parcel_changes.c.seen_at >= cut),
        ~_of(shadow, shadow.c.looked_at >= cut),
        ~_of(reminders, reminders.c.told_at >= cut),
        ~_of(words, words.c.at >= cut),
    ]
    return select(records.c.process_id).where(records.c.final, records.c.former == "", _of(audit), *untouched)


# How large the ledger is, and what of it would move.


@dataclass(frozen=True, slots=True)
class Plan:
    """What would move: how many of the ledger's returns, rows per table, and bytes, by the values in them.

    `size` is what the ledger takes on its disk, free pages left out.
    """

    returns: int
    of: int
    rows: Mapping[str, int]
    moved: int
    size: int

    @property
    def per_return(self) -> float:
        """Bytes of the ledger per return that it knows."""
        return self.size / self.of if self.of else 0.0

    @property
    def per_return_after(self) -> float:
        """The same once they have moved, estimated."""
        return max(self.size - self.moved, 0) / self.of if self.of else 0.0


def plan_archive(conn: Connection, cut: datetime) -> Plan:
    """What would move at this cut. Reads only."""
    chosen = over(cut).subquery()
    many, whole = _many(conn, chosen), _many(conn, records)
    rows, moved = {}, -many * _ANCHOR
    for table in MOVED:
        here = table.c.process_id.in_(select(chosen.c.process_id))
        found, size = conn.execute(select(func.count(), func.sum(_bytes(table))).where(here, which_move(table))).one()
        rows[table.name] = found
        moved += int(size or 0)
    slim = _lengths([intents.c[name] for name in (*TAKEN_OFF, "token")])
    here = intents.c.process_id.in_(select(chosen.c.process_id))
    found, size = conn.execute(select(func.count(), func.sum(slim)).where(here)).one()
    return Plan(many, whole, {"intents": found, **rows}, max(moved + int(size or 0), 0), ledger_size(conn))


_ANCHOR = 90
"""Bytes that the ledger keeps of an archived return's chain."""

_ROW = 12
"""Bytes of a row or of an entry of an index beyond its values, about."""


def _bytes(table: Table) -> ColumnElement[int]:
    """About so many bytes does a row take, with its entries of indexes."""
    keys = [*(each.columns for each in table.indexes), *([table.primary_key.columns] if table is not audit else [])]
    values = [*table.columns, *(column for key in keys for column in key)]
    return _lengths(values) + _ROW * (1 + len(keys))


def _lengths(columns: Sequence[Column[Any]]) -> ColumnElement[Any]:
    lengths = [func.coalesce(func.length(cast(column, Text)), 0) for column in columns]
    return sum(lengths[1:], lengths[0])


def _many(conn: Connection, what: Any) -> int:
    return int(conn.execute(select(func.count()).select_from(what)).scalar_one())


def ledger_size(conn: Connection) -> int:
    """Bytes that the ledger's tables and indexes take; free pages of SQLite's file are left out."""
    if conn.dialect.name == "sqlite":
        pages, free, size = (
            int(conn.exec_driver_sql(f"PRAGMA {name}").scalar_one())
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size
    sizes = (func.pg_total_relation_size(func.to_regclass(table.name)) for table in metadata.sorted_tables)
    return sum(int(conn.execute(select(func.coalesce(size, 0))).scalar_one()) for size in sizes)


# One archive: written and compared in one consistent view, removed in one transaction.


@dataclass(frozen=True, slots=True)
class Written:
    """An archive that has its name, and is not the ledger's yet. `tables` are its rows, as they stand in its files."""

    number: int
    path: Path
    digest: str
    cut: datetime
    tables: Mapping[Table, Sequence[Row]] = field(repr=False)

    @property
    def process_ids(self) -> list[str]:
        """The returns it is about."""
        return [row["process_id"] for row in self.tables[returns]]

    @property
    def counts(self) -> dict[str, int]:
        """Rows per table."""
        return {table.name: len(rows) for table, rows in self.tables.items()}


class ChangedMeanwhile(LedgerError):  # noqa: N818 - a turn of events: the archive is written once more
    """A return of an archive has changed since it was written: nothing was removed."""


def write_archive(
    conn: Connection, folder: Path, cut: datetime, *, now: datetime, most: int = AT_ONCE
) -> Written | None:
    """Write the next archive, and compare it with the ledger row by row in the same view; None where nothing is left.

    Raises `LedgerError`.
    """
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    chosen = over(cut).order_by(records.c.looked_at, records.c.process_id).limit(most)
    ids = sorted(row.process_id for row in conn.execute(chosen))
    if not ids:
        return None
    tables = _rows_of(conn, ids)
    number = int(conn.execute(select(func.max(archives.c.number))).scalar() or 0) + 1
    account = conn.execute(select(ledger.c.account)).scalar_one()
    about = {
        "account": account,
        "ledger_version": REVISION,
        "number": number,
        "made_at": now.isoformat(),
        "cut": cut.isoformat(),
        "returns": len(ids),
        "paid": _paid(tables[intents]),
    }
    part = folder / f"{_PART}archive-{number:06d}"
    try:
        digest = write_folder(part, tables, about)
        _compare(ArchiveFolder.open(part, digest), _rows_of(conn, ids))
    except LedgerError:
        shutil.rmtree(part, ignore_errors=True)
        raise
    reached(CrashPoint.ARCHIVE_WRITTEN)
    path = folder / f"archive-{number:06d}-{digest[:12]}"
    try:
        part.rename(path)
        sync_folder(folder)
    except OSError as error:
        raise LedgerError(f"the archive {path} cannot get its name: {error.strerror}") from None
    return Written(number, path, digest, cut, tables)


def _rows_of(conn: Connection, ids: Sequence[str]) -> dict[Table, list[Row]]:
    """All rows of these returns that an archive has, encoded and in its order."""
    found: dict[Table, list[Row]] = {returns: _returns(conn, ids)}
    for table in ARCHIVED[1:]:
        rows = [
            encoded(table, dict(row))
            for some in chunks(ids)
            for row in conn.execute(
                select(*columns_of(table)).where(table.c.process_id.in_(some), which_move(table))
            ).mappings()
        ]
        found[table] = sorted(rows, key=lambda row, table=table: key_of(table, row))  # type: ignore[misc]
    return found


def _returns(conn: Connection, ids: Sequence[str]) -> list[Row]:
    query = select(records.c.store, records.c.order_name, chains).join(
        chains, chains.c.process_id == records.c.process_id
    )
    return [
        {
            "process_id": row.process_id,
            "store": row.store,
            "order_name": row.order_name,
            "after": row.archive,
            "after_steps": row.archived_steps,
            "after_head": row.archived_head,
            "steps": row.steps,
            "head": row.head,
        }
        for some in chunks(ids)
        for row in conn.execute(query.where(records.c.process_id.in_(some)).order_by(records.c.process_id))
    ]


def _paid(rows: Sequence[Row]) -> dict[str, str]:
    """What was refunded, per currency: done, or by hand."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        if row["state"] in _PAID and row["currency"]:
            sums[row["currency"]] += Decimal(row["amount"])
    return {currency: format(sums[currency], "f") for currency in sorted(sums)}


def _compare(folder: ArchiveFolder, now: Mapping[Table, Sequence[Row]]) -> None:
    """Read the files back, and compare them with the ledger: each row, and the sums of the manifest."""
    for table, rows in now.items():
        if folder.rows(table) != rows:
            raise LedgerError(
                f"{folder.path} was not read back as the ledger has it ({table.name}); nothing was removed"
            )
    if folder.manifest["paid"] != _paid(now[intents]):
        raise LedgerError(f"the sums of {folder.path} are not the ledger's; nothing was removed")


def remove_archived(conn: Connection, written: Written, *, now: datetime, actor: Actor) -> None:
    """Take an archive over: anchor the chains, and remove the rows that are in it, just as they are in it.

    Raises `ChangedMeanwhile` where any of them is not as it was, or a return is not over any more, and `LedgerError`
    where the archive is gone: nothing has happened then.
    """
    ids = written.process_ids
    lock_rows(conn, ids)
    lock_heads(conn, ["", *ids])
    last = int(conn.execute(select(func.max(archives.c.number))).scalar() or 0)
    still = {row.process_id for some in chunks(ids) for row in conn.execute(_still(written.cut, some))}
    if last != written.number - 1 or still != set(ids) or _returns(conn, ids) != written.tables[returns]:
        raise ChangedMeanwhile(f"{written.path} is out of date already; nothing was removed")
    about = {"number": written.number, "name": written.path.name, "folder": str(written.path.parent)}
    about |= {"digest": written.digest, "made_at": now, "cut": written.cut, "counts": written.counts}
    conn.execute(insert(archives).values(about))
    # Before any step goes: SQLite would give the id of the last one once more.
    evidence = {"archive": written.path.name, "sha256": written.digest, "returns": str(len(ids))}
    append(conn, [audit_row(actor, now, ARCHIVED_EVENT, "", evidence=evidence)])
    _anchor(conn, written)
    _slim(conn, written)
    for table in MOVED:
        gone = [
            encoded(table, dict(row))
            for some in chunks(ids)
            for row in conn.execute(
                delete(table).where(table.c.process_id.in_(some), which_move(table)).returning(*columns_of(table))
            ).mappings()
        ]
        if sorted(gone, key=lambda row, table=table: key_of(table, row)) != written.tables[table]:  # type: ignore[misc]
            raise ChangedMeanwhile(f"{table.name} is not as {written.path} has it; nothing was removed")
    conn.execute(
        update(records).where(records.c.process_id == bindparam("p")).values(archived_at=bindparam("at")),
        [{"p": each, "at": now} for each in ids],
    )
    ArchiveFolder.open(written.path, written.digest)  # it must be there when its rows go
    reached(CrashPoint.ARCHIVE_REMOVING)


def _still(cut: datetime, ids: Collection[str]) -> Select[Any]:
    return over(cut).where(records.c.process_id.in_(ids))


def _anchor(conn: Connection, written: Written) -> None:
    """Let the chains begin behind what is archived; only then do the triggers let the rows go."""
    last: dict[str, int] = {}
    for row in written.tables[audit]:
        last[row["process_id"]] = max(row["id"], last.get(row["process_id"], 0))
    conn.execute(
        update(chains)
        .where(chains.c.process_id == bindparam("p"))
        .values(
            archive=written.number,
            archived_to=bindparam("to"),
            archived_steps=chains.c.steps,
            archived_head=chains.c.head,
        ),
        [{"p": each, "to": last[each]} for each in written.process_ids],
    )


def _slim(conn: Connection, written: Written) -> None:
    """Take off the effects what only a person reads, and what they were claimed with: who sent each still knows it."""
    ids, now = written.process_ids, list[Row]()
    for some in chunks(ids):
        query = select(*columns_of(intents)).where(intents.c.process_id.in_(some)).with_for_update()
        now += [encoded(intents, dict(row)) for row in conn.execute(query).mappings()]
    if sorted(now, key=lambda row: key_of(intents, row)) != written.tables[intents]:
        raise ChangedMeanwhile(f"an effect is not as {written.path} has it; nothing was removed")
    found = {
        row.id: {name: value for name, value in row.evidence.items() if name in KEPT_EVIDENCE}
        for some in chunks(ids)
        for row in conn.execute(select(intents.c.id, intents.c.evidence).where(intents.c.process_id.in_(some)))
    }
    if found:
        slim = update(intents).where(intents.c.id == bindparam("intent"))
        said = bindparam("said", type_=intents.c.evidence.type)
        rows = [{"intent": each, "said": kept} for each, kept in found.items()]
        conn.execute(slim.values(snapshot={}, evidence=said, deadline=None, settle_at=None, token=""), rows)


# The whole way, one archive after another.


@dataclass(slots=True)
class Archived:
    """What was moved. `names` are the new archives, `paid` what was refunded for their returns, per currency.

    `left_behind` says what was found in the folder of a run that was killed, and what became of it.
    """

    returns: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    bytes: int = 0
    paid: dict[str, Decimal] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    left_behind: list[str] = field(default_factory=list)


def archive_returns(
    ledger: Ledger,
    folder: Path,
    cut: datetime,
    *,
    clock: Callable[[], datetime],
    actor: Actor,
    most: int = AT_ONCE,
) -> Archived:
    """Move all that is wholly over and was last touched before the cut to archives in this folder.

    Each archive is a transaction of its own, so that what was moved stays moved where a later one fails. Raises
    `LedgerError`; then nothing has left the ledger that is not in an archive it knows.
    """
    moved = Archived()
    ledger.read(_refuse_restored)
    ledger.read(_refuse_unmounted, folder.resolve())
    with _alone_in(folder) as whole:
        moved.left_behind = ledger.read(_clean_up, whole)
        tries = 0
        while (written := ledger.read(write_archive, whole, cut, now=clock(), most=most)) is not None:
            reached(CrashPoint.ARCHIVE_NAMED)
            try:
                ledger.write(remove_archived, written, now=clock(), actor=actor)
            except ChangedMeanwhile:
                _remove(written.path)
                tries += 1
                if tries == TRIES:
                    raise
                continue
            reached(CrashPoint.ARCHIVE_DONE)
            tries = 0
            _count(moved, written)
    return moved


def _refuse_restored(conn: Connection) -> None:
    stores = set(conn.execute(select(records.c.store).distinct()).scalars())
    behind = restored(conn, stores)
    if behind is not None:
        names = ", ".join(behind.stores)
        raise LedgerError(
            f"nothing was archived: the ledger was restored, and {names} has not caught up; first"
            " `rever-returns run reconcile mode=act`"
        )


def _refuse_unmounted(conn: Connection, folder: Path) -> None:
    """Where an archive cannot be read in this folder, its disk may not be mounted: a new one would be lost, or hidden.

    Raises `LedgerError`.
    """
    for archive in known_archives(conn):
        if archive.folder == folder:
            try:
                archive.opened()
            except LedgerError as error:
                raise LedgerError(f"nothing was archived: {error}; until then, archive into another folder") from None


def _count(moved: Archived, written: Written) -> None:
    moved.returns += len(written.process_ids)
    moved.names.append(written.path.name)
    moved.bytes += sum(file.stat().st_size for file in written.path.iterdir())
    for name, many in written.counts.items():
        moved.rows[name] = moved.rows.get(name, 0) + many
    for currency, amount in _paid(written.tables[intents]).items():
        moved.paid[currency] = moved.paid.get(currency, Decimal(0)) + Decimal(amount)


@contextmanager
def _alone_in(folder: Path) -> Iterator[Path]:
    """The folder, made where it is missing, for one process at a time; a killed one lets go of it."""
    folder = folder.resolve()
    try:
        new = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for each in new:
            sync_folder(each.parent)
        lock = os.open(folder / ".lock", os.O_CREAT | os.O_WRONLY, 0o600)
    except OSError as error:
        raise LedgerError(f"the folder of archives {folder} cannot be used: {error.strerror}") from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise LedgerError(f"another process archives into {folder}; wait until it is done") from None
        yield folder
    finally:
        os.close(lock)


def _clean_up(conn: Connection, folder: Path) -> list[str]:
    """Remove files that a killed run has not given their name, and tell of archives that the ledger does not know.

    Those are left alone, though the ledger may have all of their rows: they may be those of the ledger of which this
    one is a copy, or of the one that it replaced after a restore, and then they are the only place of their rows.
    """
    told = []
    for part in folder.glob(f"{_PART}*"):
        _remove(part)
        told.append(f"removed {part.name}, which a run that broke off had not finished")
    known = {archive.name for archive in known_archives(conn)}
    told += [
        f"left {path.name} alone: it is no archive of this ledger as it is now; where no other ledger uses this"
        " folder, a run broke off before its rows left the ledger, and it may be deleted"
        for path in sorted(folder.glob("archive-*"))
        if path.name not in known
    ]
    return told


def _remove(folder: Path) -> None:
    """Remove what is no archive of the ledger. Raises `LedgerError`."""
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise LedgerError(f"{folder} cannot be removed: {error.strerror}; remove it, then archive again") from None
