"""The ledger's tables. `migrations/` makes them; a test holds the two together."""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from tasks.database.engines import Money, UtcTime
from tasks.policy.kinds.register_label import MADE_LABEL

REVISION = "0017"
"""The newest revision under `migrations/versions`."""

VERSION_TABLE = "ledger_version"
"""Where alembic keeps the revision; a name of our own, since other tools keep theirs in `alembic_version`."""

metadata = MetaData()

_TEXT: dict[str, Any] = {"nullable": False, "server_default": ""}
_COUNT: dict[str, Any] = {"nullable": False, "server_default": "0"}
_NO: dict[str, Any] = {"nullable": False, "server_default": text("false")}
_serial = BigInteger().with_variant(Integer, "sqlite")

ledger = Table(
    "ledger",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("account", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("shopper_key", LargeBinary, nullable=False),
    Column("stopped", Boolean, **_NO),
    Column("stopped_since", UtcTime),
    Column("stopped_by", Text, **_TEXT),
    Column("stopped_why", Text, **_TEXT),
    Column("restored_at", UtcTime),
    Column("restored_from", UtcTime),
    Column("restored_why", Text, **_TEXT),
    Column("review_before", UtcTime),
    Column("server", Text, **_TEXT),
    CheckConstraint("id = 1", name="ledger_has_one_row"),
)

records = Table(
    "records",
    metadata,
    Column("process_id", Text, primary_key=True),
    Column("store", Text, nullable=False),
    Column("order_name", Text, **_TEXT),
    Column("decision", Text, **_TEXT),
    Column("rule", Text, **_TEXT),
    Column("why", Text, **_TEXT),
    Column("looked_at", UtcTime),
    Column("next_look_at", UtcTime),
    Column("run_began_at", UtcTime),
    Column("final", Boolean, **_NO),
    Column("costs", Money),
    Column("former", Text, **_TEXT),
    Column("archived_at", UtcTime),
    Index("records_unfinished", "store", sqlite_where=text("NOT final"), postgresql_where=text("NOT final")),
)

lines = Table(
    "lines",
    metadata,
    Column("process_id", Text, nullable=False),
    Column("line_id", Text, nullable=False),
    Column("total", Money, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("currency", Text, nullable=False),
    Column("rounding", Text, nullable=False, server_default="half_up"),
    PrimaryKeyConstraint("process_id", "line_id"),
)

_OPEN = "state IN ('intended', 'sent', 'unknown')"
_LABELS = "('label', 'register_label')"
_OPEN_MONEY = text(f"kind NOT IN {_LABELS} AND {_OPEN}")
_OPEN_LABEL = text(f"kind IN {_LABELS} AND {_OPEN}")

intents = Table(
    "intents",
    metadata,
    Column("seq", _serial, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("process_id", Text, ForeignKey("records.process_id"), nullable=False),
    Column("store", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("method", Text, **_TEXT),
    Column("currency", Text, **_TEXT),
    Column("amount", Money, nullable=False),
    Column("gross", Money, nullable=False),
    Column("generation", Integer, **_COUNT),
    Column("items", JSON, nullable=False),
    Column("details", JSON, nullable=False),
    Column("token", Text, nullable=False),
    Column("sent_by", Text, **_TEXT),
    Column("lease_until", UtcTime, nullable=False),
    Column("attempt", Integer, **_COUNT),
    Column("snapshot", JSON, nullable=False),
    Column("sent_at", UtcTime),
    Column("deadline", UtcTime),
    Column("settle_at", UtcTime),
    Column("look_at", UtcTime),
    Column("rule", Text, **_TEXT),
    Column("why", Text, **_TEXT),
    Column("evidence", JSON, nullable=False),
    Column("error_code", Text, **_TEXT),
    Column("adopted", Boolean, **_NO),
    Column("nothing_sent", Boolean, **_NO),
    Column("paid_seen", JSON(none_as_null=True)),
    Column("counted", Boolean, **_NO),
    Column("day", Date, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("closed_at", UtcTime),
    Index("intents_of_process", "process_id"),
    Index("intents_closed", "closed_at"),
    Index("intents_one_open_money", "process_id", unique=True, sqlite_where=_OPEN_MONEY, postgresql_where=_OPEN_MONEY),
    Index("intents_one_open_label", "process_id", unique=True, sqlite_where=_OPEN_LABEL, postgresql_where=_OPEN_LABEL),
    Index("intents_open", "state", "store", sqlite_where=text(_OPEN), postgresql_where=text(_OPEN)),
)

units = Table(
    "units",
    metadata,
    Column("process_id", Text, nullable=False),
    Column("space", Text, nullable=False),
    Column("line_id", Text, nullable=False),
    Column("n", Integer, nullable=False),
    Column("intent_id", Text, nullable=False),
    PrimaryKeyConstraint("process_id", "space", "line_id", "n"),
    CheckConstraint("n >= 1", name="units_are_counted_from_one"),
)

order_shipping = Table(
    "order_shipping",
    metadata,
    Column("store", Text, nullable=False),
    Column("order_id", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("process_id", Text, nullable=False),
    Column("intent_id", Text, nullable=False),
    PrimaryKeyConstraint("store", "order_id", "number"),
    Index("order_shipping_of_process", "process_id"),
    CheckConstraint("number >= 1", name="parts_are_counted_from_one"),
)
"""The refunds that have a part of an order's shipping in them, whatever became of them. No row is ever deleted: a claim
takes the number after all that it knows, so of two that do not know of each other the key lets one pass.
"""

_HELD = text("state = 'open'")

PARCEL = "parcel"
"""Under this name the details of a hold tell of the goods (`tasks.policy.parcel`): left out of exports, and erased."""

UNTOLD = frozenset({PARCEL, MADE_LABEL})
"""What is left out of the details in files: texts of the shop's about the goods, and a label with its tracking number,
which an erasure request removes.
"""

SECRET = frozenset({"token", "sent_by", "tracking", "shopper"})
"""Columns that let somebody act on a claim, and by which a carrier shows where a shopper lives: in no file."""

holds = Table(
    "holds",
    metadata,
    Column("seq", _serial, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("process_id", Text, ForeignKey("records.process_id"), nullable=False),
    Column("store", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("amount", Money),
    Column("currency", Text, **_TEXT),
    Column("items", JSON, nullable=False),
    Column("details", JSON, nullable=False),
    Column("label", Boolean, **_NO),
    Column("intent_id", Text, **_TEXT),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("state", Text, nullable=False, server_default="open"),
    Column("since", UtcTime, nullable=False),
    Column("answer", Text, **_TEXT),
    Column("answered_by", Text, **_TEXT),
    Column("answered_at", UtcTime),
    Column("closed_why", Text, **_TEXT),
    Index("holds_of_process", "process_id"),
    Index("holds_one_open", "process_id", "rule", "label", unique=True, sqlite_where=_HELD, postgresql_where=_HELD),
)

waivers = Table(
    "waivers",
    metadata,
    Column("seq", _serial, primary_key=True, autoincrement=True),
    Column("process_id", Text, ForeignKey("records.process_id"), nullable=False),
    Column("rule", Text, nullable=False),
    Column("amount", Money),
    Column("currency", Text, **_TEXT),
    Column("items", JSON, nullable=False),
    Column("label", Boolean, **_NO),
    Column("hold_id", Text, nullable=False),
    Column("used_by", Text, **_TEXT),
    Index("waivers_of_process", "process_id"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", _serial, primary_key=True, autoincrement=True),
    Column("process_id", Text, **_TEXT),
    Column("at", UtcTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("rule", Text, **_TEXT),
    Column("evidence", JSON, nullable=False),
    Column("amount", Money),
    Column("currency", Text, **_TEXT),
    Column("intent_id", Text, **_TEXT),
    Column("hold_id", Text, **_TEXT),
    Column("flow_run_id", Text, **_TEXT),
    Column("hash", Text, **_TEXT),
    Index("audit_of_process", "process_id"),
)

chains = Table(
    "chains",
    metadata,
    Column("process_id", Text, primary_key=True),
    Column("steps", Integer, **_COUNT),
    Column("head", Text, **_TEXT),
    Column("archive", Integer, **_COUNT),
    Column("archived_to", BigInteger, **_COUNT),
    Column("archived_steps", Integer, **_COUNT),
    Column("archived_head", Text, **_TEXT),
)
"""Where each return's chain ends. The steps up to the row `archived_to` are in archives, the newest of which is
`archive`: so many are they, and so the chain stood behind them. Zeros and an empty text: all steps are in `audit`.
"""

archives = Table(
    "archives",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("made_at", UtcTime, nullable=False),
    Column("cut", UtcTime, nullable=False),
    Column("counts", JSON, nullable=False),
)
"""The archives that rows were moved to, each with the digest of its manifest; `counts` are its rows per table."""

words = Table(
    "words",
    metadata,
    Column("seq", _serial, primary_key=True, autoincrement=True),
    Column("process_id", Text, nullable=False),
    Column("intent_id", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("shopper", Text, **_TEXT),
    Column("salt", Text, **_TEXT),
    Column("text", Text, **_TEXT),
    Column("digest", Text, nullable=False),
    Column("forgotten_at", UtcTime),
    Index("words_of_process", "process_id"),
    Index("words_of_shopper", "shopper"),
)

caught_up = Table("caught_up", metadata, Column("store", Text, primary_key=True), Column("at", UtcTime, nullable=False))

store_days = Table(
    "store_days",
    metadata,
    Column("store", Text, nullable=False),
    Column("day", Date, nullable=False),
    Column("currency", Text, nullable=False),
    Column("amount_e4", BigInteger, **_COUNT),
    PrimaryKeyConstraint("store", "day", "currency"),
)

shoppers = Table("shoppers", metadata, Column("hash", Text, primary_key=True), Column("locks", BigInteger, **_COUNT))

shopper_refunds = Table(
    "shopper_refunds",
    metadata,
    Column("intent_id", Text, primary_key=True),
    Column("hash", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Index("shopper_refunds_in_window", "hash", "at"),
)

pauses = Table(
    "pauses",
    metadata,
    Column("store", Text, primary_key=True),
    Column("unknown_in_a_row", Integer, **_COUNT),
    Column("paused_until", UtcTime),
    Column("pause_minutes", Integer, **_COUNT),
    Column("trial_intent", Text, **_TEXT),
)

shadow = Table(
    "shadow",
    metadata,
    Column("process_id", Text, nullable=False),
    Column("candidate", Text, nullable=False),
    Column("store", Text, nullable=False),
    Column("order_name", Text, **_TEXT),
    Column("live_decision", Text, nullable=False),
    Column("live_rule", Text, nullable=False),
    Column("live_why", Text, nullable=False),
    Column("live_amounts", JSON, nullable=False),
    Column("candidate_decision", Text, nullable=False),
    Column("candidate_rule", Text, nullable=False),
    Column("candidate_why", Text, nullable=False),
    Column("candidate_amounts", JSON, nullable=False),
    Column("changes", JSON, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("until", UtcTime),
    Column("looked_at", UtcTime, nullable=False),
    PrimaryKeyConstraint("process_id", "candidate"),
    Index("shadow_of_candidate", "candidate", "since"),
)
"""What a candidate policy says otherwise than the live one (`tasks.policy.shadow`). No run decides by it."""

files = Table(
    "files",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("taken_at", UtcTime, nullable=False),
    Column("counts", JSON, nullable=False),
)
"""The files that were taken from a watched folder, by content. Whether a unit is done hangs on no row of it."""

parcels = Table(
    "parcels",
    metadata,
    Column("process_id", Text, nullable=False),
    Column("parcel", Integer, nullable=False),
    Column("store", Text, nullable=False),
    Column("order_name", Text, **_TEXT),
    Column("tracking", Text, **_TEXT),
    Column("carrier", Text, **_TEXT),
    Column("status", Text, **_TEXT),
    Column("changes", Integer, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("looked_at", UtcTime, nullable=False),
    Column("moving", Boolean, nullable=False),
    Column("told", Integer, **_COUNT),
    PrimaryKeyConstraint("process_id", "parcel"),
    Index("parcels_moving", "store", sqlite_where=text("moving"), postgresql_where=text("moving")),
)
"""Where each parcel is by its last change; 0 is the return itself. `told` is the change after which people were told
that it has stopped.
"""

parcel_changes = Table(
    "parcel_changes",
    metadata,
    Column("process_id", Text, nullable=False),
    Column("parcel", Integer, nullable=False),
    Column("n", Integer, nullable=False),
    Column("before", Text, **_TEXT),
    Column("status", Text, **_TEXT),
    Column("seen_at", UtcTime, nullable=False),
    Column("told_at", UtcTime),
    Column("as_of", UtcTime),
    Column("seen_by", Text, **_TEXT),
    PrimaryKeyConstraint("process_id", "parcel", "n"),
)
"""Each change of a parcel, once: of two who see it at the same time, one writes it. Nothing here is ever changed."""

tracked = Table("tracked", metadata, Column("store", Text, primary_key=True), Column("at", UtcTime, nullable=False))
"""Until when the list of a store's returns was read for changes of their parcels."""

reminders = Table(
    "reminders",
    metadata,
    Column("process_id", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("about", Text, **_TEXT),
    Column("store", Text, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("told_at", UtcTime, nullable=False),
    PrimaryKeyConstraint("process_id", "stage", "about"),
)
"""Of which returns people were told that they stand still, and at which stage: once, whoever tells it. `about` is the
hold or the effect that is waited for, where it is one.
"""

label_files = Table(
    "label_files",
    metadata,
    Column("process_id", Text, nullable=False),
    Column("parcel", Integer, nullable=False),
    Column("store", Text, nullable=False),
    Column("order_name", Text, **_TEXT),
    Column("shopper", Text, **_TEXT),
    Column("digest", Text, **_TEXT),
    Column("kind", Text, **_TEXT),
    Column("size", Integer, **_COUNT),
    Column("kept_at", UtcTime),
    Column("tries", Integer, **_COUNT),
    Column("tried_at", UtcTime),
    Column("why", Text, **_TEXT),
    Column("removed_at", UtcTime),
    PrimaryKeyConstraint("process_id", "parcel"),
    Index("label_files_kept", "kept_at"),
    Index("label_files_of_shopper", "shopper"),
)
"""Which label's file is kept for which parcel, by its digest, and how often one was asked for in vain. `shopper` is the
keyed hash of the e-mail, by which an erasure request finds it. The address that a file came from is kept nowhere.
"""
