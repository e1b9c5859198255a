"""What the database itself does to keep the audit log append-only and published policies as they are.

Statements for the migrations. They hinder, they do not prove: whoever owns the database file can drop them. The proof
is the chain (`store.audit`) and its signed checkpoints, which are guarded likewise.
"""

from __future__ import annotations

APPEND_ONLY = "the audit log is append-only"
_FUNCTION = """CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$"""


def statements(dialect: str) -> list[str]:
    """The statements that guard the audit table, for `sqlite` or `postgresql`; each is to be run once."""
    return _sqlite("audit", APPEND_ONLY, "sequence") if dialect == "sqlite" else [_FUNCTION, *_postgres("audit")]


def of_checkpoints(dialect: str) -> list[str]:
    """The statements that guard the checkpoints, after those of the audit table."""
    return _sqlite("audit_checkpoints", APPEND_ONLY, "size") if dialect == "sqlite" else _postgres("audit_checkpoints")


def dropped(dialect: str) -> list[str]:
    """The statements that put the guards of the audit table aside, for a migration that adds a column to it."""
    if dialect == "sqlite":
        return [f"DROP TRIGGER audit_no_{what}" for what in ("replace", "update", "delete")]
    return ["ALTER TABLE audit DISABLE TRIGGER USER"]


def restored(dialect: str) -> list[str]:
    """The statements that put them back."""
    return (
        _sqlite("audit", APPEND_ONLY, "sequence") if dialect == "sqlite" else ["ALTER TABLE audit ENABLE TRIGGER USER"]
    )


IMMUTABLE = {"policies": "a published policy", "policy_withdrawals": "the withdrawal of a policy"}
"""Tables that take new rows and nothing else, each with what a row of it is. Both have the key (name, version)."""


def of_policies(dialect: str) -> list[str]:
    """The statements that keep published policies and their withdrawals as they are; each is to be run once."""
    made: list[str] = []
    for table, named in IMMUTABLE.items():
        why = f"{named} never changes"
        made += _sqlite(table, why, "name", "version") if dialect == "sqlite" else _postgres_guard(table, why)
    return made


def _sqlite(table: str, why: str, *keys: str) -> list[str]:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{why}'); END"
    same = " AND ".join(f"{key} = NEW.{key}" for key in keys)
    return [
        # REPLACE INTO deletes without firing a delete trigger on connections without recursive_triggers,
        # so an existing key is refused at insert already.
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "  # noqa: S608 - our own names
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) {refuse}",
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refuse}",
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}",
    ]


def _postgres(table: str) -> list[str]:
    return [
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION audit_is_append_only()",
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()",
    ]


def _postgres_guard(table: str, why: str) -> list[str]:
    return [
        f"CREATE FUNCTION {table}_never_change() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{why}'; END $$",
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_never_change()",
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_never_change()",
    ]
