"""All migrations together make today's tables, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from tenure.errors import CannotStart
from tenure.records.tracking import MetricPoint
from tenure.store import driver, metrics, migrate, tables
from tenure.store.database import Database, Transaction
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


def test_a_new_database_is_one_that_went_through_all_migrations(tmp_path: Path) -> None:
    made, migrated = (Database(f"sqlite:///{tmp_path / name}.db") for name in ("made", "migrated"))
    migrate.to_newest(made)
    migrate.upgrade(migrated, "head")

    def described(database: Database) -> dict[str, object]:
        inspector = sa.inspect(database.engine)
        named = sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name")
        triggers = [tuple(row) for row in database.read(lambda tx: tx.execute(named).all())]
        about = {
            name: (
                [(column["name"], str(column["type"]), column["nullable"]) for column in inspector.get_columns(name)],
                inspector.get_pk_constraint(name)["constrained_columns"],
                sorted(index["name"] or "" for index in inspector.get_indexes(name)),
                sorted(tuple(unique["column_names"]) for unique in inspector.get_unique_constraints(name)),
                sorted(
                    (tuple(key["constrained_columns"]), key["referred_table"])
                    for key in inspector.get_foreign_keys(name)
                ),
            )
            for name in inspector.get_table_names()
        }
        return {**about, "triggers": triggers}

    assert described(made) == described(migrated)
    version = sa.text("SELECT version_num FROM alembic_version")
    assert made.read(lambda tx: tx.scalar(version)) == migrated.read(lambda tx: tx.scalar(version)) == migrate.HEAD
    made.close()
    migrated.close()


def test_migrating_twice_changes_nothing(each_ground: Ground) -> None:
    migrate.to_newest(each_ground.database)
    with each_ground.database.engine.connect() as connection:
        assert connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars().all() == [migrate.HEAD]


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_metric_points_keep_their_values_when_they_move_to_series(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path / 'before.db'}"
    if kind == "postgres":
        url = request.getfixturevalue("emptied_postgres")()
        empty = Database(url)
        empty.write(lambda tx: tx.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public"))
        empty.close()
    database = Database(url)
    migrate.upgrade(database, "0002")
    values = [0.5, float("inf"), None, -0.0]

    def fill(tx: Transaction) -> None:
        tx.exec_driver_sql(
            "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage, creation_time,"
            " last_update_time) VALUES (7, 'e', '', 'active', 1, 1)"
        )
        tx.exec_driver_sql(
            "INSERT INTO runs (run_id, experiment_id, name, user_id, status, start_time, artifact_uri,"
            " lifecycle_stage) VALUES ('r', 7, 'n', '', 'RUNNING', 1, '', 'active')"
        )
        for step, value in enumerate(values):
            point = ("r", "loss", 5, step, repr(value), value)
            statement = "INSERT INTO metrics (run_id, key, timestamp, step, identity, value) VALUES (?, ?, ?, ?, ?, ?)"
            driver.execute(tx, statement, point)
        latest = "INSERT INTO latest_metrics (run_id, key, value, timestamp, step) VALUES (?, ?, ?, ?, ?)"
        driver.execute(tx, latest, ("r", "loss", values[-1], 5, len(values) - 1))

    database.write(fill)
    migrate.to_newest(database)
    told = [point.value for point in database.read(lambda tx: metrics.history(tx, "r", "loss", None, 0))]
    assert told == [0.5, "Infinity", "NaN", 0.0]
    again = [MetricPoint(key="loss", value=float("nan"), timestamp=5, step=2)]
    database.write(lambda tx: metrics.add(tx, "r", again))
    assert database.read(lambda tx: metrics.count(tx, "r")) == (4, 1), "the same point is known again"
    database.close()


def test_a_database_of_a_newer_release_is_not_touched(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'newer.db'}")
    migrate.to_newest(database)
    database.write(lambda tx: tx.execute(sa.text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(CannotStart, match="newer Tenure"):
        migrate.to_newest(database)
    database.close()


def test_every_text_is_in_the_order_of_its_bytes(each_ground: Ground) -> None:
    """Whatever language a Postgres was made for; SQLite knows no other order."""
    if each_ground.database.is_sqlite:
        return
    with each_ground.database.engine.connect() as connection:
        others = connection.execute(
            sa.text(
                "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
                " AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'"
            )
        )
        assert others.all() == []
