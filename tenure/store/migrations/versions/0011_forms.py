"""Forms of versions: what the gateway may answer with by itself, and the proof of it."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "forms",
        sa.Column("model", Text, primary_key=True),
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("digest", Text, nullable=False),
        sa.Column("state", Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("worker", Text, nullable=True),
        sa.Column("lease_until", sa.BigInteger, nullable=True),
        sa.Column("asked_by", Text, nullable=False),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("problem", Text, nullable=False),
        sa.Column("report", Text, nullable=True),
        sa.Column("released", Text, nullable=True),
        sa.PrimaryKeyConstraint("model", "version", name="pk_forms"),
    )
    op.create_index("ix_forms_by_state", "forms", ["state", "asked_at"])
