"""Store an event, once: two deliveries with the same bytes are one event."""

from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from deployments.receiver.kinds import EXAMPLE, Kind, kind_of
from deployments.receiver.reading import Told
from deployments.receiver.tables import events, returns

WAITING, ACTED_ON, GIVEN_UP = "waiting", "acted_on", "given_up"
UNKNOWN, ELSEWHERE, DROPPED = "unknown_return", "other_store", "dropped"
"""An event's states: no run has looked at its return since; one has; none did for so long that none is offered; REVER
knows no such return; it is of a store that is not this desk's; a person has closed it.
"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A verified delivery. `event` is what its URL said, `at` when it came in."""

    body: bytes = field(repr=False)
    told: Told
    event: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a delivery: `new`, or a repeat of one that was stored before, which changes nothing."""

    new: bool
    kind: Kind


def store(conn: Connection, delivery: Delivery) -> Stored:
    """Store a delivery unless the same bytes are stored already."""
    told = delivery.told
    shipping = select(returns.c.shipping).where(returns.c.process_id == told.process_id)
    known: str | None = conn.execute(shipping).scalar()
    kind = kind_of(delivery.event, told.status, told.shipping, known)
    row = {
        "hash": sha256(delivery.body).hexdigest(),
        "process_id": told.process_id,
        "kind": str(kind),
        "stored_at": delivery.at,
        "body": delivery.body,
        "state": WAITING,
    }
    put = _insert(conn, events).values(row).on_conflict_do_nothing().returning(events.c.seq)
    if conn.execute(put).first() is None:
        return Stored(False, kind)
    if known is None or (told.shipping and told.shipping != known):
        _note(conn, told.process_id, told.shipping)
    return Stored(True, kind)


def _note(conn: Connection, process_id: str, shipping: str) -> None:
    # Of an example's return it is known that REVER does not know it: REVER is asked before a run is offered.
    doubts = 1 if process_id.startswith(EXAMPLE) else 0
    noted = _insert(conn, returns).values(process_id=process_id, shipping=shipping, doubts=doubts)
    conn.execute(noted.on_conflict_do_update(index_elements=["process_id"], set_={"shipping": shipping}))


def _insert(conn: Connection, table: Any) -> Any:
    return pg_insert(table) if conn.dialect.name == "postgresql" else sqlite_insert(table)
