"""All migrations together make today's tables, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from tenure.errors import CannotStart
from tenure.store import migrate, tables
from tenure.store.database import Database
from tenure.store.ground import Ground


def test_migrations_make_todays_tables(each_ground: Ground) -> None:
    with each_ground.database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []


def test_migrations_make_the_same_columns_as_the_tables(each_ground: Ground, tmp_path: Path) -> None:
    """What Alembic does not compare by itself: nullability, keys, and the order of columns."""
    other = sa.create_engine(f"sqlite:///{tmp_path / 'declared.db'}")
    tables.metadata.create_all(other)
    declared, migrated = sa.inspect(other), sa.inspect(each_ground.database.engine)
    for name in tables.metadata.tables:
        columns = [(column["name"], column["nullable"]) for column in declared.get_columns(name)]
        assert [(column["name"], column["nullable"]) for column in migrated.get_columns(name)] == columns, name
        key = declared.get_pk_constraint(name)["constrained_columns"]
        assert migrated.get_pk_constraint(name)["constrained_columns"] == key, name
    other.dispose()


def test_migrating_twice_changes_nothing(each_ground: Ground) -> None:
    migrate.to_newest(each_ground.database)
    with each_ground.database.engine.connect() as connection:
        assert connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars().all() == [migrate.HEAD]


def test_a_database_of_a_newer_release_is_not_touched(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'newer.db'}")
    migrate.to_newest(database)
    database.write(lambda tx: tx.execute(sa.text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(CannotStart, match="newer Tenure"):
        migrate.to_newest(database)
    database.close()
