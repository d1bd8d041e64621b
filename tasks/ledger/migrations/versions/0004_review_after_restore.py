"""Remember which returns a person looks at first after a restore, and on which server the ledger was last."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; a ledger that was never restored has nothing to look at."""
    op.add_column("ledger", sa.Column("review_before", sa.DateTime(timezone=True)))
    op.add_column("ledger", sa.Column("server", sa.Text(), server_default="", nullable=False))
    op.add_column("records", sa.Column("former", sa.Text(), server_default="", nullable=False))
