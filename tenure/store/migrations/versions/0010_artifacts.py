"""What scanners found in files."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "file_scans",
        sa.Column("sha256", TEXT, nullable=False),
        sa.Column("suffix", TEXT, nullable=False),
        sa.Column("scanner", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.Column("scanned_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", "suffix", "scanner", name="pk_file_scans"),
    )
