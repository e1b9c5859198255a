"""What the database itself does to keep the audit log append-only: statements for the migration.

They hinder, they do not prove: whoever owns the database file can drop them. The proof is the chain (`store.audit`).
"""

from __future__ import annotations

_SQLITE = [
    # REPLACE INTO deletes without firing a delete trigger on connections without recursive_triggers,
    # so an existing sequence number is refused at insert already.
    "CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit "
    "WHEN EXISTS (SELECT 1 FROM audit WHERE sequence = NEW.sequence) "
    "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
    "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit "
    "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
    "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit "
    "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
]
_POSTGRES = [
    """CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$""",
    """CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit
FOR EACH ROW EXECUTE FUNCTION audit_is_append_only()""",
    """CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()""",
]


def statements(dialect: str) -> list[str]:
    """The statements that guard the audit table, for `sqlite` or `postgresql`; each is to be run once."""
    return list({"sqlite": _SQLITE, "postgresql": _POSTGRES}[dialect])
