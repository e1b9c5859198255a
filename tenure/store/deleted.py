"""Runs, logged models and experiments that were deleted: which, what keeps them, and their removal.

Removal begins with a mark (the stage `gone`) that hides a row from everybody and that no restore takes back. Then the
files go, then the rows: whatever breaks off, the marked row still says what is to be finished.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from tenure.store import driver, settings_kept, tables
from tenure.store.database import Transaction
from tenure.store.experiments import LARGEST_REMOVED
from tenure.store.model_versions import DELETED
from tenure.store.runs import GONE

RUN_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
DUE_RUN = "((r.lifecycle_stage = 'deleted' AND COALESCE(r.deleted_time, 0) <= ?) OR r.lifecycle_stage = 'gone')"
DUE_MODEL = (
    "((m.lifecycle_stage = 'deleted' AND m.last_update_time <= ?) OR m.lifecycle_stage = 'gone'"
    " OR (e.lifecycle_stage = 'deleted' AND e.last_update_time <= ?))"
)
FEW = 1000
EVIDENCE = (
    ("retraining_runs", "steps"),
    ("retraining_runs", "dossier"),
    ("jobs", "payload"),
    ("jobs", "result"),
    ("changes", "body"),
    ("gate_evaluations", "body"),
    ("cards", "body"),
)
"""Where governance writes down what it decided by."""


class DeletedRow(NamedTuple):
    """A deleted run or logged model."""

    id: str
    name: str
    experiment_id: int
    deleted_ms: int
    location: str
    stage: str


def runs(
    tx: Transaction, due_ms: int, after: str, limit: int, experiment_id: int | None, ids: Sequence[str]
) -> list[DeletedRow]:
    """Runs that were deleted by then, or whose removal broke off, by id from behind `after`."""
    more, values = _chosen("r.run_id", experiment_id, ids, "r")
    rows = driver.execute(
        tx,
        "SELECT r.run_id, r.name, r.experiment_id, COALESCE(r.deleted_time, 0), r.artifact_uri, r.lifecycle_stage"  # noqa: S608 - names from here
        f" FROM runs r WHERE {DUE_RUN} AND r.run_id > ?{more} ORDER BY r.run_id LIMIT ?",
        (due_ms, after, *values, limit),
    )
    return [DeletedRow(*row) for row in rows.fetchall()]


def logged_models(
    tx: Transaction, due_ms: int, after: str, limit: int, experiment_id: int | None, ids: Sequence[str]
) -> list[DeletedRow]:
    """Logged models that were deleted by then, by themselves or with their experiment, by id from behind `after`."""
    more, values = _chosen("m.model_id", experiment_id, ids, "m")
    rows = driver.execute(
        tx,
        "SELECT m.model_id, m.name, m.experiment_id, m.last_update_time, m.artifact_location, m.lifecycle_stage"  # noqa: S608 - names from here
        " FROM logged_models m JOIN experiments e ON e.experiment_id = m.experiment_id"
        f" WHERE {DUE_MODEL} AND m.model_id > ?{more} ORDER BY m.model_id LIMIT ?",
        (due_ms, due_ms, after, *values, limit),
    )
    return [DeletedRow(*row) for row in rows.fetchall()]


def experiments(tx: Transaction, due_ms: int, experiment_id: int | None) -> list[tuple[int, str, int]]:
    """Experiments that were deleted by then: number, name and when."""
    more, values = ("", ()) if experiment_id is None else (" AND e.experiment_id = ?", (experiment_id,))
    rows = driver.execute(
        tx,
        "SELECT e.experiment_id, e.name, e.last_update_time FROM experiments e"  # noqa: S608 - names from here
        f" WHERE e.lifecycle_stage = 'deleted' AND e.last_update_time <= ?{more} ORDER BY e.experiment_id",
        (due_ms, *values),
    )
    return [tuple(row) for row in rows.fetchall()]


def young(tx: Transaction, experiment_id: int, due_ms: int) -> int:
    """How many runs and logged models of an experiment are not due: alive, or deleted since."""
    found = driver.execute(
        tx,
        "SELECT (SELECT COUNT(*) FROM runs r WHERE r.experiment_id = ?"  # noqa: S608 - names from above
        f" AND NOT {DUE_RUN}) + (SELECT COUNT(*) FROM logged_models m JOIN experiments e"
        f" ON e.experiment_id = m.experiment_id WHERE m.experiment_id = ? AND NOT {DUE_MODEL})",
        (experiment_id, due_ms, experiment_id, due_ms, due_ms),
    )
    return int(found.fetchone()[0])


def later(tx: Transaction, due_ms: int) -> int:
    """How many runs and experiments were deleted since then."""
    found = driver.execute(
        tx,
        "SELECT (SELECT COUNT(*) FROM runs WHERE lifecycle_stage = 'deleted' AND COALESCE(deleted_time, 0) > ?)"
        " + (SELECT COUNT(*) FROM experiments WHERE lifecycle_stage = 'deleted' AND last_update_time > ?)"
        " + (SELECT COUNT(*) FROM logged_models WHERE lifecycle_stage = 'deleted' AND last_update_time > ?)",
        (due_ms, due_ms, due_ms),
    )
    return int(found.fetchone()[0])


def points(tx: Transaction, run_ids: Sequence[str]) -> dict[str, int]:
    """How many metric points runs have."""
    if not run_ids:
        return {}
    rows = driver.execute(
        tx,
        "SELECT run_id, COUNT(*) FROM latest_metrics JOIN metrics USING (series_id)"  # noqa: S608 - places
        f" WHERE run_id IN ({driver.marks(len(run_ids))}) GROUP BY run_id",
        run_ids,
    )
    return dict(rows.fetchall())


def pinned(tx: Transaction, kind: str, rows: Sequence[DeletedRow]) -> dict[str, str]:
    """Which of these a registered version needs, as id → version: it came from there, or its files lie there."""
    found: dict[str, str] = {}
    models = "SELECT model_id FROM logged_models WHERE source_run_id = ?"
    of = f"v.run_id = ? OR v.model_id IN ({models})" if kind == "run" else "v.model_id = ?"
    for row in rows:
        ids = (row.id, row.id) if kind == "run" else (row.id,)
        version = driver.execute(
            tx,
            f"SELECT v.name, v.version FROM model_versions v WHERE v.current_stage != '{DELETED}' AND ({of}"  # noqa: S608 - names from here
            " OR v.storage_location = ? OR (v.storage_location > ? AND v.storage_location < ?)) LIMIT 1",
            (*ids, row.location, f"{row.location}/", f"{row.location}0"),  # '0' is what follows '/'
        ).fetchone()
        if version is not None:
            found[row.id] = f"{version[0]}/{version[1]}"
    return found


def evidence(tx: Transaction) -> frozenset[str]:
    """Ids of runs and logged models that governance refers to in what it keeps."""
    found: set[str] = set()
    for table, column in EVIDENCE:
        for (text,) in driver.execute(tx, f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL"):  # noqa: S608 - names from above
            for identifier in RUN_ID.findall(text):
                found.add(identifier)
                found.add(f"m-{identifier}")
    return frozenset(found)


def mark(tx: Transaction, kind: str, ids: Sequence[str], due_ms: int) -> list[str]:
    """Mark those of these that are still deleted and due: nobody sees them from now on. Returns the newly marked."""
    if not ids:
        return []
    places = driver.marks(len(ids))
    if kind == "run":
        statement = (
            f"UPDATE runs SET lifecycle_stage = '{GONE}' WHERE run_id IN ({places})"  # noqa: S608 - places
            " AND lifecycle_stage = 'deleted' AND COALESCE(deleted_time, 0) <= ? RETURNING run_id"
        )
        return [row[0] for row in driver.execute(tx, statement, (*ids, due_ms)).fetchall()]
    statement = (
        f"UPDATE logged_models SET lifecycle_stage = '{GONE}' WHERE model_id IN ({places})"  # noqa: S608 - places
        f" AND lifecycle_stage != '{GONE}' AND ((lifecycle_stage = 'deleted' AND last_update_time <= ?)"
        " OR experiment_id IN (SELECT experiment_id FROM experiments WHERE lifecycle_stage = 'deleted'"
        " AND last_update_time <= ?)) RETURNING model_id"
    )
    return [row[0] for row in driver.execute(tx, statement, (*ids, due_ms, due_ms)).fetchall()]


def unmark(tx: Transaction, kind: str, ids: Sequence[str]) -> None:
    """Take the mark back, from what somebody registered a version of at that very moment."""
    table, key = ("runs", "run_id") if kind == "run" else ("logged_models", "model_id")
    driver.execute(
        tx,
        f"UPDATE {table} SET lifecycle_stage = 'deleted' WHERE lifecycle_stage = '{GONE}'"  # noqa: S608 - names from here
        f" AND {key} IN ({driver.marks(len(ids))})",
        ids,
    )


def remove_points(tx: Transaction, run_id: str, limit: int) -> int:
    """Remove at most so many metric points of a run, and return how many."""
    place = "series_id, step, timestamp, identity"
    done = driver.execute(
        tx,
        f"DELETE FROM metrics WHERE ({place}) IN (SELECT {place} FROM metrics WHERE series_id IN"  # noqa: S608 - names from here
        " (SELECT series_id FROM latest_metrics WHERE run_id = ?) LIMIT ?)",
        (run_id, limit),
    )
    return int(done.rowcount)


def remove_run(tx: Transaction, run_id: str) -> bool:
    """Remove a marked run with all that refers to it, its points having gone before; whether it was there."""
    remove_points(tx, run_id, FEW)
    return _remove(tx, tables.runs, "run_id", run_id)


def remove_logged_model(tx: Transaction, model_id: str) -> bool:
    """Remove a marked logged model, also from the runs that read or made it; whether it was there."""
    removed = _remove(tx, tables.logged_models, "model_id", model_id)
    if removed:
        driver.execute(tx, "DELETE FROM run_models WHERE model_id = ?", (model_id,))
    return removed


def _remove(tx: Transaction, table: sa.Table, key: str, identifier: str) -> bool:
    marked = driver.execute(
        tx,
        f"SELECT 1 FROM {table.name} WHERE {key} = ? AND lifecycle_stage = '{GONE}'",  # noqa: S608 - names of ours
        (identifier,),
    ).fetchone()
    if marked is None:
        return False
    for child, column in _children(table):
        driver.execute(tx, f"DELETE FROM {child} WHERE {column} = ?", (identifier,))  # noqa: S608 - names of ours
    return bool(driver.execute(tx, f"DELETE FROM {table.name} WHERE {key} = ?", (identifier,)).rowcount)  # noqa: S608 - names of ours


def remove_experiment(tx: Transaction, number: int, due_ms: int) -> bool:
    """Remove an experiment that is deleted, due and empty; whether it was."""
    stage = "UPDATE experiments SET lifecycle_stage = ? WHERE experiment_id = ? AND lifecycle_stage = ?"
    held = driver.execute(tx, f"{stage} AND last_update_time <= ?", (GONE, number, "deleted", due_ms))
    if not held.rowcount:  # the row is ours from here on: who restores it now waits, and finds nothing
        return False
    full = "SELECT 1 FROM runs WHERE experiment_id = ? UNION ALL SELECT 1 FROM logged_models WHERE experiment_id = ?"
    if driver.execute(tx, f"{full} LIMIT 1", (number, number)).fetchone():
        driver.execute(tx, stage, ("deleted", number, GONE))
        return False
    largest = max(number, int(settings_kept.get(tx, LARGEST_REMOVED) or 0))
    settings_kept.put(tx, LARGEST_REMOVED, str(largest))
    for child, column in _children(tables.experiments):
        driver.execute(tx, f"DELETE FROM {child} WHERE {column} = ?", (number,))  # noqa: S608 - names of ours
    return bool(driver.execute(tx, "DELETE FROM experiments WHERE experiment_id = ?", (number,)).rowcount)


def _children(table: sa.Table) -> Iterator[tuple[str, str]]:
    """Tables that refer to this one, and by which column."""
    for other in tables.metadata.tables.values():
        for key in other.foreign_keys:
            if key.column.table is table and other is not table:
                yield other.name, key.parent.name


def owners(tx: Transaction, kind: str, ids: Sequence[str]) -> set[str]:
    """Which of these runs or logged models have a row, whatever its stage."""
    table, key = ("runs", "run_id") if kind == "run" else ("logged_models", "model_id")
    if not ids:
        return set()
    rows = driver.execute(tx, f"SELECT {key} FROM {table} WHERE {key} IN ({driver.marks(len(ids))})", ids)  # noqa: S608 - names from here
    return {row[0] for row in rows.fetchall()}


def lies_there(tx: Transaction, locations: Sequence[str]) -> bool:
    """Whether a registered version's files lie at or below one of these spellings of a folder."""
    for location in locations:
        found = driver.execute(
            tx,
            f"SELECT 1 FROM model_versions WHERE current_stage != '{DELETED}' AND (storage_location = ?"  # noqa: S608 - a constant
            " OR (storage_location > ? AND storage_location < ?)) LIMIT 1",
            (location, f"{location}/", f"{location}0"),
        )
        if found.fetchone():
            return True
    return False


def experiment_locations(tx: Transaction) -> list[str]:
    return [row[0] for row in driver.execute(tx, "SELECT artifact_location FROM experiments").fetchall()]


def forget(tx: Transaction, kind: str, ids: Sequence[str]) -> None:
    """Note among the imported that these were removed here on purpose, so that no import brings them back."""
    if ids:
        driver.execute(
            tx,
            f"UPDATE imported SET state = 'removed' WHERE kind = ? AND target_id IN ({driver.marks(len(ids))})",  # noqa: S608 - places
            (kind, *ids),
        )


def _chosen(key: str, experiment_id: int | None, ids: Sequence[str], alias: str) -> tuple[str, tuple[Any, ...]]:
    text = ""
    values: list[Any] = []
    if experiment_id is not None:
        text += f" AND {alias}.experiment_id = ?"
        values.append(experiment_id)
    if ids:
        text += f" AND {key} IN ({driver.marks(len(ids))})"
        values += ids
    return text, tuple(values)
