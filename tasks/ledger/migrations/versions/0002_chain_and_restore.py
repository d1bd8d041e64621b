"""Chain the audit by hash per return, the rows that exist too; and remember that a ledger came from a backup."""

from collections import defaultdict
from typing import Any

import sqlalchemy as sa
from alembic import op

from tasks.database.engines import Money, UtcTime
from tasks.ledger.audit import Head

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
AT_ONCE = 1000
"""Rows of the audit that are chained in one statement."""

AUDIT = sa.table(
    "audit",
    sa.column("id", sa.BigInteger()),
    sa.column("at", UtcTime()),
    sa.column("evidence", sa.JSON()),
    sa.column("amount", Money()),
    sa.column("hash", sa.Text()),
    *(
        sa.column(name, sa.Text())
        for name in ("process_id", "actor", "event", "rule", "currency", "intent_id", "hold_id", "flow_run_id")
    ),
)


def upgrade() -> None:
    """Add what the chain and the restore need, then chain every row that is there."""
    op.create_table(
        "chains",
        sa.Column("process_id", sa.Text(), nullable=False),
        sa.Column("steps", sa.Integer(), server_default="0", nullable=False),
        sa.Column("head", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("process_id"),
    )
    op.create_table(
        "caught_up",
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("store"),
    )
    op.add_column("ledger", sa.Column("restored_at", TIME))
    op.add_column("ledger", sa.Column("restored_from", TIME))
    op.add_column("ledger", sa.Column("restored_why", sa.Text(), server_default="", nullable=False))
    op.add_column("audit", sa.Column("hash", sa.Text(), server_default="", nullable=False))
    _let_change(allowed=True)
    _chain(op.get_bind())
    _let_change(allowed=False)


def _chain(conn: sa.Connection) -> None:
    heads: dict[str, Head] = defaultdict(Head)
    put = sa.update(AUDIT).where(AUDIT.c.id == sa.bindparam("row")).values(hash=sa.bindparam("linked"))
    last = -1
    while rows := conn.execute(sa.select(AUDIT).where(AUDIT.c.id > last).order_by(AUDIT.c.id).limit(AT_ONCE)).all():
        last = rows[-1].id
        conn.execute(put, [{"row": row.id, "linked": heads[row.process_id].link(row._asdict())} for row in rows])
    ends: list[dict[str, Any]] = [{"p": each, "s": head.steps, "h": head.hash} for each, head in heads.items()]
    if ends:
        conn.execute(sa.text("INSERT INTO chains (process_id, steps, head) VALUES (:p, :s, :h)"), ends)


def _let_change(*, allowed: bool) -> None:
    """The audit refuses to be changed; this once its new column is filled."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE audit {'DISABLE' if allowed else 'ENABLE'} TRIGGER audit_no_change")
    elif allowed:
        op.execute("DROP TRIGGER audit_no_update")
    else:
        op.execute(
            "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit"
            " BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
        )
