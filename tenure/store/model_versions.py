"""Versions of registered models, with the files that were pinned to them."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from tenure.records.registry import NewVersion, Pinned
from tenure.records.routing import PinnedFile
from tenure.records.search import Comparison, Ordering
from tenure.records.tracking import KeyValue
from tenure.store import conditions, driver, prompts, tables
from tenure.store.database import Transaction

COLUMN = tables.model_versions.c
NAMES = {
    "version_number": "version",
    "source_path": "source",
    "creation_timestamp": "creation_time",
    "last_updated_timestamp": "last_updated_time",
}
DELETED = "Deleted_Internal"
"""The stage of a deleted version. Its row stays, redacted, so that its number is not used again."""
REDACTED = "REDACTED"
CHUNK = 500
Row = Any
_Kept = namedtuple("_Kept", [column.name for column in COLUMN])  # type: ignore[misc]  # as the table says


def next_number(tx: Transaction, name: str) -> int:
    found = driver.execute(tx, "SELECT COALESCE(MAX(version), 0) + 1 FROM model_versions WHERE name = ?", (name,))
    return int(found.fetchone()[0])


def insert(tx: Transaction, new: NewVersion, number: int, pinned: Pinned, by: str, now_ms: int) -> None:
    driver.execute(
        tx,
        "INSERT INTO model_versions (name, version, description, user_id, current_stage, source, storage_location,"
        " run_id, run_link, model_id, status, creation_time, last_updated_time, state, digest, signature)"
        " VALUES (?, ?, ?, ?, 'None', ?, ?, ?, ?, ?, 'READY', ?, ?, 'registered', ?, ?)",
        (
            new.name,
            number,
            new.description,
            by,
            new.source,
            new.storage_location,
            new.run_id,
            new.run_link,
            new.model_id,
            now_ms,
            now_ms,
            pinned.digest or None,
            pinned.signature,
        ),
    )
    driver.execute_many(
        tx,
        "INSERT INTO version_files (name, version, path, size_bytes, sha256) VALUES (?, ?, ?, ?, ?)",
        [(new.name, number, file.path, file.size_bytes, file.sha256) for file in pinned.files],
    )


def get(tx: Transaction, name: str, number: int) -> Row | None:
    """The row of a version that was not deleted."""
    row = driver.execute(
        tx,
        f"SELECT {', '.join(_Kept._fields)} FROM model_versions"  # noqa: S608 - the table's columns
        f" WHERE name = ? AND version = ? AND current_stage != '{DELETED}'",
        (name, number),
    ).fetchone()
    return _Kept(*row) if row else None


def registered_ms(tx: Transaction, name: str, number: int) -> int | None:
    """When a version was registered, deleted or not; None when its number was never used."""
    statement = "SELECT creation_time FROM model_versions WHERE name = ? AND version = ?"
    found = driver.execute(tx, statement, (name, number)).fetchone()
    return int(found[0]) if found else None


def of_model(tx: Transaction, name: str) -> list[Row]:
    """Every version of a model that was not deleted, the newest first."""
    query = sa.select(tables.model_versions).where(COLUMN.name == name, COLUMN.current_stage != DELETED)
    return list(tx.execute(query.order_by(COLUMN.version.desc())).all())


def latest(tx: Transaction, names: Sequence[str]) -> list[Row]:
    """The newest version of every stage that has one, of each of these models."""
    found: list[Row] = []
    for start in range(0, len(names), CHUNK):
        newest = (
            sa.select(COLUMN.name.label("model"), sa.func.max(COLUMN.version).label("newest"))
            .where(COLUMN.name.in_(names[start : start + CHUNK]), COLUMN.current_stage != DELETED)
            .group_by(COLUMN.name, COLUMN.current_stage)
            .subquery()
        )
        is_newest = sa.and_(COLUMN.name == newest.c.model, COLUMN.version == newest.c.newest)
        query = sa.select(tables.model_versions).join(newest, is_newest)
        found += tx.execute(query.order_by(COLUMN.name, COLUMN.version)).all()
    return found


def search(
    tx: Transaction, comparisons: Sequence[Comparison], orderings: Sequence[Ordering], *, limit: int, offset: int
) -> list[Row]:
    """Rows of versions for which every comparison holds, by default the latest changed first.

    Versions of prompts are left out unless a comparison asks about their mark.
    """
    tags = tables.model_version_tags
    owned = sa.and_(tags.c.name == COLUMN.name, tags.c.version == COLUMN.version)
    query = sa.select(tables.model_versions).where(COLUMN.current_stage != DELETED)
    comparisons, without_prompts = prompts.read(comparisons)
    if without_prompts:
        query = query.where(prompts.left_out(COLUMN.name))
    for one in comparisons:
        if one.entity == "attribute":
            query = query.where(conditions.compared(tx, COLUMN[NAMES.get(one.key, one.key)], one))
        else:
            query = query.where(conditions.keyed(tx, tags, owned, one))
    order: list[Any] = []
    for item in orderings:
        order += conditions.ordered(COLUMN[NAMES.get(item.key, item.key)], ascending=item.ascending)
    if not orderings:
        order.append(COLUMN.last_updated_time.desc())
    order += [COLUMN.name.asc(), COLUMN.version.desc()]
    return list(tx.execute(query.order_by(*order).limit(limit).offset(offset)).all())


def update(
    tx: Transaction,
    name: str,
    number: int,
    now_ms: int,
    *,
    description: str | None = None,
    stage: str | None = None,
    state: str | None = None,
) -> None:
    """Change what is given and leave the rest."""
    driver.execute(
        tx,
        "UPDATE model_versions SET description = COALESCE(?, description), current_stage = COALESCE(?, current_stage),"
        " state = COALESCE(?, state), last_updated_time = ? WHERE name = ? AND version = ?",
        (description, stage, state, now_ms, name, number),
    )


def in_stage(tx: Transaction, name: str, stage: str) -> list[int]:
    rows = driver.execute(
        tx, "SELECT version FROM model_versions WHERE name = ? AND current_stage = ? ORDER BY version", (name, stage)
    )
    return [row[0] for row in rows.fetchall()]


def redact(tx: Transaction, name: str, number: int, now_ms: int) -> None:
    """Keep the number of a deleted version, and nothing else a client told about it."""
    driver.execute(
        tx,
        "UPDATE model_versions SET current_stage = ?, description = NULL, user_id = ?, source = ?, run_id = NULL,"
        " run_link = NULL, model_id = NULL, storage_location = NULL, status_message = NULL, last_updated_time = ?"
        " WHERE name = ? AND version = ?",
        (DELETED, REDACTED, REDACTED, now_ms, name, number),
    )
    driver.execute(tx, "DELETE FROM model_version_tags WHERE name = ? AND version = ?", (name, number))
    driver.execute(tx, "DELETE FROM aliases WHERE name = ? AND version = ?", (name, number))


def set_tags(tx: Transaction, name: str, number: int, tags: Iterable[tuple[str, str]]) -> None:
    driver.execute_many(
        tx,
        "INSERT INTO model_version_tags (name, version, key, value) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (name, version, key) DO UPDATE SET value = excluded.value",
        [(name, number, key, value) for key, value in tags],
    )


def delete_tag(tx: Transaction, name: str, number: int, key: str) -> None:
    driver.execute(tx, "DELETE FROM model_version_tags WHERE name = ? AND version = ? AND key = ?", (name, number, key))


def files(tx: Transaction, name: str, number: int) -> list[PinnedFile]:
    rows = driver.execute(
        tx,
        "SELECT path, size_bytes, sha256 FROM version_files WHERE name = ? AND version = ? ORDER BY path",
        (name, number),
    )
    return [PinnedFile(path=path, size_bytes=size, sha256=sha256) for path, size, sha256 in rows.fetchall()]


def tags_and_aliases(
    tx: Transaction, names: Sequence[str]
) -> tuple[dict[tuple[str, int], list[KeyValue]], dict[tuple[str, int], list[str]]]:
    """Tags and aliases of every version of these models, by (name, version)."""
    tags: dict[tuple[str, int], list[KeyValue]] = {}
    known: dict[tuple[str, int], list[str]] = {}
    for start in range(0, len(names), CHUNK):
        part = names[start : start + CHUNK]
        tag = tables.model_version_tags
        for row in tx.execute(sa.select(tag).where(tag.c.name.in_(part)).order_by(tag.c.key)):
            tags.setdefault((row.name, row.version), []).append(KeyValue(key=row.key, value=row.value))
        alias = tables.aliases
        for row in tx.execute(sa.select(alias).where(alias.c.name.in_(part)).order_by(alias.c.alias)):
            known.setdefault((row.name, row.version), []).append(row.alias)
    return tags, known


def pins(tx: Transaction, places: dict[str, list[str]]) -> tuple[str, int] | None:
    """A version to which a file is pinned. `places`: the locations above the files, each with their paths below it."""
    locations = list(places)
    for start in range(0, len(locations), CHUNK):
        part = locations[start : start + CHUNK]
        found = driver.execute(
            tx,
            "SELECT name, version, storage_location FROM model_versions"  # noqa: S608 - places
            f" WHERE storage_location IN ({driver.marks(len(part))})",
            part,
        ).fetchall()
        for name, version, location in found:
            if _has_one_of(tx, name, version, places[location]):
                return name, version
    return None


def _has_one_of(tx: Transaction, name: str, version: int, paths: list[str]) -> bool:
    for start in range(0, len(paths), CHUNK):
        part = paths[start : start + CHUNK]
        pinned = driver.execute(
            tx,
            "SELECT 1 FROM version_files WHERE name = ? AND version = ?"  # noqa: S608 - places
            f" AND path IN ({driver.marks(len(part))}) LIMIT 1",
            (name, version, *part),
        )
        if pinned.fetchone():
            return True
    return False
