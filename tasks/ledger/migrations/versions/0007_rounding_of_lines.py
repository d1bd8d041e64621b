"""Fix the rounding rule with a line's terms: all lines so far were rounded half up."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("lines", sa.Column("rounding", sa.Text(), server_default="half_up", nullable=False))
