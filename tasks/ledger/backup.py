"""Backup and restore of a ledger on SQLite, by SQLite's own online backup: whole, though others write meanwhile.

PostgreSQL has its own tools (`pg_dump`, point-in-time recovery), and they are better; after one of those was used,
`mark_restored` says so to the ledger.
"""

import os
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, func, select

from tasks.database.engines import PATIENCE_S, Where, make_private
from tasks.ledger.after_restore import FormerReturn, mark_restored
from tasks.ledger.checking import AHEAD, ARCHIVE, Checked, check
from tasks.ledger.ledger import Ledger
from tasks.ledger.schema import audit, chains, intents, ledger, records
from tasks.ledger.stops import switch
from tasks.ledger.types import Actor, Answer, LedgerError, NoLedgerError
from tasks.policy.clocks import clock_time
from tasks.policy.record import DEAD_STATES, IntentState

# What the ledger that a backup replaces knows beyond it: answers of people, and effects that were sent.


_CLOSE = frozenset({Answer.DONE_BY_HAND, Answer.DROP})
"""Answers that REVER cannot show: units were settled elsewhere, or given up."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """What says that one ledger goes on from another: its own secret, its last step, and its last restore."""

    key: bytes
    restored_at: datetime | None
    last: tuple[int, str, str] | None


def lineage(conn: Connection) -> Lineage:
    """The marks of this ledger."""
    row = conn.execute(select(ledger)).one()
    last = conn.execute(select(audit.c.id, audit.c.process_id, audit.c.hash).order_by(audit.c.id.desc())).first()
    return Lineage(row.shopper_key, row.restored_at, None if last is None else (last.id, last.process_id, last.hash))


def known_since(former: Ledger, backup: Lineage, now: datetime) -> dict[str, FormerReturn] | None:
    """What the former ledger knows and the backup does not, process id -> what.

    None where that cannot be believed: it is damaged, does not go on from this backup, or was itself restored since.
    """
    try:
        if any(finding.rule not in {"late", ARCHIVE} for finding in former.read(check, now=now).findings):
            return None
        return former.read(_since, backup)
    except LedgerError:
        return None


_ARCHIVED_TO = select(func.coalesce(func.max(chains.c.archived_to), 0))
"""The last step that was archived. Where it is newer than the backup, steps after that are not all in the ledger."""


def _since(conn: Connection, backup: Lineage) -> dict[str, FormerReturn] | None:
    own = lineage(conn)
    if own.key != backup.key or own.restored_at != backup.restored_at:
        return None
    after = 0
    if backup.last is not None:
        after, process_id, linked = backup.last
        same = select(audit.c.id).where(audit.c.id == after, audit.c.process_id == process_id, audit.c.hash == linked)
        if conn.execute(same).first() is None or conn.execute(_ARCHIVED_TO).scalar_one() > after:
            return None
    told: dict[str, list[str]] = defaultdict(list)
    steps = select(audit).where(audit.c.id > after, audit.c.event.in_(("answered", "sent"))).order_by(audit.c.id)
    effects: Mapping[str, Row[Any]] = {row.id: row for row in conn.execute(select(intents))}
    for step in conn.execute(steps):
        words = _answer(step) if step.event == "answered" else _effect(effects.get(step.intent_id))
        if words and words not in told[step.process_id]:
            told[step.process_id].append(words)
    rows = {row.process_id: row for row in conn.execute(select(records)) if told.get(row.process_id)}
    return {each: FormerReturn(row.store, row.order_name, "; ".join(told[each])) for each, row in rows.items()}


def _answer(step: Row[Any]) -> str:
    answer = str(step.evidence.get("answer", ""))
    if answer not in _CLOSE:
        return ""
    amount = f" of {step.amount:f} {step.currency}" if step.amount is not None and answer != Answer.DROP else ""
    reference = f", reference {step.evidence['reference']}" if step.evidence.get("reference") else ""
    by = step.evidence.get("by", "")
    return f"{answer}{amount} was answered by {by} at {clock_time(step.at)}{reference}"


def _effect(row: Row[Any] | None) -> str:
    if row is None or IntentState(row.state) in {*DEAD_STATES, IntentState.INTENDED}:
        return ""
    amount = f" of {row.amount:f} {row.currency} by {row.method}" if row.amount and row.method else ""
    return f"the {row.kind}{amount} was sent, and is {IntentState(row.state).replace('_', ' ')}"


LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
"""Seen from there nothing is late: what was open when the backup was made is no fault of the backup."""

WHY = "the ledger was restored from a backup"


def back_up(url: str, target: Path) -> int:
    """Copy the ledger as it is now to a new file, readable by its owner only; answers its size in bytes.

    The copy is checked before it gets its name. Raises `LedgerError` where there is no ledger, the target is there
    already, or it cannot be written.
    """
    source = _file_of(url, "is backed up with pg_dump")
    if not source.is_file():
        raise NoLedgerError(f"there is no ledger {source} to back up; check REVER_LEDGER_URL")
    if target.exists():
        raise LedgerError(f"{target} is there already, and a backup overwrites nothing; name a new file")
    part = target.with_name(f"{target.name}.part")
    try:
        _copy(source, part)
        part.replace(target)
        _sync(target.parent)
    finally:
        part.unlink(missing_ok=True)
    return target.stat().st_size


def restore(
    url: str, source: Path, *, account: str, clock: Callable[[], datetime], actor: Actor
) -> tuple[Path, datetime]:
    """Put a backup in the ledger's place; answers where the former ledger is kept, and until when the backup knows.

    The backup is copied beside the ledger, checked, migrated and marked there; only then does it take the ledger's
    place, in one transaction of SQLite. So whoever opens the ledger sees the old one, or the marked new one. Raises
    `LedgerError` for a backup that is damaged, breaks a rule, or belongs to another account: nothing has changed then.
    """
    target = _file_of(url, "is restored with pg_restore; say `rever-returns ledger mark-restored` after it")
    if not source.is_file():
        raise LedgerError(f"there is no backup {source}")
    now = clock()
    part = target.with_name(f"{target.name}.restoring")
    kept = target.with_name(f"{target.name}.before-{now.astimezone(UTC):%Y%m%dT%H%M%S%fZ}")
    try:
        _copy(source, part)
        with closing(_sound(part, account, clock)) as backup:
            if target.exists():
                _keep(target, kept)
            why, known = _former(kept, backup.read(lineage), account, clock)
            until = backup.write(mark_restored, why=why, now=clock(), actor=actor, known=known)
        _copy(part, target, fresh=False)
    finally:
        for name in (part.name, f"{part.name}-wal", f"{part.name}-shm"):
            part.with_name(name).unlink(missing_ok=True)
    return kept, until


def _sound(part: Path, account: str, clock: Callable[[], datetime]) -> Ledger:
    """The backup's copy, opened, migrated and checked."""
    try:
        ledger = Ledger.open(f"sqlite:///{part.resolve()}", account=account, clock=clock, existing=True)
    except NoLedgerError:
        raise LedgerError("nothing was restored: the backup holds no ledger") from None
    found: Checked = ledger.read(check, now=LONG_AGO)
    # A wrong date is no damage; and where an archive is missing, all that effects are decided by is in the backup.
    unsound = [each for each in found.findings if each.rule not in {AHEAD, ARCHIVE}]
    if unsound:
        ledger.close()
        raise LedgerError(f"nothing was restored: the backup is not sound. {unsound[0]}")
    return ledger


def _former(
    kept: Path, backup: Lineage, account: str, clock: Callable[[], datetime]
) -> tuple[str, dict[str, FormerReturn] | None]:
    """Why effects are stopped, and what the former ledger knows beyond the backup; None where it cannot be read."""
    try:
        former = Ledger.open(f"sqlite:///{kept.resolve()}", account=account, clock=clock, read_only=True, existing=True)
    except LedgerError:
        return WHY, None
    with closing(former):
        try:
            was = former.read(switch)
        except LedgerError:
            return WHY, None
        also = f" (the one it replaced was stopped by {was.by}: {was.why})" if was.stopped else ""
        return WHY + also, known_since(former, backup, clock())


def _keep(target: Path, kept: Path) -> None:
    """Keep what is in the ledger's place: as a sound copy where it can be read, else the files as they are."""
    try:
        _copy(target, kept)
    except LedgerError:
        for end in ("-wal", "-shm", ""):
            if (found := target.with_name(target.name + end)).exists():
                found.replace(kept.with_name(kept.name + end))


def _copy(source: Path, target: Path, *, fresh: bool = True) -> None:
    """Copy a database as one consistent view, check the copy, and bring it to the disk."""
    try:
        if fresh:
            target.unlink(missing_ok=True)
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o600))
        make_private(target)
        uri = f"{source.resolve().as_uri()}?mode=ro"
        with (
            closing(sqlite3.connect(uri, uri=True, timeout=PATIENCE_S)) as before,
            closing(sqlite3.connect(target, timeout=PATIENCE_S)) as after,
        ):
            before.backup(after)
            if fresh:
                after.execute("PRAGMA journal_mode=DELETE")
            said = after.execute("PRAGMA quick_check(1)").fetchone()[0]
            if said != "ok":
                raise LedgerError(f"the copy of {source} is damaged: {said}")
        _sync(target)
    except (sqlite3.Error, OSError) as error:
        words = error.strerror if isinstance(error, OSError) else str(error)
        raise LedgerError(f"{source} cannot be copied to {target}: {words}") from None


def _sync(path: Path) -> None:
    """Bring a file, or a folder's list of names, to the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _file_of(url: str, how: str) -> Path:
    where = Where.of(url)
    if where.path is None:
        raise LedgerError(f"the ledger {where} is on PostgreSQL, which {how}")
    return where.path
