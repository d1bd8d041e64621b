"""Remember of each refund how much of it REVER showed as paid: what is on its way, and what came back."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of the refunds so far nobody has looked, so it is empty until the next look."""
    op.add_column("intents", sa.Column("paid_seen", sa.JSON()))
