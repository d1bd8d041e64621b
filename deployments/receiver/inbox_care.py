"""The inbox as a person sees it: what waits, what was closed without a run, dropping by hand; and removing bodies.

No body is looked into. A return's id, kinds, times and reasons are all there is: no personal data.
"""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, func, or_, select, update

from deployments.console.errors import UsageError
from deployments.receiver.inbox import ACTED_ON, DROPPED, WAITING, Inbox, events, returns
from deployments.receiver.offers import WHY_NO_RUN, free_return
from rever_api.messages import read_json
from tasks.database import DatabaseError
from tasks.database.engines import chunks
from tasks.desk import utc_now
from tasks.policy.clocks import clock_time
from tasks.policy.facts import counted
from tasks.reporting.printable import json_text, printable
from tasks.settings import load_settings

KEPT = timedelta(days=30)
"""How long a body is kept."""

AT_ONCE = 500
"""Bodies that are read or removed at a time."""

_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_DECODER = json.JSONDecoder(strict=False)

_KEPT = events.c.body.is_not(None)
_REMOVE = update(events).where(events.c.seq.in_(bindparam("seqs", expanding=True)), _KEPT).values(body=None)

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
    """All that waits, and all that was closed lately without a run; the oldest first."""
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
    """Close the events of a return for a person, also those closed without a run, and return how many.

    No run is offered for them any more; schedules still look at the return. Raises `DatabaseError` if there is none.
    """
    where: ColumnElement[bool] = (events.c.process_id == process_id) & events.c.state.not_in((ACTED_ON, DROPPED))
    dropped = update(events).where(where).values(state=DROPPED, closed_at=now, closed_by=by, closed_why=why)
    many = conn.execute(dropped).rowcount
    if not many:
        raise DatabaseError(f"the inbox holds no event of the return {process_id!r} that could be dropped")
    free_return(conn, process_id)
    return many


def inbox_text(*, as_json: bool) -> str:
    """What waits in the inbox, and what was closed without a run, as a table or JSON. Writes nothing."""
    with _opened() as inbox:
        found = inbox.read(partial(listed, now=utc_now())) if inbox else []
        seen, spared = inbox.read(partial(looked_at, now=utc_now())) if inbox else (0, 0)
    if as_json:
        return json_text([each.as_json() for each in found])
    lines = list(map(printable, _lines(found)))
    lines = lines or ["No event waits, and none was closed without a run in the last 30 days."]
    if seen:
        lines.append(f"Runs have looked at the returns of {counted(seen, 'event')} in the last 30 days.")
    if spared:
        lines.append(f"For {spared} of them no run was made: another that began later had looked already.")
    return "\n".join(lines)


def looked_at(conn: Connection, *, now: datetime) -> tuple[int, int]:
    """How many events were closed lately since a run looked at their return, and for how many of them none was made."""
    lately = select(func.count()).where(events.c.state == ACTED_ON, events.c.closed_at >= now - SHOWN)
    spared = lately.where(events.c.closed_why == WHY_NO_RUN)
    return conn.execute(lately).scalar_one(), conn.execute(spared).scalar_one()


def has_events(process_id: str) -> bool:
    """Whether the inbox has an event of a return with just this id, whatever it looks like."""
    with _opened() as inbox:
        return inbox is not None and inbox.read(
            lambda conn: conn.execute(select(events.c.seq).where(events.c.process_id == process_id)).first() is not None
        )


def drop_events(process_id: str, *, by: str, why: str) -> str:
    """Drop the events of a return by a person's say. Raises `UsageError`, `DatabaseError`."""
    if not by.strip() or not why.strip():
        raise UsageError("say who you are (--by) and why (--why): the list of the inbox keeps both.")
    with _opened() as inbox:
        if inbox is None:
            raise DatabaseError("there is no inbox yet: `rever-returns receiver` makes it")
        many = inbox.write(drop, process_id, by=by.strip(), why=why.strip(), now=utc_now())
    about = f"Dropped: {counted(many, 'event')} about {process_id}"
    return f"{about}. No run is offered for it any more; schedules still look at it."


@contextmanager
def _opened() -> Iterator[Inbox | None]:
    """The inbox of the settings in force; None where there is none yet."""
    url = load_settings().inbox_url.get_secret_value()
    if not Inbox.exists(url):
        yield None
        return
    with closing(Inbox.open(url)) as inbox:
        yield inbox


def _lines(found: Sequence[Listed]) -> Iterator[str]:
    for each in found:
        state = each.state.replace("_", " ")
        times = f"since {clock_time(each.first)}" if each.closed_at is None else f"closed {clock_time(each.closed_at)}"
        yield f"{each.process_id}  {state}, {counted(each.events, 'event')} ({', '.join(each.kinds)}), {times}"
        if each.tries:
            yield f"    {each.tries} run{'s' if each.tries > 1 else ''} for it came to nothing"
        if each.why:
            yield f"    {each.why}" + (f" (by {each.by})" if each.by else "")


def remove_old(conn: Connection, *, now: datetime) -> int:
    """Remove bodies older than `KEPT`, at most `AT_ONCE`, and return how many. Hashes stay: they tell a repeat."""
    old = select(events.c.seq).where(_KEPT, events.c.stored_at < now - KEPT).order_by(events.c.stored_at).limit(AT_ONCE)
    seqs = [row.seq for row in conn.execute(old)]
    return _removed(conn, seqs)


def remove_shopper(conn: Connection, email: str) -> int:
    """Remove every body that contains this e-mail, and return how many."""
    return _removed(conn, [seq for seq, text in _bodies(conn) if email.strip().casefold() in text])


def remove_return(conn: Connection, process_id: str) -> int:
    """Remove the bodies about this return and all others of its shopper, and return how many."""
    about = select(events.c.seq, events.c.body).where(_KEPT, events.c.process_id == process_id)
    own = conn.execute(about).all()
    emails = {email for row in own for email in _emails(row.body)}
    others = [seq for seq, text in _bodies(conn) if any(email in text for email in emails)] if emails else []
    return _removed(conn, {*others, *(row.seq for row in own)})


def _removed(conn: Connection, seqs: Collection[int]) -> int:
    return sum(conn.execute(_REMOVE, {"seqs": piece}).rowcount for piece in chunks(seqs))


def _bodies(conn: Connection) -> Iterator[tuple[int, str]]:
    """Every kept body as text in which an e-mail can be found, however its JSON is escaped."""
    last = -1
    page = select(events.c.seq, events.c.body).where(_KEPT).order_by(events.c.seq).limit(AT_ONCE)
    while rows := conn.execute(page.where(events.c.seq > last)).all():
        last = rows[-1].seq
        for row in rows:
            yield row.seq, "\n".join(_texts(row.body)).casefold()


def _texts(body: bytes) -> Iterator[str]:
    """Every string of a JSON document, at any depth, also of one that is malformed: an e-mail must be found."""
    for written in _TEXT.findall(body.decode(json.detect_encoding(body), "replace")):
        try:
            yield _DECODER.decode(written)
        except ValueError:
            yield written


def _emails(body: bytes) -> Iterator[str]:
    content = read_json(body)  # it was read when it was stored
    shopper = content.get("shopper") if isinstance(content, dict) else None
    email = shopper.get("email") if isinstance(shopper, dict) else None
    if isinstance(email, str) and "@" in email:
        yield email.strip().casefold()
