"""Published policies with their guards, exceptions, the vault of protected attributes, proxy tests."""

import sqlalchemy as sa
from alembic import op

from tenure.store import guards

revision = "0009"
down_revision = "0008"


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=null)


def _version() -> sa.Column[int]:
    return sa.Column("version", sa.Integer(), autoincrement=False, nullable=False)


def _at(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def upgrade() -> None:
    op.create_table(
        "policies",
        _text("name"),
        _version(),
        _text("body"),
        _text("digest"),
        _text("published_by"),
        _at("published_at"),
        sa.PrimaryKeyConstraint("name", "version", name="pk_policies"),
    )
    op.create_table(
        "policy_withdrawals",
        _text("name"),
        _version(),
        _text("from_date"),
        _text("reason"),
        _text("withdrawn_by"),
        _at("withdrawn_at"),
        sa.PrimaryKeyConstraint("name", "version", name="pk_policy_withdrawals"),
    )
    op.create_table(
        "policy_drafts",
        _text("name"),
        _text("body"),
        _text("saved_by"),
        _at("saved_at"),
        sa.PrimaryKeyConstraint("name", name="pk_policy_drafts"),
    )
    op.create_table(
        "policy_exceptions",
        _text("exception_id"),
        _text("model"),
        _text("subject"),
        _text("state"),
        _text("body"),
        _at("requested_at"),
        sa.PrimaryKeyConstraint("exception_id", name="pk_policy_exceptions"),
    )
    op.create_index("ix_policy_exceptions_by_model", "policy_exceptions", ["model", "state"])
    op.create_table(
        "vault",
        _text("attribute"),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        _at("row_count"),
        _text("digest"),
        _text("put_by"),
        _at("put_at"),
        sa.PrimaryKeyConstraint("attribute", name="pk_vault"),
    )
    op.create_table(
        "proxy_tests",
        _text("test_id"),
        _text("model"),
        sa.Column("version", sa.Integer(), nullable=False),
        _text("attribute"),
        _text("body"),
        _at("made_at"),
        sa.PrimaryKeyConstraint("test_id", name="pk_proxy_tests"),
    )
    op.create_index("ix_proxy_tests_by_version", "proxy_tests", ["model", "version", "attribute"])
    for statement in guards.of_policies(op.get_bind().dialect.name):
        op.execute(statement)
