"""Keep which files were taken from a watched folder: one row for each content."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table. A file that was taken before is read once more, and does nothing twice."""
    op.create_table(
        "files",
        sa.Column("digest", sa.Text(), primary_key=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
    )
