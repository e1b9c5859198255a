"""Comments on change requests."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

# On Postgres every text compares and sorts by its bytes.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "comments",
        sa.Column("comment_id", TEXT, nullable=False),
        sa.Column("change_id", TEXT, nullable=False),
        sa.Column("person_id", TEXT, nullable=False),
        sa.Column("text", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("comment_id", name="pk_comments"),
        sa.ForeignKeyConstraint(["change_id"], ["changes.change_id"], name="fk_comments_change_id_changes"),
    )
    op.create_index("ix_comments_by_change", "comments", ["change_id", "at"])
