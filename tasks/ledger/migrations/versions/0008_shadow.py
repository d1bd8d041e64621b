"""Keep what a candidate policy decides otherwise than the live one: one row for each return and candidate."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table. Nothing else reads it: no run decides by what stands in it."""
    said = [
        column
        for who in ("live", "candidate")
        for column in (
            sa.Column(f"{who}_decision", sa.Text(), nullable=False),
            sa.Column(f"{who}_rule", sa.Text(), nullable=False),
            sa.Column(f"{who}_why", sa.Text(), nullable=False),
            sa.Column(f"{who}_amounts", sa.JSON(), nullable=False),
        )
    ]
    op.create_table(
        "shadow",
        sa.Column("process_id", sa.Text(), nullable=False),
        sa.Column("candidate", sa.Text(), nullable=False),
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("order_name", sa.Text(), server_default="", nullable=False),
        *said,
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True)),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("process_id", "candidate"),
    )
    op.create_index("shadow_of_candidate", "shadow", ["candidate", "since"])
