"""Experiments and their tags."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from tenure.records.search import Comparison, Ordering
from tenure.records.tracking import Experiment, KeyValue
from tenure.store import conditions, driver, tables
from tenure.store.database import Transaction

COLUMN = tables.experiments.c
LARGEST_REMOVED = "largest_removed_experiment"
"""Where the greatest number of an experiment is kept that was removed for good."""


def insert(tx: Transaction, name: str, location: str | None, root: str, now_ms: int, identifier: int | None) -> int:
    """Add an experiment and return its number. Without a location its artifacts lie at `root` and its number.

    With a number that is there already nothing happens.
    """
    number = next_id(tx) if identifier is None else identifier
    driver.execute(
        tx,
        "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage, creation_time,"  # noqa: S608 - constants
        f" last_update_time) VALUES (?, ?, ?, 'active', ?, ?){'' if identifier is None else ' ON CONFLICT DO NOTHING'}",
        (number, name, location or f"{root}{number}", now_ms, now_ms),
    )
    return number


def next_id(tx: Transaction) -> int:
    """A number that no experiment has or had: SQLite alone would give that of the last one again once it is removed."""
    if tx.dialect.name == "postgresql":
        statement = "SELECT nextval(pg_get_serial_sequence('experiments', 'experiment_id'))"
        return int(driver.execute(tx, statement).fetchone()[0])
    found = driver.execute(
        tx,
        "SELECT MAX(COALESCE((SELECT MAX(experiment_id) FROM experiments), 0),"
        " COALESCE((SELECT CAST(value AS INTEGER) FROM settings_kept WHERE key = ?), 0)) + 1",
        (LARGEST_REMOVED,),
    )
    return int(found.fetchone()[0])


def get(tx: Transaction, identifier: int) -> Experiment | None:
    return _first(tx, COLUMN.experiment_id == identifier)


def get_by_name(tx: Transaction, name: str) -> Experiment | None:
    return _first(tx, COLUMN.name == name)


def stage_of(tx: Transaction, identifier: int) -> tuple[str, str] | None:
    """Lifecycle stage and artifact location of an experiment: all that a new run needs to know."""
    found = driver.execute(
        tx, "SELECT lifecycle_stage, artifact_location FROM experiments WHERE experiment_id = ?", (identifier,)
    ).fetchone()
    return (found[0], found[1]) if found else None


def update(tx: Transaction, identifier: int, now_ms: int, *, name: str | None = None, stage: str | None = None) -> bool:
    """Give an experiment another name or lifecycle stage. False when it is gone."""
    done = driver.execute(
        tx,
        "UPDATE experiments SET name = COALESCE(?, name), lifecycle_stage = COALESCE(?, lifecycle_stage),"
        " last_update_time = ? WHERE experiment_id = ?",
        (name, stage, now_ms, identifier),
    )
    return bool(done.rowcount)


def set_tags(tx: Transaction, identifier: int, tags: Iterable[tuple[str, str]]) -> None:
    driver.execute_many(
        tx,
        "INSERT INTO experiment_tags (experiment_id, key, value) VALUES (?, ?, ?)"
        " ON CONFLICT (experiment_id, key) DO UPDATE SET value = excluded.value",
        [(identifier, key, value) for key, value in tags],
    )


def delete_tag(tx: Transaction, identifier: int, key: str) -> bool:
    """Whether the tag was there."""
    done = driver.execute(tx, "DELETE FROM experiment_tags WHERE experiment_id = ? AND key = ?", (identifier, key))
    return bool(done.rowcount)


def search(
    tx: Transaction,
    comparisons: Sequence[Comparison],
    orderings: Sequence[Ordering],
    stages: Sequence[str],
    limit: int,
    offset: int,
) -> list[Experiment]:
    """Experiments of these lifecycle stages for which every comparison holds; by default the newest first."""
    query = sa.select(tables.experiments).where(COLUMN.lifecycle_stage.in_(stages))
    for one in comparisons:
        query = query.where(_condition(tx, one))
    order: list[Any] = []
    for item in orderings:
        order += conditions.ordered(COLUMN[item.key], ascending=item.ascending)
    order += [] if orderings else [COLUMN.creation_time.desc()]
    order += [COLUMN.experiment_id.asc()]
    return _with_tags(tx, tx.execute(query.order_by(*order).limit(limit).offset(offset)).all())


def _condition(tx: Transaction, one: Comparison) -> conditions.Condition:
    if one.entity == "tag":
        tags = tables.experiment_tags
        return conditions.keyed(tx, tags, tags.c.experiment_id == COLUMN.experiment_id, one)
    if one.key == "experiment_id":
        return conditions.compared(tx, sa.cast(COLUMN.experiment_id, sa.Text), one)
    return conditions.compared(tx, COLUMN[one.key], one)


def _first(tx: Transaction, condition: conditions.Condition) -> Experiment | None:
    found = _with_tags(tx, tx.execute(sa.select(tables.experiments).where(condition)).all())
    return found[0] if found else None


def _with_tags(tx: Transaction, rows: Sequence[Any]) -> list[Experiment]:
    tags = tables.experiment_tags
    found: dict[int, list[KeyValue]] = {row.experiment_id: [] for row in rows}
    query = sa.select(tags).where(tags.c.experiment_id.in_(list(found))).order_by(tags.c.key)
    for row in tx.execute(query) if found else ():
        found[row.experiment_id].append(KeyValue(key=row.key, value=row.value))
    return [
        Experiment(
            experiment_id=str(row.experiment_id),
            name=row.name,
            artifact_location=row.artifact_location,
            lifecycle_stage=row.lifecycle_stage,
            last_update_time=row.last_update_time,
            creation_time=row.creation_time,
            tags=found[row.experiment_id],
        )
        for row in rows
    ]
