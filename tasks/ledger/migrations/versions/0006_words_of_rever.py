"""Keep REVER's own words beside the audit, which holds a hash of them only: so an erasure request reaches them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table. Rows of the audit from before stay as they are: their chain covers what stands in them."""
    op.create_table(
        "words",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("process_id", sa.Text(), nullable=False),
        sa.Column("intent_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("shopper", sa.Text(), server_default="", nullable=False),
        sa.Column("salt", sa.Text(), server_default="", nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("forgotten_at", sa.DateTime(timezone=True)),
    )
    op.create_index("words_of_process", "words", ["process_id"])
    op.create_index("words_of_shopper", "words", ["shopper"])
