"""Alembic's entry: the connection is handed in by `tenure.store.migrate`."""

from alembic import context

from tenure.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
