"""What the database itself does to keep the audit log append-only: statements for the migrations.

They hinder, they do not prove: whoever owns the database file can drop them. The proof is the chain (`store.audit`)
and its signed checkpoints, which are guarded likewise.
"""

from __future__ import annotations

_FUNCTION = """CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$"""


def statements(dialect: str) -> list[str]:
    """The statements that guard the audit table, for `sqlite` or `postgresql`; each is to be run once."""
    return _sqlite("audit", "sequence") if dialect == "sqlite" else [_FUNCTION, *_postgres("audit")]


def of_checkpoints(dialect: str) -> list[str]:
    """The statements that guard the checkpoints, after those of the audit table."""
    return _sqlite("audit_checkpoints", "size") if dialect == "sqlite" else _postgres("audit_checkpoints")


def dropped(dialect: str) -> list[str]:
    """The statements that put the guards of the audit table aside, for a migration that adds a column to it."""
    if dialect == "sqlite":
        return [f"DROP TRIGGER audit_no_{what}" for what in ("replace", "update", "delete")]
    return ["ALTER TABLE audit DISABLE TRIGGER USER"]


def restored(dialect: str) -> list[str]:
    """The statements that put them back."""
    return _sqlite("audit", "sequence") if dialect == "sqlite" else ["ALTER TABLE audit ENABLE TRIGGER USER"]


def _sqlite(table: str, key: str) -> list[str]:
    refused = "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
    return [
        # REPLACE INTO deletes without firing a delete trigger on connections without recursive_triggers,
        # so an existing key is refused at insert already.
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "  # noqa: S608 - our own names
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key}) {refused}",
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refused}",
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refused}",
    ]


def _postgres(table: str) -> list[str]:
    return [
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION audit_is_append_only()",
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()",
    ]
