"""Signed checkpoints of the audit log; its events are found by time, by reason, and by who with what; files' digests.

The reason of older events is copied from their hashed content, which stays as it is.
"""

import json

import sqlalchemy as sa
from alembic import op

from tenure.store import chain, guards
from tenure.store.tables import Text

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    bind = op.get_bind()
    dialect = bind.dialect.name
    op.add_column("audit", sa.Column("reason", Text, nullable=True))
    for statement in guards.dropped(dialect):
        op.execute(statement)
    _copy_reasons(bind)
    for statement in guards.restored(dialect):
        op.execute(statement)
    op.create_index("ix_audit_by_actor_and_action", "audit", ["actor", "action", "sequence"])
    op.create_index("ix_audit_by_time", "audit", ["at"])
    given = sa.text("reason IS NOT NULL")
    op.create_index("ix_audit_with_reason", "audit", ["sequence", "reason"], sqlite_where=given, postgresql_where=given)
    op.create_table(
        "audit_checkpoints",
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("head", Text, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("key_id", Text, nullable=False),
        sa.Column("envelope", Text, nullable=False),
        sa.PrimaryKeyConstraint("size", name="pk_audit_checkpoints"),
    )
    for statement in guards.of_checkpoints(dialect):
        op.execute(statement)
    op.add_column("lake_files", sa.Column("sha256", Text, nullable=True))
    op.add_column("lake_files", sa.Column("told_at", sa.BigInteger(), nullable=True))


def _copy_reasons(bind: sa.Connection) -> None:
    events = sa.text("SELECT sequence, body FROM audit WHERE sequence > :after ORDER BY sequence LIMIT 5000")
    update = sa.text("UPDATE audit SET reason = :reason WHERE sequence = :sequence")
    after = 0
    while rows := bind.execute(events, {"after": after}).all():
        after = rows[-1].sequence
        told = [(row.sequence, _reason(row.body)) for row in rows]
        changed = [{"sequence": sequence, "reason": why} for sequence, why in told if isinstance(why, str)]
        if changed:
            bind.execute(update, changed)


def _reason(body: bytes) -> object:
    try:
        return chain.reason_of(json.loads(bytes(body))["detail"])
    except (ValueError, KeyError, TypeError, AttributeError):  # somebody changed it: verification names it
        return None
