"""The first tables: intents and their units, holds and waivers, the audit, the guards' counters, the pauses."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MONEY = sa.Text()
TIME = sa.DateTime(timezone=True)
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def where(condition: str) -> dict[str, Any]:
    """A partial index, the same in both dialects."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    """Make all tables, and the triggers that keep the audit append-only."""
    _ledger()
    _records()
    _lines()
    _intents()
    _units()
    _holds()
    _waivers()
    _audit()
    _store_days()
    _shoppers()
    _shopper_refunds()
    _pauses()
    _append_only()


def _ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("shopper_key", sa.LargeBinary(), nullable=False),
        sa.Column("stopped", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("stopped_since", TIME),
        sa.Column("stopped_by", sa.Text(), server_default="", nullable=False),
        sa.Column("stopped_why", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint("id = 1", name="ledger_has_one_row"),
        sa.PrimaryKeyConstraint("id"),
    )


def _records() -> None:
    op.create_table(
        "records",
        sa.Column("process_id", sa.Text(), nullable=False),
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("order_name", sa.Text(), server_default="", nullable=False),
        sa.Column("decision", sa.Text(), server_default="", nullable=False),
        sa.Column("rule", sa.Text(), server_default="", nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("looked_at", TIME),
        sa.Column("next_look_at", TIME),
        sa.Column("final", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("costs", MONEY),
        sa.PrimaryKeyConstraint("process_id"),
    )
    op.create_index("records_unfinished", "records", ["store"], **where("NOT final"))


def _lines() -> None:
    op.create_table(
        "lines",
        sa.Column("process_id", sa.Text(), nullable=False),
        sa.Column("line_id", sa.Text(), nullable=False),
        sa.Column("total", MONEY, nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("process_id", "line_id"),
    )


def _intents() -> None:
    op.create_table(
        "intents",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("process_id", sa.Text(), nullable=False),
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), server_default="", nullable=False),
        sa.Column("currency", sa.Text(), server_default="", nullable=False),
        sa.Column("amount", MONEY, nullable=False),
        sa.Column("gross", MONEY, nullable=False),
        sa.Column("generation", sa.Integer(), server_default="0", nullable=False),
        sa.Column("items", sa.JSON(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("sent_by", sa.Text(), server_default="", nullable=False),
        sa.Column("lease_until", TIME, nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("snapshot", sa.JSON(), nullable=False),
        sa.Column("sent_at", TIME),
        sa.Column("deadline", TIME),
        sa.Column("settle_at", TIME),
        sa.Column("look_at", TIME),
        sa.Column("rule", sa.Text(), server_default="", nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("error_code", sa.Text(), server_default="", nullable=False),
        sa.Column("adopted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("nothing_sent", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("counted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("closed_at", TIME),
        sa.ForeignKeyConstraint(
            ["process_id"],
            ["records.process_id"],
        ),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("id"),
    )
    op.create_index("intents_closed", "intents", ["closed_at"])
    op.create_index("intents_of_process", "intents", ["process_id"])
    op.create_index(
        "intents_one_open_label",
        "intents",
        ["process_id"],
        unique=True,
        **where("kind = 'label' AND state IN ('intended', 'sent', 'unknown')"),
    )
    op.create_index(
        "intents_one_open_money",
        "intents",
        ["process_id"],
        unique=True,
        **where("kind <> 'label' AND state IN ('intended', 'sent', 'unknown')"),
    )
    op.create_index("intents_open", "intents", ["state", "store"], **where("state IN ('intended', 'sent', 'unknown')"))


def _units() -> None:
    op.create_table(
        "units",
        sa.Column("process_id", sa.Text(), nullable=False),
        sa.Column("space", sa.Text(), nullable=False),
        sa.Column("line_id", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("intent_id", sa.Text(), nullable=False),
        sa.CheckConstraint("n >= 1", name="units_are_counted_from_one"),
        sa.PrimaryKeyConstraint("process_id", "space", "line_id", "n"),
    )


def _holds() -> None:
    op.create_table(
        "holds",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("process_id", sa.Text(), nullable=False),
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("amount", MONEY),
        sa.Column("currency", sa.Text(), server_default="", nullable=False),
        sa.Column("items", sa.JSON(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("label", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("intent_id", sa.Text(), server_default="", nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("answer", sa.Text(), server_default="", nullable=False),
        sa.Column("answered_by", sa.Text(), server_default="", nullable=False),
        sa.Column("answered_at", TIME),
        sa.Column("closed_why", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["process_id"],
            ["records.process_id"],
        ),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("id"),
    )
    op.create_index("holds_of_process", "holds", ["process_id"])
    op.create_index("holds_one_open", "holds", ["process_id", "rule", "label"], unique=True, **where("state = 'open'"))


def _waivers() -> None:
    op.create_table(
        "waivers",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("process_id", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("amount", MONEY),
        sa.Column("currency", sa.Text(), server_default="", nullable=False),
        sa.Column("items", sa.JSON(), nullable=False),
        sa.Column("label", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("hold_id", sa.Text(), nullable=False),
        sa.Column("used_by", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["process_id"],
            ["records.process_id"],
        ),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("waivers_of_process", "waivers", ["process_id"])


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("process_id", sa.Text(), server_default="", nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), server_default="", nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("amount", MONEY),
        sa.Column("currency", sa.Text(), server_default="", nullable=False),
        sa.Column("intent_id", sa.Text(), server_default="", nullable=False),
        sa.Column("hold_id", sa.Text(), server_default="", nullable=False),
        sa.Column("flow_run_id", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("audit_of_process", "audit", ["process_id"])


def _store_days() -> None:
    op.create_table(
        "store_days",
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount_e4", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("store", "day", "currency"),
    )


def _shoppers() -> None:
    op.create_table(
        "shoppers",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("locks", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )


def _shopper_refunds() -> None:
    op.create_table(
        "shopper_refunds",
        sa.Column("intent_id", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("intent_id"),
    )
    op.create_index("shopper_refunds_in_window", "shopper_refunds", ["hash", "at"])


def _pauses() -> None:
    op.create_table(
        "pauses",
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("unknown_in_a_row", sa.Integer(), server_default="0", nullable=False),
        sa.Column("paused_until", TIME),
        sa.Column("pause_minutes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("trial_intent", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("store"),
    )


def _append_only() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for what in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{what.lower()} BEFORE {what} ON audit"
                " BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit"
        " FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()"
    )
