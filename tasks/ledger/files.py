"""What the ledger knows of the files of warehouses: which were taken, and the rows by which units were reviewed.

A file is known by its content. Whoever is killed between noting and moving it leaves a file that is known.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from tasks.database.engines import chunks, upsert
from tasks.database.lists import among
from tasks.ledger.audit import append, audit_row
from tasks.ledger.records import SAYS
from tasks.ledger.schema import files, holds, intents
from tasks.ledger.types import Actor
from tasks.ledger.writing import lock_rows
from tasks.policy.kinds.review import KnownReview, reviews_of
from tasks.policy.record import BY_A_PERSON, DEAD_STATES, INSPECTION_CONTRADICTS, IntentKind

_REVIEWS = (
    select(intents.c.process_id, intents.c.state, intents.c.details)
    .where(
        among(intents.c.process_id, "ids"),
        intents.c.kind == IntentKind.REVIEW,
        intents.c.state.not_in(DEAD_STATES),
    )
    .order_by(intents.c.seq)
)


_ANSWERED = select(holds.c.process_id, holds.c.details).where(
    among(holds.c.process_id, "ids"),
    holds.c.rule == INSPECTION_CONTRADICTS,
    holds.c.state == "answered",
)
_OPEN = select(holds).where(
    holds.c.process_id == bindparam("process"), holds.c.rule == INSPECTION_CONTRADICTS, holds.c.state == "open"
)
_CLOSE = (
    update(holds)
    .where(holds.c.id == bindparam("hold"), holds.c.state == "open")
    .values(state="closed", closed_why=bindparam("because"), answered_at=bindparam("at"), version=holds.c.version + 1)
)


def known_reviews(conn: Connection, process_ids: Collection[str]) -> dict[str, tuple[KnownReview, ...]]:
    """Return -> the units that were reviewed, or are about to be, each with the row that said so."""
    found = defaultdict[str, list[KnownReview]](list)
    for ids in chunks(process_ids):
        for row in conn.execute(_REVIEWS, {"ids": ids}):
            closed = row.state in BY_A_PERSON
            found[row.process_id] += [KnownReview(review, closed) for review in reviews_of(row.details)]
    return {process_id: tuple(each) for process_id, each in found.items()}


Says = Mapping[str, Mapping[str, int]]
"""What a file says of the inspected units of a return: line -> status -> how many."""


def answered_contradictions(conn: Connection, process_ids: Collection[str]) -> dict[str, list[Says]]:
    """Return -> what files said against REVER, and a person has answered: it is not asked again."""
    found = defaultdict[str, list[Says]](list)
    for ids in chunks(process_ids):
        for row in conn.execute(_ANSWERED, {"ids": ids}):
            found[row.process_id].append(row.details.get(SAYS, {}))
    return found


def close_agreed(conn: Connection, agreed: Mapping[str, Collection[str]], *, now: datetime, actor: Actor) -> list[str]:
    """Close the holds of returns whose lines a later file says just what REVER shows of; the returns."""
    closed = []
    for row in lock_rows(conn, sorted(agreed)).values():
        for hold in conn.execute(_OPEN, {"process": row.process_id}):
            if not set(hold.details.get(SAYS, {})) <= set(agreed[row.process_id]):
                continue
            why = "a later file says of these units what REVER shows"
            conn.execute(_CLOSE, {"hold": hold.id, "because": why, "at": now})
            append(
                conn,
                [
                    audit_row(
                        actor,
                        now,
                        "hold_closed",
                        row.process_id,
                        rule=hold.rule,
                        evidence={"why": why},
                        hold_id=hold.id,
                    )
                ],
            )
            closed.append(str(row.process_id))
    return closed


def file_taken(conn: Connection, digest: str) -> datetime | None:
    """When a file of this content was taken, all its rows done or given back; None for one that was not."""
    taken: datetime | None = conn.execute(select(files.c.taken_at).where(files.c.digest == digest)).scalar()
    return taken


def note_file_taken(conn: Connection, digest: str, counts: Mapping[str, int], *, now: datetime) -> None:
    """Write down that a file was taken, with how many of its rows had which verdict; the first time stays."""
    conn.execute(upsert(conn, files, ["digest"]), [{"digest": digest, "taken_at": now, "counts": dict(counts)}])
