"""The inbox's tables. They are not the ledger's: bodies hold personal data, and the ledger holds none."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.schema import CreateColumn

from tasks.database.address import Where
from tasks.database.columns import UtcTime
from tasks.ledger import LedgerError

VERSION = 2
"""Of these tables. A change of them comes with a step here that brings an older inbox up to it."""

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
    """Make the tables where there are none yet, and bring older ones up to these.

    Raises `LedgerError`: they are newer than this, or not ours.
    """
    if conn.dialect.name == "postgresql":
        conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ONE_AT_A_TIME})
    found = set(inspect(conn).get_table_names())
    if version.name not in found:
        if found and where.path is not None:
            raise LedgerError(
                f"the file of {where} holds something else, not an inbox; point {where.variable} elsewhere"
            )
        metadata.create_all(conn)
        conn.execute(insert(version).values(version=VERSION))
    made_by = conn.execute(select(version.c.version)).scalar_one()
    if made_by > VERSION:
        raise LedgerError(
            f"the inbox {where} was made by a newer version of rever-returns (its version is {made_by}, this one knows"
            f" {VERSION}); upgrade rever-returns"
        )
    if made_by < VERSION:
        for column in _SINCE_2:
            clause = CreateColumn(column).compile(dialect=conn.dialect)
            conn.execute(text(f"ALTER TABLE {column.table.name} ADD COLUMN {clause}"))
        conn.execute(update(version).values(version=VERSION))
