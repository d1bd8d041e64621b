"""Keep what was moved to archives, and let the rows of the audit go that are in one: those, and no others."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0014"
branch_labels = None
depends_on = None

_ANCHORED = "EXISTS (SELECT 1 FROM chains WHERE chains.process_id = OLD.process_id AND {})"
_IN_AN_ARCHIVE = {
    "audit": f"OLD.process_id <> '' AND {_ANCHORED.format('chains.archived_to >= OLD.id')}",
    "parcel_changes": _ANCHORED.format("chains.archive > 0"),
}
"""Table -> when a row of it may go: it is in an archive, which the chain of its return says."""


def upgrade() -> None:
    """Make the table and the anchors. Nothing is archived yet."""
    op.create_table(
        "archives",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cut", sa.DateTime(timezone=True), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.add_column("records", sa.Column("archived_at", sa.DateTime(timezone=True)))
    op.add_column("chains", sa.Column("archive", sa.Integer(), server_default="0", nullable=False))
    op.add_column("chains", sa.Column("archived_to", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("chains", sa.Column("archived_steps", sa.Integer(), server_default="0", nullable=False))
    op.add_column("chains", sa.Column("archived_head", sa.Text(), server_default="", nullable=False))
    for table, archived in _IN_AN_ARCHIVE.items():
        _let_go(table, archived)


def _let_go(table: str, archived: str) -> None:
    """Let the triggers refuse each change but the removal of what is archived."""
    refused = f"{table} is append-only" if table != "audit" else "the audit is append-only"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"DROP TRIGGER {table}_no_delete")
        op.execute(
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} WHEN NOT ({archived})"
            f" BEGIN SELECT RAISE(ABORT, '{refused}'); END"
        )
        return
    op.execute(f"DROP TRIGGER {table}_no_change ON {table}")
    op.execute(
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR TRUNCATE ON {table}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {table}_is_append_only()"
    )
    op.execute(
        f"CREATE FUNCTION {table}_goes_to_archives() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN IF NOT ({archived}) THEN RAISE EXCEPTION '{refused}'; END IF; RETURN OLD; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}"
        f" FOR EACH ROW EXECUTE FUNCTION {table}_goes_to_archives()"
    )
