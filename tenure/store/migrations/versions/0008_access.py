"""Services, grants, tokens and failed passwords. Roles that people held become grants for all models."""

import json
import uuid

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "services",
        sa.Column("service_id", Text, nullable=False),
        sa.Column("purpose", Text, nullable=False),
        sa.Column("created_by", Text, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("service_id", name="pk_services"),
    )
    grants = op.create_table(
        "grants",
        sa.Column("grant_id", Text, nullable=False),
        sa.Column("principal", Text, nullable=False),
        sa.Column("role", Text, nullable=False),
        sa.Column("model", Text, nullable=False),
        sa.Column("since_at", sa.BigInteger(), nullable=False),
        sa.Column("granted_by", Text, nullable=False),
        sa.Column("until_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_by", Text, nullable=True),
        sa.PrimaryKeyConstraint("grant_id", name="pk_grants"),
    )
    op.create_index("ix_grants_by_principal", "grants", ["principal", "until_at"])
    op.create_table(
        "tokens",
        sa.Column("token_id", Text, nullable=False),
        sa.Column("digest", Text, nullable=False),
        sa.Column("principal", Text, nullable=False),
        sa.Column("label", Text, nullable=False),
        sa.Column("permissions", Text, nullable=False),
        sa.Column("models", Text, nullable=False),
        sa.Column("created_by", Text, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("token_id", name="pk_tokens"),
    )
    op.create_index("ix_tokens_by_digest", "tokens", ["digest"], unique=True)
    op.create_index("ix_tokens_by_principal", "tokens", ["principal"])
    op.create_table(
        "sso_identities",
        sa.Column("issuer", Text, nullable=False),
        sa.Column("subject", Text, nullable=False),
        sa.Column("person_id", Text, nullable=False),
        sa.PrimaryKeyConstraint("issuer", "subject", name="pk_sso_identities"),
    )
    op.create_table(
        "password_failures",
        sa.Column("failure_id", Text, nullable=False),
        sa.Column("person_id", Text, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("failure_id", name="pk_password_failures"),
    )
    op.create_index("ix_password_failures_by_person", "password_failures", ["person_id", "at"])
    people = sa.table("people", sa.column("person_id"), sa.column("roles"))
    held = [
        {
            "grant_id": str(uuid.uuid4()),
            "principal": person.person_id,
            "role": role["role"],
            "model": "",
            "since_at": role["since_at"],
            "granted_by": "unknown",
        }
        for person in op.get_bind().execute(sa.select(people.c.person_id, people.c.roles))
        for role in json.loads(person.roles)
    ]
    if held:
        op.bulk_insert(grants, held)
