"""What alembic runs: the steps that are missing, in the transaction that its caller has begun and will commit."""

from alembic import context
from sqlalchemy import Connection

from tasks.ledger.schema import VERSION_TABLE, metadata

connection: Connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
