"""The inbox as a person sees it: what waits, what was closed without a run and why, and dropping by hand.

No body is looked into. A return's id, kinds, times and reasons are all there is: no personal data.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, or_, select, update

from deployments.receiver.offers import free_return
from deployments.receiver.storing import ACTED_ON, DROPPED, WAITING
from deployments.receiver.tables import events, returns
from tasks.ledger import LedgerError

SHOWN = timedelta(days=30)
"""How long closed events are listed."""


@dataclass(frozen=True, slots=True)
class Listed:
    """The events of one return that are in one state for one reason. `tries`: its runs that came to nothing."""

    process_id: str
    state: str
    events: int
    kinds: tuple[str, ...]
    first: datetime
    last: datetime
    tries: int
    why: str
    by: str
    closed_at: datetime | None

    def as_json(self) -> dict[str, Any]:
        """As `inbox --json` lists it: times in ISO 8601, in UTC."""
        plain = asdict(self)
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in plain.items()}


def listed(conn: Connection, *, now: datetime) -> list[Listed]:
    """All that waits, and all that was closed lately without that a run had looked; the oldest first."""
    shown = or_(events.c.state == WAITING, events.c.closed_at >= now - SHOWN)
    key = (events.c.process_id, events.c.state, events.c.closed_why, events.c.closed_by)
    time = events.c.stored_at.type
    query = (
        select(
            *key,
            events.c.kind,
            returns.c.attempt,
            func.count().label("many"),
            func.min(events.c.stored_at, type_=time).label("first"),
            func.max(events.c.stored_at, type_=time).label("last"),
            func.max(events.c.closed_at, type_=time).label("closed_at"),
        )
        .join(returns, returns.c.process_id == events.c.process_id)
        .where(events.c.state != ACTED_ON, shown)
        .group_by(*key, events.c.kind, returns.c.attempt)
    )
    folded: dict[tuple[Any, ...], list[Any]] = {}
    for row in conn.execute(query):
        folded.setdefault((row.process_id, row.state, row.closed_why, row.closed_by), []).append(row)
    found = [_listed(rows) for rows in folded.values()]
    return sorted(found, key=lambda each: (each.state != WAITING, each.first, each.process_id))


def _listed(rows: list[Any]) -> Listed:
    one = rows[0]
    return Listed(
        process_id=one.process_id,
        state=one.state,
        events=sum(row.many for row in rows),
        kinds=tuple(sorted(row.kind for row in rows)),
        first=min(row.first for row in rows),
        last=max(row.last for row in rows),
        tries=one.attempt if one.state == WAITING else 0,
        why=one.closed_why or "",
        by=one.closed_by or "",
        closed_at=max((row.closed_at for row in rows if row.closed_at), default=None),
    )


def drop(conn: Connection, process_id: str, *, by: str, why: str, now: datetime) -> int:
    """Close the events of a return by a person's say, also such as were closed without a run; answers how many.

    No run is offered for them any more; schedules still look at the return. Raises `LedgerError` where there is none.
    """
    where: ColumnElement[bool] = (events.c.process_id == process_id) & events.c.state.not_in((ACTED_ON, DROPPED))
    dropped = update(events).where(where).values(state=DROPPED, closed_at=now, closed_by=by, closed_why=why)
    many = conn.execute(dropped).rowcount
    if not many:
        raise LedgerError(f"the inbox holds no event of the return {process_id!r} that could be dropped")
    free_return(conn, process_id)
    return many
