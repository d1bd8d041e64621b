"""How long bodies are kept, and how a shopper's go at once. The hash stays: it is what tells a repeat."""

import json
import re
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, select, update

from deployments.receiver.tables import events
from rever_api.answers import read_json

KEPT = timedelta(days=30)
"""How long a body is kept."""

AT_ONCE = 500
"""Bodies that are looked into, or removed, in one piece."""

_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_DECODER = json.JSONDecoder(strict=False)

_KEPT = events.c.body.is_not(None)
_REMOVE = update(events).where(events.c.seq.in_(bindparam("seqs", expanding=True)), _KEPT).values(body=None)


def remove_old(conn: Connection, *, now: datetime) -> int:
    """Remove the bodies that are older than `KEPT`; answers how many, at most `AT_ONCE`."""
    old = select(events.c.seq).where(_KEPT, events.c.stored_at < now - KEPT).order_by(events.c.stored_at).limit(AT_ONCE)
    seqs = [row.seq for row in conn.execute(old)]
    return _removed(conn, seqs)


def remove_shopper(conn: Connection, email: str) -> int:
    """Remove every body in which this e-mail stands, wherever in it; answers how many."""
    return _removed(conn, [seq for seq, text in _bodies(conn) if email.strip().casefold() in text])


def remove_return(conn: Connection, process_id: str) -> int:
    """Remove the bodies about this return, and all others of its shopper; answers how many."""
    about = select(events.c.seq, events.c.body).where(_KEPT, events.c.process_id == process_id)
    own = conn.execute(about).all()
    emails = {email for row in own for email in _emails(row.body)}
    others = [seq for seq, text in _bodies(conn) if any(email in text for email in emails)] if emails else []
    return _removed(conn, {*others, *(row.seq for row in own)})


def _removed(conn: Connection, seqs: Collection[int]) -> int:
    return sum(conn.execute(_REMOVE, {"seqs": piece}).rowcount for piece in _pieces(seqs))


def _pieces(seqs: Collection[int]) -> Iterator[list[int]]:
    """Pieces that one statement takes."""
    ordered = sorted(seqs)
    for start in range(0, len(ordered), AT_ONCE):
        yield ordered[start : start + AT_ONCE]


def _bodies(conn: Connection) -> Iterator[tuple[int, str]]:
    """Every body that is kept, as text in which an e-mail can be found however its JSON was written."""
    last = -1
    page = select(events.c.seq, events.c.body).where(_KEPT).order_by(events.c.seq).limit(AT_ONCE)
    while rows := conn.execute(page.where(events.c.seq > last)).all():
        last = rows[-1].seq
        for row in rows:
            yield row.seq, "\n".join(_texts(row.body)).casefold()


def _texts(body: bytes) -> Iterator[str]:
    """Every text of a JSON document, however deep it lies and whatever else spoils it: nothing hides an e-mail."""
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
