"""Alerts may be muted, and channels are told of them."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_index("ix_alerts_by_state", "alerts", ["state"])
    op.create_table(
        "alert_mutes",
        sa.Column("mute_id", TEXT, nullable=False),
        sa.Column("endpoint", TEXT, nullable=False),
        sa.Column("monitor", TEXT, nullable=True),
        sa.Column("subject", TEXT, nullable=True),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("until_at", sa.BigInteger(), nullable=False),
        sa.Column("muted_by", TEXT, nullable=False),
        sa.Column("muted_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("mute_id", name="pk_alert_mutes"),
    )
    op.create_index("ix_alert_mutes_by_endpoint", "alert_mutes", ["endpoint", "until_at"])
    op.create_table(
        "alert_notices",
        sa.Column("alert_id", TEXT, nullable=False),
        sa.Column("step", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("channel", TEXT, nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=False),
        sa.Column("message_id", TEXT, nullable=True),
        sa.Column("problem", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("alert_id", "step", "channel", name="pk_alert_notices"),
    )
