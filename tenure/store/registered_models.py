"""Registered models, their tags and aliases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from tenure.records.registry import AliasInfo, RegisteredModelInfo
from tenure.records.search import Comparison, Ordering
from tenure.records.tracking import KeyValue
from tenure.store import conditions, driver, prompts, tables
from tenure.store.database import Transaction

COLUMN = tables.registered_models.c
NAMES = {"last_updated_timestamp": "last_updated_time"}
DECLARED = ("model_files", "cards", "profiles", "forms")
CHUNK = 500


def insert(tx: Transaction, name: str, description: str | None, now_ms: int) -> None:
    driver.execute(
        tx,
        "INSERT INTO registered_models (name, description, creation_time, last_updated_time) VALUES (?, ?, ?, ?)",
        (name, description, now_ms, now_ms),
    )


def get(tx: Transaction, name: str) -> RegisteredModelInfo | None:
    found = _whole(tx, tx.execute(sa.select(tables.registered_models).where(COLUMN.name == name)).all())
    return found[0] if found else None


def exists(tx: Transaction, name: str) -> bool:
    return driver.execute(tx, "SELECT 1 FROM registered_models WHERE name = ?", (name,)).fetchone() is not None


def list_all(tx: Transaction) -> list[RegisteredModelInfo]:
    """Every registered model by name, prompts left out."""
    return search(tx, [], [], limit=2**31, offset=0)


def touch(tx: Transaction, name: str, now_ms: int) -> None:
    """Say that something about a model changed now."""
    driver.execute(tx, "UPDATE registered_models SET last_updated_time = ? WHERE name = ?", (now_ms, name))


def describe(tx: Transaction, name: str, description: str, now_ms: int) -> None:
    driver.execute(
        tx,
        "UPDATE registered_models SET description = ?, last_updated_time = ? WHERE name = ?",
        (description, now_ms, name),
    )


def rename(tx: Transaction, name: str, new_name: str, now_ms: int) -> None:
    """Rename a model; its versions, tags and aliases follow, and so does what people declared about it."""
    driver.execute(
        tx, "UPDATE registered_models SET name = ?, last_updated_time = ? WHERE name = ?", (new_name, now_ms, name)
    )
    for table in DECLARED:
        driver.execute(tx, f"UPDATE {table} SET model = ? WHERE model = ?", (new_name, name))  # noqa: S608 - the names above


def delete(tx: Transaction, name: str) -> None:
    """Remove a model with its versions, tags and aliases, and what people declared about it.

    A later model of that name starts from nothing.
    """
    for table in DECLARED:
        driver.execute(tx, f"DELETE FROM {table} WHERE model = ?", (name,))  # noqa: S608 - the names above
    for table in (
        "version_files",
        "model_version_tags",
        "model_versions",
        "aliases",
        "registered_model_tags",
        "registered_models",
    ):
        driver.execute(tx, f"DELETE FROM {table} WHERE name = ?", (name,))  # noqa: S608 - the names above


def set_tags(tx: Transaction, name: str, tags: Iterable[tuple[str, str]]) -> None:
    driver.execute_many(
        tx,
        "INSERT INTO registered_model_tags (name, key, value) VALUES (?, ?, ?)"
        " ON CONFLICT (name, key) DO UPDATE SET value = excluded.value",
        [(name, key, value) for key, value in tags],
    )


def delete_tag(tx: Transaction, name: str, key: str) -> None:
    driver.execute(tx, "DELETE FROM registered_model_tags WHERE name = ? AND key = ?", (name, key))


def aliases(tx: Transaction, name: str) -> list[AliasInfo]:
    rows = driver.execute(tx, "SELECT alias, version FROM aliases WHERE name = ? ORDER BY alias", (name,))
    return [AliasInfo(alias=alias, version=version) for alias, version in rows.fetchall()]


def set_alias(tx: Transaction, name: str, alias: str, version: int) -> None:
    """Point an alias at a version, wherever it pointed before."""
    driver.execute(
        tx,
        "INSERT INTO aliases (name, alias, version) VALUES (?, ?, ?)"
        " ON CONFLICT (name, alias) DO UPDATE SET version = excluded.version",
        (name, alias, version),
    )


def delete_alias(tx: Transaction, name: str, alias: str) -> bool:
    """Whether the alias was there."""
    return bool(driver.execute(tx, "DELETE FROM aliases WHERE name = ? AND alias = ?", (name, alias)).rowcount)


def search(
    tx: Transaction, comparisons: Sequence[Comparison], orderings: Sequence[Ordering], *, limit: int, offset: int
) -> list[RegisteredModelInfo]:
    """Models for which every comparison holds, by name unless told otherwise.

    Prompts are left out unless a comparison asks about their mark.
    """
    tags = tables.registered_model_tags
    query = sa.select(tables.registered_models)
    comparisons, without_prompts = prompts.read(comparisons)
    if without_prompts:
        query = query.where(prompts.left_out(COLUMN.name))
    for one in comparisons:
        if one.entity == "attribute":
            query = query.where(conditions.compared(tx, COLUMN[NAMES.get(one.key, one.key)], one))
        else:
            query = query.where(conditions.keyed(tx, tags, tags.c.name == COLUMN.name, one))
    order: list[Any] = []
    for item in orderings:
        order += conditions.ordered(COLUMN[NAMES.get(item.key, item.key)], ascending=item.ascending)
    return _whole(tx, tx.execute(query.order_by(*order, COLUMN.name.asc()).limit(limit).offset(offset)).all())


def _whole(tx: Transaction, rows: Sequence[Any]) -> list[RegisteredModelInfo]:
    names = [row.name for row in rows]
    tags: dict[str, list[KeyValue]] = {name: [] for name in names}
    known: dict[str, list[AliasInfo]] = {name: [] for name in names}
    for start in range(0, len(names), CHUNK):
        part = names[start : start + CHUNK]
        tag = tables.registered_model_tags
        for row in tx.execute(sa.select(tag).where(tag.c.name.in_(part)).order_by(tag.c.key)):
            tags[row.name].append(KeyValue(key=row.key, value=row.value))
        alias = tables.aliases
        for row in tx.execute(sa.select(alias).where(alias.c.name.in_(part)).order_by(alias.c.alias)):
            known[row.name].append(AliasInfo(alias=row.alias, version=row.version))
    return [
        RegisteredModelInfo(
            name=row.name,
            description=row.description,
            created_at=row.creation_time * 1000,
            updated_at=row.last_updated_time * 1000,
            tags=tags[row.name],
            aliases=known[row.name],
        )
        for row in rows
    ]
