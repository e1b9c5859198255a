"""Windows of hours: how wide they are, and until when the profiles of such windows were let go of."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.add_column("watermarks", sa.Column("window_hours", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("watermarks", sa.Column("thinned_until", sa.BigInteger(), nullable=False, server_default="0"))
