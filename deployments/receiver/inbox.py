"""The inbox: REVER's events, stored durably and once, until a run has looked at their return.

Two deliveries with the same bytes are one event. The tables are not the ledger's: bodies hold personal data, and the
ledger holds none.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from shutil import disk_usage
from typing import Self

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    event,
    exists,
    func,
    insert,
    inspect,
    or_,
    select,
    text,
    true,
    update,
)
from sqlalchemy.schema import CreateColumn

from deployments.receiver.delivery import EXAMPLE, Content, Kind, kind_of
from tasks.database import DatabaseError
from tasks.database.database import Database, GroupCommit, Reader
from tasks.database.engines import (
    UtcTime,
    Where,
    check_durable,
    looking_engine,
    reading_engine,
    translated,
    upsert,
    writing_engine,
)

VARIABLE = "REVER_INBOX_URL"

TRIES = 3
"""A return with so many runs that came to nothing counts as stuck."""

LEAST_FREE = 1024 * 1024
"""A disk with less free bytes counts as full: four of the largest bodies that are accepted."""

WAITING, ACTED_ON, GIVEN_UP = "waiting", "acted_on", "given_up"
UNKNOWN, ELSEWHERE, DROPPED = "unknown_return", "other_store", "dropped"
"""An event's states: no run has looked at its return since; one has; none did for so long that no more are offered;
REVER knows no such return; its store is not this desk's; a person has closed it.
"""

VERSION = 2
"""The version of these tables. A change of them comes with a step in `make` that upgrades an older inbox."""

_ONE_AT_A_TIME = 7_203_665_002
"""The key of PostgreSQL's advisory lock while the tables are made."""

metadata = MetaData()

version = Table("inbox_version", metadata, Column("version", Integer, primary_key=True), Column("beat", UtcTime))

_WAITING = text("state = 'waiting'")
_KEPT = text("body IS NOT NULL")

events = Table(
    "inbox_events",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("hash", Text, nullable=False, unique=True),
    Column("process_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("stored_at", UtcTime, nullable=False),
    Column("body", LargeBinary),
    Column("state", Text, nullable=False),
    Column("closed_at", UtcTime),
    Column("closed_why", Text),
    Column("closed_by", Text),
    Index("inbox_events_waiting", "process_id", "stored_at", sqlite_where=_WAITING, postgresql_where=_WAITING),
    Index("inbox_events_kept", "stored_at", sqlite_where=_KEPT, postgresql_where=_KEPT),
    Index("inbox_events_of_return", "process_id"),
)

returns = Table(
    "inbox_returns",
    metadata,
    Column("process_id", Text, primary_key=True),
    Column("shipping", Text, nullable=False),
    Column("offer", Text, nullable=False, server_default=""),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("offered_since", UtcTime),
    Column("offered_last", UtcTime),
    Column("doubts", Integer, nullable=False, server_default="0"),
    Column("ask_at", UtcTime),
    Index("inbox_returns_of_offer", "offer"),
)

offers = Table(
    "inbox_offers",
    metadata,
    Column("key", Text, primary_key=True),
    Column("deployment", Text, nullable=False),
    Column("process_ids", JSON, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("made_at", UtcTime, nullable=False),
    Column("run_id", Text, nullable=False, server_default=""),
    Column("sent_at", UtcTime),
    Column("look_at", UtcTime),
)


_SINCE_2 = (events.c.closed_why, events.c.closed_by, returns.c.doubts, returns.c.ask_at)
"""Why an event was closed, and by whom; how often REVER was asked about a return without a run that looked at it, and
when it is asked again.
"""


def make(conn: Connection, where: Where) -> None:
    """Make the tables if there are none, and upgrade older ones. Raises `DatabaseError`: they are newer or not ours."""
    if conn.dialect.name == "postgresql":
        conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ONE_AT_A_TIME})
    found = set(inspect(conn).get_table_names())
    if version.name not in found:
        if found and where.path is not None:
            raise DatabaseError(
                f"the file of {where} holds something else, not an inbox; point {where.variable} elsewhere"
            )
        metadata.create_all(conn)
        conn.execute(insert(version).values(version=VERSION))
    made_by = conn.execute(select(version.c.version)).scalar_one()
    if made_by > VERSION:
        raise DatabaseError(
            f"the inbox {where} was made by a newer version of rever-returns (its version is {made_by}, this one knows"
            f" {VERSION}); upgrade rever-returns"
        )
    if made_by < VERSION:
        for column in _SINCE_2:
            clause = CreateColumn(column).compile(dialect=conn.dialect)
            conn.execute(text(f"ALTER TABLE {column.table.name} ADD COLUMN {clause}"))
        conn.execute(update(version).values(version=VERSION))


class Inbox(Database):
    """An open inbox. `write` and `awrite` return once what was written is on the disk."""

    @classmethod
    def open(cls, url: str) -> Self:
        """Open an inbox; its tables are made at first use. Raises `DatabaseError`, whose text names the inbox."""
        where = Where.of(url, what="inbox", variable=VARIABLE)
        engine = writing_engine(where)
        _overwrite_what_is_removed(engine, where)
        try:
            with translated(where), engine.connect() as conn:
                conn.begin()
                make(conn, where)
                check_durable(conn, where)
                conn.commit()
        except DatabaseError:
            engine.dispose()
            raise
        return cls(where, GroupCommit(engine, where), Reader(where))

    @classmethod
    def exists(cls, url: str) -> bool:
        """Whether there is one. Raises `DatabaseError` if its server does not respond."""
        where = Where.of(url, what="inbox", variable=VARIABLE)
        if where.path is not None:
            return where.path.is_file()
        engine = reading_engine(where)
        try:
            with translated(where), engine.connect() as conn:
                return inspect(conn).has_table(version.name)
        finally:
            engine.dispose()

    def full(self) -> str:
        """A sentence if the disk of an inbox on SQLite is full; "" if it is not, or that is not known.

        A successful `beat` does not show it: a small change may still fit into existing pages.
        """
        if self._where.path is not None:
            with suppress(OSError):
                if disk_usage(self._where.path.parent).free < LEAST_FREE:
                    return f"the disk of the inbox {self._where} is full; make room"
        return ""


def beat(conn: Connection, *, now: datetime) -> None:
    """Write something, to see whether the inbox can be written to."""
    conn.execute(update(version).values(beat=now))


def _overwrite_what_is_removed(engine: Engine, where: Where) -> None:
    if where.path is None:
        return

    @event.listens_for(engine, "connect")
    def prepare(connection: object, _record: object) -> None:
        connection.execute("PRAGMA secure_delete=ON")  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A verified delivery: `event` is the last part of its URL, `at` when it came in."""

    body: bytes = field(repr=False)
    content: Content
    event: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Stored:
    """The result of storing a delivery: `new`, or a repeat of one that is stored, which changes nothing."""

    new: bool
    kind: Kind


def store(conn: Connection, delivery: Delivery) -> Stored:
    """Store a delivery unless the same bytes are stored already."""
    content = delivery.content
    shipping = select(returns.c.shipping).where(returns.c.process_id == content.process_id)
    known: str | None = conn.execute(shipping).scalar()
    kind = kind_of(delivery.event, content.status, content.shipping, known)
    row = {
        "hash": sha256(delivery.body).hexdigest(),
        "process_id": content.process_id,
        "kind": str(kind),
        "stored_at": delivery.at,
        "body": delivery.body,
        "state": WAITING,
    }
    put = upsert(conn, events, ["hash"]).values(row).returning(events.c.seq)
    if conn.execute(put).first() is None:
        return Stored(False, kind)
    if known is None or (content.shipping and content.shipping != known):
        _note(conn, content.process_id, content.shipping)
    return Stored(True, kind)


def _note(conn: Connection, process_id: str, shipping: str) -> None:
    # REVER does not know the return of an example, so it is asked before a run is offered.
    doubts = 1 if process_id.startswith(EXAMPLE) else 0
    row = {"process_id": process_id, "shipping": shipping, "doubts": doubts}
    conn.execute(upsert(conn, returns, ["process_id"], ["shipping"]), row)


@dataclass(frozen=True, slots=True)
class InboxState:
    """How many events wait, since when the oldest, and how many were given up.

    `stuck` returns had `tries` or more runs that came to nothing; `strange` events were closed because REVER does not
    know their return, or shows it at another store.
    """

    waiting: int
    oldest: datetime | None
    given_up: int
    stuck: int = 0
    strange: int = 0
    tries: int = TRIES


def inbox_state(url: str, *, closed_since: datetime | None = None) -> InboxState | None:
    """Read the state of an inbox without writing anything; None if there is none. Raises `DatabaseError`.

    Events that were closed before `closed_since` are left out.
    """
    where = Where.of(url, what="inbox", variable=VARIABLE)
    if where.path is not None and not where.path.exists():
        return None
    engine = looking_engine(where)
    oldest = func.min(events.c.stored_at, type_=events.c.stored_at.type)
    lately = true() if closed_since is None else or_(events.c.closed_at.is_(None), events.c.closed_at >= closed_since)
    by_state = select(events.c.state, func.count(), oldest).where(lately).group_by(events.c.state)
    waits = exists().where(events.c.process_id == returns.c.process_id, events.c.state == WAITING)
    tried = select(func.count()).select_from(returns).where(returns.c.attempt >= TRIES, waits)
    try:
        with translated(where), engine.connect() as conn:
            if not inspect(conn).has_table(events.name):
                return None
            found = {state: (many, first) for state, many, first in conn.execute(by_state)}
            stuck = conn.execute(tried).scalar_one()
    finally:
        engine.dispose()
    many, first = found.get(WAITING, (0, None))
    given_up, *strange = (found.get(state, (0, None))[0] for state in (GIVEN_UP, UNKNOWN, ELSEWHERE))
    return InboxState(many, first, given_up, stuck, sum(strange))
