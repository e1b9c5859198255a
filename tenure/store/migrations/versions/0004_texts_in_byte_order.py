"""On Postgres every text compares and sorts by its bytes, as on SQLite, whatever language the database was made for."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    inspector = sa.inspect(op.get_bind())
    for table in inspector.get_table_names():
        texts = [column["name"] for column in inspector.get_columns(table) if isinstance(column["type"], sa.Text)]
        changes = ", ".join(f'ALTER COLUMN "{name}" TYPE TEXT COLLATE "C"' for name in texts)
        if changes:
            op.execute(f'ALTER TABLE "{table}" {changes}')
