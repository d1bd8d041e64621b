"""Remember when the run began that last took a return as far as it could go: an event from before it is acted on."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of the runs so far it is not known when they began."""
    op.add_column("records", sa.Column("run_began_at", sa.DateTime(timezone=True)))
