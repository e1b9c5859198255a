"""What was imported from which source, and how much of it is here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from tenure.records.imports import Counts, Known, Said
from tenure.store import driver
from tenure.store.database import Transaction

_said = msgspec.json.Decoder(Said)
COUNTED = {
    "run": (
        ("params", "params", "run_id"),
        ("tags", "tags", "run_id"),
        ("points", "latest_metrics JOIN metrics USING (series_id)", "run_id"),
        ("latest", "latest_metrics", "run_id"),
        ("inputs", "run_inputs", "run_id"),
        ("inputs", "run_models", "run_id"),
    ),
    "experiment": (("tags", "experiment_tags", "experiment_id"),),
    "logged_model": (
        ("params", "logged_model_params", "model_id"),
        ("tags", "logged_model_tags", "model_id"),
        ("points", "logged_model_metrics", "model_id"),
    ),
    "registered_model": (("tags", "registered_model_tags", "name"), ("aliases", "aliases", "name")),
}
"""By kind of item: what is counted, in which table, by which column."""
OWNERS = {
    "run": ("runs", "run_id"),
    "experiment": ("experiments", "experiment_id"),
    "logged_model": ("logged_models", "model_id"),
    "registered_model": ("registered_models", "name"),
}


def known(tx: Transaction, source: str, kind: str, after: str, limit: int) -> list[Known]:
    """Items of a kind by source id, from behind `after`."""
    rows = driver.execute(
        tx,
        "SELECT source_id, target_id, state, said FROM imported WHERE source = ? AND kind = ? AND source_id > ?"
        " ORDER BY source_id LIMIT ?",
        (source, kind, after, limit),
    ).fetchall()
    return [
        Known(source_id=one, target_id=target, state=state, said=_said.decode(said) if said else None)
        for one, target, state, said in rows
    ]


def targets(tx: Transaction, source: str, kind: str, source_ids: Sequence[str]) -> dict[str, str]:
    """What these items are called here; those that were never begun are left out."""
    if not source_ids:
        return {}
    statement = (
        "SELECT source_id, target_id FROM imported WHERE source = ? AND kind = ?"  # noqa: S608 - places
        f" AND source_id IN ({driver.marks(len(source_ids))})"
    )
    return dict(driver.execute(tx, statement, (source, kind, *source_ids)).fetchall())


def begin(tx: Transaction, source: str, kind: str, items: Iterable[tuple[str, str]], now: int) -> None:
    """Note (source id, target id) of items that are being moved."""
    driver.execute_many(
        tx,
        "INSERT INTO imported (source, kind, source_id, target_id, state, said, at)"
        " VALUES (?, ?, ?, ?, 'begun', NULL, ?) ON CONFLICT (source, kind, source_id)"
        " DO UPDATE SET target_id = excluded.target_id, state = 'begun', at = excluded.at",
        [(source, kind, one, target, now) for one, target in items],
    )


def finish(tx: Transaction, source: str, kind: str, items: Iterable[tuple[str, Said]], now: int) -> None:
    """Note that everything of these items has arrived."""
    driver.execute_many(
        tx,
        "UPDATE imported SET state = 'done', said = ?, at = ? WHERE source = ? AND kind = ? AND source_id = ?",
        [(msgspec.json.encode(said).decode(), now, source, kind, one) for one, said in items],
    )


def counts(tx: Transaction, kind: str, targets_: Mapping[str, str]) -> dict[str, Counts]:
    """What is here of each item, by source id; those that are not here are left out."""
    table, key = OWNERS[kind]
    numeric = kind == "experiment"
    ids = [int(one) if numeric else one for one in targets_.values()]
    if not ids:
        return {}
    places = f"({driver.marks(len(ids))})"
    there = driver.execute(tx, f"SELECT {key} FROM {table} WHERE {key} IN {places}", ids)  # noqa: S608 - names from above
    found: dict[str, dict[str, int]] = {str(row[0]): {} for row in there.fetchall()}
    for what, counted, column in COUNTED[kind]:
        statement = f"SELECT {column}, COUNT(*) FROM {counted} WHERE {column} IN {places} GROUP BY {column}"  # noqa: S608 - names from above
        for who, number in driver.execute(tx, statement, ids).fetchall():
            of_one = found.setdefault(str(who), {})
            of_one[what] = of_one.get(what, 0) + number
    return {one: Counts(**found[target]) for one, target in targets_.items() if target in found}


def versions(tx: Transaction, targets_: Mapping[str, str], apart: str) -> tuple[dict[str, Counts], dict[str, str]]:
    """What is here of each version, and where the files of those lie that have a folder of their own, below `apart`."""
    found: dict[str, Counts] = {}
    places: dict[str, str] = {}
    for one, target in targets_.items():
        name, _, number = target.rpartition("/")
        row = driver.execute(
            tx,
            "SELECT v.storage_location, (SELECT COUNT(*) FROM model_version_tags t WHERE t.name = v.name"
            " AND t.version = v.version) FROM model_versions v WHERE v.name = ? AND v.version = ?",
            (name, int(number)),
        ).fetchone()
        if row is not None:
            found[one] = Counts(tags=row[1])
            if row[0] and row[0].startswith(apart):
                places[target] = row[0]
    return found, places


def locations(tx: Transaction, kind: str, ids: Sequence[str]) -> dict[str, str]:
    """Where the artifacts of runs or logged models lie."""
    if not ids:
        return {}
    table, key = OWNERS[kind]
    column = "artifact_uri" if kind == "run" else "artifact_location"
    statement = f"SELECT {key}, {column} FROM {table} WHERE {key} IN ({driver.marks(len(ids))})"  # noqa: S608 - names from above
    return dict(driver.execute(tx, statement, tuple(ids)).fetchall())


def experiments_of(tx: Transaction, kind: str, ids: Sequence[str]) -> dict[str, int]:
    """The experiments that runs or logged models belong to."""
    if not ids:
        return {}
    table, key = OWNERS[kind]
    statement = f"SELECT {key}, experiment_id FROM {table} WHERE {key} IN ({driver.marks(len(ids))})"  # noqa: S608 - names from above
    return dict(driver.execute(tx, statement, tuple(ids)).fetchall())
