"""Overrides wait for their prediction as outcomes do; endpoints say how they journal."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "pending_overrides",
        sa.Column("endpoint", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("decided_by", TEXT, nullable=False),
        sa.Column("event_at", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "key", "decided_by", "event_at", name="pk_pending_overrides"),
    )
    op.add_column("endpoints", sa.Column("journal", TEXT, nullable=True))
