"""What the database itself does to keep the audit log append-only and published policies as they are: statements for
the migrations.

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


IMMUTABLE = {"policies": "a published policy", "policy_withdrawals": "the withdrawal of a policy"}
"""Tables that take new rows and nothing else, each with what a row of it is. Both have the key (name, version)."""


def of_policies(dialect: str) -> list[str]:
    """The statements that keep published policies and their withdrawals as they are; each is to be run once."""
    made = _sqlite_guard if dialect == "sqlite" else _postgres_guard
    return [statement for table, named in IMMUTABLE.items() for statement in made(table, f"{named} never changes")]


def _sqlite_guard(table: str, why: str) -> list[str]:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{why}'); END"
    same = f"SELECT 1 FROM {table} WHERE name = NEW.name AND version = NEW.version"  # noqa: S608  names of ours
    return [
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN EXISTS ({same}) {refuse}",
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refuse}",
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}",
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
