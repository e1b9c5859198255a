"""Brings a database to today's tables. Migrations are forward only: add first, remove a release later."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from tenure.errors import CannotStart
from tenure.store import guards, tables
from tenure.store.database import Database

FOLDER = Path(__file__).parent / "migrations"
GUARDS = (guards.statements, guards.of_checkpoints, guards.of_policies)
HEAD = max(path.name[:4] for path in (FOLDER / "versions").glob("[0-9]*.py"))
MIGRATION_LOCK = 0x7E40_0001


def is_newest(database: Database) -> bool:
    return _version(database) == HEAD


def to_newest(database: Database) -> None:
    """Run the migrations that a database has not seen yet; one process at a time.

    An empty SQLite gets today's tables at once: to load Alembic and to walk through every migration takes 0.3 s, a
    quarter of a first start.
    """
    version = _version(database)
    if version is None and database.is_sqlite and _is_empty(database):
        _make(database)
    elif version != HEAD:
        upgrade(database, "head")


def _is_empty(database: Database) -> bool:
    with database.engine.connect() as connection:
        return not sa.inspect(connection).get_table_names()


def _make(database: Database) -> None:
    """Today's tables, as all migrations together make them; a test holds the two against each other."""
    versions = sa.Table("alembic_version", sa.MetaData(), sa.Column("version_num", sa.String(32), primary_key=True))
    with database.engine.begin() as connection:
        tables.metadata.create_all(connection)
        versions.create(connection)
        for statement in (part for made in GUARDS for part in made("sqlite")):
            connection.exec_driver_sql(statement)
        connection.execute(sa.insert(versions).values(version_num=HEAD))


def upgrade(database: Database, revision: str) -> None:
    """Run the migrations up to a revision."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    with database.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def _version(database: Database) -> str | None:
    """The newest migration that the database has seen; None for an empty one."""
    with database.engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    if found is not None and found > HEAD:
        raise CannotStart(
            f"The database was migrated by a newer Tenure (its version is {found}, this one knows {HEAD}). "
            "Start that release, or restore a backup."
        )
    return found
