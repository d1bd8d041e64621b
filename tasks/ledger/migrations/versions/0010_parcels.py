"""Keep where the parcels of returns are, each change of it with its time, and until when they were looked at."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables. What was scanned before is dated by the first look after this."""
    op.create_table(
        "parcels",
        sa.Column("process_id", sa.Text(), nullable=False),
        sa.Column("parcel", sa.Integer(), nullable=False),
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("order_name", sa.Text(), server_default="", nullable=False),
        sa.Column("tracking", sa.Text(), server_default="", nullable=False),
        sa.Column("carrier", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), server_default="", nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("moving", sa.Boolean(), nullable=False),
        sa.Column("told", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("process_id", "parcel"),
    )
    moving = sa.text("moving")
    op.create_index("parcels_moving", "parcels", ["store"], sqlite_where=moving, postgresql_where=moving)
    op.create_table(
        "parcel_changes",
        sa.Column("process_id", sa.Text(), nullable=False),
        sa.Column("parcel", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("before", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), server_default="", nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True)),
        sa.Column("as_of", sa.DateTime(timezone=True)),
        sa.Column("seen_by", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("process_id", "parcel", "n"),
    )
    if op.get_bind().dialect.name == "sqlite":
        for what in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER parcel_changes_no_{what.lower()} BEFORE {what} ON parcel_changes"
                " BEGIN SELECT RAISE(ABORT, 'parcel_changes is append-only'); END"
            )
    else:
        op.execute(
            "CREATE FUNCTION parcel_changes_is_append_only() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'parcel_changes is append-only'; END $$"
        )
        op.execute(
            "CREATE TRIGGER parcel_changes_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON parcel_changes"
            " FOR EACH STATEMENT EXECUTE FUNCTION parcel_changes_is_append_only()"
        )
    op.create_table(
        "tracked",
        sa.Column("store", sa.Text(), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
