"""Keep which refunds have a part of their order's shipping in them, numbered order by order."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, empty: no refund of an earlier version had shipping in it."""
    op.create_table(
        "order_shipping",
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("process_id", sa.Text(), nullable=False),
        sa.Column("intent_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("store", "order_id", "number"),
        sa.CheckConstraint("number >= 1", name="parts_are_counted_from_one"),
    )
    op.create_index("order_shipping_of_process", "order_shipping", ["process_id"])
