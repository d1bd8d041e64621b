"""Count a label that is registered among the labels, not the money: a refund goes out beside one of unknown outcome."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_OPEN = "state IN ('intended', 'sent', 'unknown')"
_LABELS = "('label', 'register_label')"


def upgrade() -> None:
    """Make both indexes anew."""
    _make_anew("intents_one_open_money", f"kind NOT IN {_LABELS} AND {_OPEN}")
    _make_anew("intents_one_open_label", f"kind IN {_LABELS} AND {_OPEN}")


def _make_anew(name: str, only: str) -> None:
    where = sa.text(only)
    op.drop_index(name, "intents")
    op.create_index(name, "intents", ["process_id"], unique=True, sqlite_where=where, postgresql_where=where)
