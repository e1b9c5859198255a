"""The kill switch: what is stopped at an endpoint, and what is answered instead."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("endpoints", sa.Column("fallback", TEXT, nullable=True))
    op.execute("UPDATE releases SET share = 1.0 WHERE role = 'shadow' AND share = 0.0")  # a shadow's: what is mirrored
    op.create_table(
        "kills",
        sa.Column("kill_id", TEXT, nullable=False),
        sa.Column("endpoint", TEXT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("killed_by", TEXT, nullable=False),
        sa.Column("killed_at", sa.BigInteger(), nullable=False),
        sa.Column("lifted_by", TEXT, nullable=True),
        sa.Column("lifted_at", sa.BigInteger(), nullable=True),
        sa.Column("lift_reason", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("kill_id", name="pk_kills"),
        sa.ForeignKeyConstraint(["endpoint"], ["endpoints.name"], name="fk_kills_endpoint_endpoints"),
    )
    op.create_index("ix_kills_by_endpoint", "kills", ["endpoint", "lifted_at"])
