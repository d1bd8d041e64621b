"""Which label's file belongs to which parcel, by its digest; the files themselves lie in `REVER_LABELS`.

It stands in the ledger, and not beside the files, because all workers must know what is kept, and an erasure request
must find it. The address that a file came from is a secret, and is kept nowhere.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, or_, select, update

from tasks.database.engines import chunks, upsert
from tasks.database.lists import among
from tasks.ledger.guards import shopper_hash
from tasks.ledger.schema import label_files, ledger
from tasks.policy.label_files import KnownFile, WantedFile

_OF = (
    select(label_files)
    .where(among(label_files.c.process_id, "ids"))
    .order_by(label_files.c.process_id, label_files.c.parcel)
)
_KEPT = (label_files.c.digest != "") & label_files.c.removed_at.is_(None)


@dataclass(frozen=True, slots=True)
class Came:
    """What came of one file that was asked for: its content's digest, kind and size, or `why` there is none."""

    wanted: WantedFile
    digest: str = ""
    kind: str = ""
    size: int = 0
    why: str = ""


def label_files_of(conn: Connection, process_ids: Collection[str]) -> Mapping[str, tuple[KnownFile, ...]]:
    """What is known of the labels' files of these returns, by parcel."""
    found: dict[str, list[KnownFile]] = defaultdict(list)
    for ids in chunks(process_ids):
        for row in conn.execute(_OF, {"ids": ids}):
            found[row.process_id].append(_known(row))
    return {process_id: tuple(found.get(process_id, ())) for process_id in process_ids}


def _known(row: Row[Any]) -> KnownFile:
    return KnownFile(
        row.process_id,
        row.parcel,
        row.store,
        row.order_name,
        row.digest,
        row.kind,
        row.size,
        row.kept_at,
        row.tries,
        row.tried_at,
        row.why,
        row.removed_at,
    )


def note_label_files(conn: Connection, came: Sequence[Came], *, now: datetime, by_hand: bool = False) -> None:
    """Write down which files are kept, and which were asked for in vain once more.

    What was removed meanwhile stays removed, but for a file that a person has fetched again (`by_hand`).
    """
    key = conn.execute(select(ledger.c.shopper_key)).scalar_one()
    known = label_files_of(conn, {it.wanted.process_id for it in came})
    for it in sorted(came, key=lambda it: (it.wanted.process_id, it.wanted.parcel)):
        mine = next((row for row in known[it.wanted.process_id] if row.parcel == it.wanted.parcel), None)
        if mine is None or it.digest or not mine.kept:
            if mine is not None and mine.removed_at is not None and not by_hand:
                continue
            row = _row(it, key, now) | {"tries": (mine.tries if mine else 0) + (not it.digest)}
            conn.execute(upsert(conn, label_files, ["process_id", "parcel"], list(row)[2:]), [row])


def _row(it: Came, key: bytes, now: datetime) -> dict[str, Any]:
    wanted = it.wanted
    return {
        "process_id": wanted.process_id,
        "parcel": wanted.parcel,
        "store": wanted.store,
        "order_name": wanted.order_name,
        "shopper": shopper_hash(key, wanted.email),
        "digest": it.digest,
        "kind": it.kind,
        "size": it.size,
        "kept_at": now if it.digest else None,
        "tried_at": None if it.digest else now,
        "why": it.why,
        "removed_at": None,
    }


def label_digests(conn: Connection) -> set[str]:
    """The digests of all files that are kept."""
    return {row.digest for row in conn.execute(select(label_files.c.digest).where(_KEPT).distinct())}


def drop_old_label_files(conn: Connection, *, before: datetime, now: datetime) -> int:
    """Take the files that were kept before then for removed; how many. Whoever deletes them asks `label_digests`."""
    old = update(label_files).where(_KEPT, label_files.c.kept_at < before)
    return conn.execute(old.values(removed_at=now)).rowcount


def forget_label_files(
    conn: Connection, hashes: Collection[str], process_ids: Collection[str], now: datetime
) -> tuple[set[str], set[str]]:
    """Take all files of these shoppers and returns for removed, and leave nothing that leads to their content.

    Returns the digests of the files that nobody else's parcel has, to be deleted, and the hashes of the shoppers whom
    the returns are of. No run fetches one again.
    """
    of_returns = label_files.c.process_id.in_(sorted(process_ids))
    found = {row.shopper for row in conn.execute(select(label_files.c.shopper).where(of_returns))} - {""}
    whose: ColumnElement[bool] = or_(of_returns, label_files.c.shopper.in_(sorted({*hashes, *found} - {""})))
    digests = {row.digest for row in conn.execute(select(label_files.c.digest).where(whose))} - {""}
    conn.execute(update(label_files).where(whose, label_files.c.removed_at.is_(None)).values(removed_at=now))
    conn.execute(update(label_files).where(whose).values(digest="", size=0, shopper="", why=""))
    return digests - label_digests(conn), found
