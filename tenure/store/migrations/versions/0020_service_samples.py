"""How endpoints serve, minute by minute, and hour by hour later."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
COUNTS = (
    "answered",
    "failed",
    "overloaded",
    "refused",
    "slow",
    "rows",
    "sent_bytes",
    "said_bytes",
    "latency_us",
    "cpu_us",
    "cpu_requests",
    "resident_bytes",
)


def upgrade() -> None:
    op.create_table(
        "service_samples",
        sa.Column("endpoint", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("minutes", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("gateway", TEXT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("objective_us", sa.BigInteger(), nullable=False, autoincrement=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in COUNTS),
        sa.Column("answers", TEXT, nullable=False),
        sa.Column("latency", TEXT, nullable=False),
        sa.PrimaryKeyConstraint(
            "endpoint", "at", "minutes", "gateway", "version", "role", "objective_us", name="pk_service_samples"
        ),
    )
    op.create_index("ix_service_samples_by_time", "service_samples", ["minutes", "at"])
