"""Batches: files that were scored as a whole, and the parts in which their predictions came."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("batch_id", Text, primary_key=True),
        sa.Column("endpoint", Text, nullable=False),
        sa.Column("model", Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("release_id", Text, nullable=False),
        sa.Column("state", Text, nullable=False),
        sa.Column("source", Text, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("rejected", sa.BigInteger, nullable=False),
        sa.Column("opened_by", Text, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("input_sha256", Text, nullable=True),
        sa.Column("output_sha256", Text, nullable=True),
        sa.Column("admitted", Text, nullable=True),
    )
    op.create_index("ix_batches_by_endpoint", "batches", ["endpoint", "opened_at"])
    op.create_index("ix_batches_by_state", "batches", ["state", "changed_at"])
    op.create_table(
        "batch_parts",
        sa.Column("batch_id", Text, sa.ForeignKey("batches.batch_id"), primary_key=True),
        sa.Column("first_row", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("until_row", sa.BigInteger, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("sha256", Text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
    )
