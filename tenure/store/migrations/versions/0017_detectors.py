"""Detectors of harm keep what they must remember."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "detectors",
        sa.Column("endpoint", TEXT, nullable=False),
        sa.Column("release_version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("detector", TEXT, nullable=False),
        sa.Column("consumed_until", sa.BigInteger(), nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "release_version", "detector", name="pk_detectors"),
    )
