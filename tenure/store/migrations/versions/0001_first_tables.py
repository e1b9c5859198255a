"""The first tables."""

from alembic import op

from tenure.store import guards
from tenure.store.tables import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    metadata.create_all(op.get_bind())
    for statement in guards.statements(op.get_bind().dialect.name):
        op.execute(statement)
