"""Of which returns people were told that they stand still: once for each return and stage, whoever tells it."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from tasks.database.engines import upsert
from tasks.ledger.schema import reminders
from tasks.policy.stale import StaleReturn


def remind_once(conn: Connection, found: Sequence[StaleReturn], *, now: datetime) -> list[StaleReturn]:
    """Those of these of which nobody was told at their stage before: they are told of now, and not again."""
    keys = ("process_id", "stage", "about")
    insert = upsert(conn, reminders, keys).returning(*(reminders.c[key] for key in keys))
    rows = [
        {
            "process_id": it.process_id,
            "stage": str(it.stage),
            "about": it.about,
            "store": it.store,
            "since": it.since,
            "told_at": now,
        }
        for it in sorted(found, key=lambda it: (it.process_id, it.stage, it.about))
    ]
    new = {tuple(row) for row in conn.execute(insert, rows)} if rows else set()
    return [it for it in found if (it.process_id, str(it.stage), it.about) in new]
