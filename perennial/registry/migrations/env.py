"""What Alembic runs around the migrations: on the connection that opened the ledger, in its transaction."""

from alembic import context

from perennial.registry.database import VERSIONS

context.configure(connection=context.config.attributes["connection"], version_table=VERSIONS)
with context.begin_transaction():
    context.run_migrations()
