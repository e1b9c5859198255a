"""Runs with their params and tags. How they are found stands in `run_search`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from tenure.records.tracking import KeyValue, Metric, Run, RunData, RunInfo, number
from tenure.store import datasets, driver
from tenure.store.database import Transaction

CHUNK = 500
INFO = (
    "run_id, experiment_id, name, user_id, status, start_time, end_time, artifact_uri, lifecycle_stage"  # as in _info
)


GONE = "gone"
"""The stage of a run that is being removed for good: nobody sees it any more, and nobody restores it."""


class NewRun(NamedTuple):
    run_id: str
    experiment_id: int
    name: str
    user_id: str
    start_time: int
    artifact_uri: str


def insert(tx: Transaction, run: NewRun) -> None:
    driver.execute(
        tx,
        f"INSERT INTO runs ({INFO}) VALUES (?, ?, ?, ?, 'RUNNING', ?, NULL, ?, 'active')",  # noqa: S608 - a constant
        run,
    )


def stage_of(tx: Transaction, run_id: str) -> str | None:
    """The lifecycle stage of a run, None when there is no such run. 3 µs: it is asked before every write."""
    found = driver.execute(tx, "SELECT lifecycle_stage FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    return found[0] if found and found[0] != GONE else None


def experiment_of(tx: Transaction, run_id: str) -> int | None:
    found = driver.execute(tx, "SELECT experiment_id FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    return int(found[0]) if found else None


def info(tx: Transaction, run_id: str) -> RunInfo | None:
    found = driver.execute(tx, f"SELECT {INFO} FROM runs WHERE run_id = ?", (run_id,)).fetchone()  # noqa: S608 - a constant
    return _info(found) if found and found[-1] != GONE else None


def update(
    tx: Transaction, run_id: str, *, status: str | None = None, end_time: int | None = None, name: str | None = None
) -> None:
    """Change what is given and leave the rest."""
    driver.execute(
        tx,
        "UPDATE runs SET status = COALESCE(?, status), end_time = COALESCE(?, end_time), name = COALESCE(?, name)"
        " WHERE run_id = ?",
        (status, end_time, name, run_id),
    )


def set_stage(tx: Transaction, run_id: str, stage: str, deleted_ms: int | None) -> bool:
    """Delete or restore a run. False when it is gone: it may have been removed for good at this very moment."""
    done = driver.execute(
        tx,
        f"UPDATE runs SET lifecycle_stage = ?, deleted_time = ? WHERE run_id = ? AND lifecycle_stage != '{GONE}'",  # noqa: S608 - a constant
        (stage, deleted_ms, run_id),
    )
    return bool(done.rowcount)


def set_stage_of_experiment(tx: Transaction, experiment_id: int, stage: str, deleted_ms: int | None) -> None:
    """Delete or restore every run of an experiment."""
    driver.execute(
        tx,
        "UPDATE runs SET lifecycle_stage = ?, deleted_time = ?"  # noqa: S608 - a constant
        f" WHERE experiment_id = ? AND lifecycle_stage != '{GONE}'",
        (stage, deleted_ms, experiment_id),
    )


def add_param(tx: Transaction, run_id: str, key: str, value: str) -> str | None:
    """Store a param unless one of that key is there; then return the value it has."""
    done = driver.execute(
        tx, "INSERT INTO params (run_id, key, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (run_id, key, value)
    )
    if done.rowcount:
        return None
    kept = driver.execute(tx, "SELECT value FROM params WHERE run_id = ? AND key = ?", (run_id, key)).fetchone()
    return str(kept[0])


def params_of(tx: Transaction, run_id: str) -> dict[str, str]:
    return dict(driver.execute(tx, "SELECT key, value FROM params WHERE run_id = ?", (run_id,)).fetchall())


def tags_of(tx: Transaction, run_id: str) -> dict[str, str]:
    return dict(driver.execute(tx, "SELECT key, value FROM tags WHERE run_id = ?", (run_id,)).fetchall())


def add_params(tx: Transaction, run_id: str, params: Iterable[tuple[str, str]]) -> None:
    driver.execute_many(
        tx,
        "INSERT INTO params (run_id, key, value) VALUES (?, ?, ?)",
        [(run_id, key, value) for key, value in params],
    )


def set_tags(tx: Transaction, run_id: str, tags: Iterable[tuple[str, str]]) -> None:
    driver.execute_many(
        tx,
        "INSERT INTO tags (run_id, key, value) VALUES (?, ?, ?)"
        " ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value",
        [(run_id, key, value) for key, value in tags],
    )


def delete_tag(tx: Transaction, run_id: str, key: str) -> bool:
    """Whether the tag was there."""
    return bool(driver.execute(tx, "DELETE FROM tags WHERE run_id = ? AND key = ?", (run_id, key)).rowcount)


def get_many(tx: Transaction, run_ids: Sequence[str]) -> list[Run]:
    """Runs with all that belongs to them, in the order of the ids."""
    found: list[Run] = []
    for start in range(0, len(run_ids), CHUNK):
        found += _chunk(tx, run_ids[start : start + CHUNK])
    return found


def _chunk(tx: Transaction, run_ids: Sequence[str]) -> list[Run]:
    infos = {row[0]: _info(row) for row in _rows(tx, INFO, "runs", run_ids) if row[-1] != GONE}
    if not infos:
        return []
    wanted, run_ids = run_ids, list(infos)
    data = {run_id: RunData(metrics=[], params=[], tags=[]) for run_id in infos}
    for run_id, key, value, timestamp, step in _rows(
        tx, "run_id, key, value, timestamp, step", "latest_metrics", run_ids, "run_id, key"
    ):
        data[run_id].metrics.append(Metric(key=key, value=number(value), timestamp=timestamp, step=step, run_id=run_id))
    for run_id, key, value in _rows(tx, "run_id, key, value", "params", run_ids, "run_id, key"):
        data[run_id].params.append(KeyValue(key=key, value=value))
    for run_id, key, value in _rows(tx, "run_id, key, value", "tags", run_ids, "run_id, key"):
        data[run_id].tags.append(KeyValue(key=key, value=value))
    inputs, outputs = datasets.of_runs(tx, list(infos))
    return [
        Run(info=infos[run_id], data=data[run_id], inputs=inputs[run_id], outputs=outputs[run_id])
        for run_id in wanted
        if run_id in infos
    ]


def _rows(
    tx: Transaction, columns: str, table: str, run_ids: Sequence[str], order: str = "run_id"
) -> Iterator[driver.Row]:
    statement = f"SELECT {columns} FROM {table} WHERE run_id IN ({driver.marks(len(run_ids))}) ORDER BY {order}"  # noqa: S608 - names from above
    yield from driver.execute(tx, statement, tuple(run_ids)).fetchall()


def _info(row: driver.Row) -> RunInfo:
    run_id, experiment_id, name, user_id, status, start_time, end_time, artifact_uri, stage = row
    return RunInfo(
        run_id=run_id,
        run_uuid=run_id,
        run_name=name,
        experiment_id=str(experiment_id),
        user_id=user_id,
        status=status,
        start_time=start_time,
        artifact_uri=artifact_uri,
        lifecycle_stage=stage,
        end_time=end_time,
    )
