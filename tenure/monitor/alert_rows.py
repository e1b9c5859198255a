"""The rows behind an alert: a query over the lake that anybody can run, and its answer as a file.

The query names registered files alone, and takes the window, the version and the role that the alert is about. Where
the measure is about single rows, such as values out of range, it takes those rows alone.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from tenure.deploy import endpoints
from tenure.errors import InvalidInput, NotFound, Unavailable
from tenure.manage import model_files, profiles
from tenure.monitor import alerts, rows_behind
from tenure.monitor.rows_behind import FEATURE, Known, texts
from tenure.monitor.subjects import column_of
from tenure.records.alerts import Alert, RowsForm, RowsOrder, RowsWritten
from tenure.records.base import Instant, Record, iso
from tenure.records.model_files import ModelFile
from tenure.store import audit, drift_reports, lake_files
from tenure.store.database import Transaction
from tenure.store.ground import Ground

LONGEST_S = 120
KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "PYTHONPATH", "VIRTUAL_ENV", "TMPDIR")
AT_ONCE = 1024 * 1024
TELL_FEATURES = ("clipped", "looked_up")
"""Columns that hold values of features, so they go where a protected one goes."""


class RowsQuery(Record):
    """DuckDB SQL over the files of the lake, to be run in the data folder's `lake/`.

    `withheld`: protected columns that the model's file names, which it leaves out. `what` says which rows it takes.
    """

    alert_id: str
    sql: str
    what: str
    files: int
    withheld: list[str] = []


def query(tx: Transaction, alert_id: str, *, protected: bool = False) -> RowsQuery:
    """The query of an alert's rows; with `protected` columns that are for tests of fairness alone are among them.

    Raises NotFound for an alert that is not there, is about no rows, or whose rows left the lake; it says which.
    """
    alert = alerts.get(tx, alert_id)
    asked = (rows_behind.begins_at(alert), alert.evidence.window_end_at)
    if asked[0] >= asked[1] or alert.monitor in rows_behind.WITHOUT_ROWS:
        raise NotFound(f"No row of the lake is behind alert {alert_id!r}: it is about none, but about requests.")
    files = [one.path for one in lake_files.between(tx, alert.endpoint, "predictions", *asked)]
    if not files:
        raise NotFound(f"No row of the lake is behind alert {alert_id!r} any more: the files of its window are gone.")
    told = [one.path for one in lake_files.between(tx, alert.endpoint, "outcomes", *asked)]
    model = endpoints.get(tx, alert.endpoint).model
    applied = model_files.current(tx, model)
    withheld = [] if protected or applied is None else list(applied.file.protected)
    condition, what = rows_behind.behind(_known(tx, alert, model, applied.file if applied else None))
    return RowsQuery(
        alert_id=alert_id,
        sql=_sql(alert, files, told, condition, withheld),
        what=what,
        files=len(files) + len(told),
        withheld=withheld,
    )


def hand_out(
    ground: Ground, alert_id: str, form: RowsForm, *, protected: bool, by: str, now: Instant
) -> Iterator[bytes]:
    """The rows behind an alert as a file, bit by bit. A process of its own reads them, without the server's secrets.

    Writes one audit event before the first row leaves: who took how many of which alert's rows, by which query.
    Raises NotFound as `query` does, InvalidInput when it takes too long, Unavailable when the process fails.
    """
    asked = ground.database.read(lambda tx: query(tx, alert_id, protected=protected))
    with tempfile.TemporaryDirectory(prefix="tenure-rows-") as folder:
        target = Path(folder) / f"rows.{form}"
        told = _run(RowsOrder(sql=asked.sql, lake=str(ground.settings.folder / "lake"), target=str(target), form=form))
        file = target.open("rb")  # which stays readable when its folder is gone: nothing is left behind
    try:
        ground.database.write(lambda tx: _audit(tx, asked, told, form, by=by, now=now))
    except BaseException:
        file.close()
        raise
    return _bits_of(file)


def _audit(tx: Transaction, asked: RowsQuery, told: RowsWritten, form: RowsForm, *, by: str, now: Instant) -> None:
    """The digest is of the query's text as anybody may ask for it, in UTF-8."""
    alert = alerts.get(tx, asked.alert_id)
    detail = {
        "alert_id": alert.alert_id,
        "monitor": alert.monitor,
        "subject": alert.subject,
        "rows": told.rows,
        "form": form,
        "query": "sha256:" + hashlib.sha256(asked.sql.encode()).hexdigest(),
        "withheld": asked.withheld,
    }
    audit.append(tx, "alert.rows_taken", subject=f"endpoints/{alert.endpoint}", by=by, at=now, detail=detail)


def _bits_of(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while part := file.read(AT_ONCE):
            yield part


def _run(order: RowsOrder) -> RowsWritten:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tenure.monitor.alert_rows_job"],
            input=msgspec.json.encode(order),
            capture_output=True,
            env={name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ},
            timeout=LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InvalidInput(
            f"To read the rows took more than {LONGEST_S} s and was ended. Run the query yourself where the lake is."
        ) from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise Unavailable(f"The process that reads the rows ended without them: {said[-1][:300]}")
    return msgspec.json.decode(done.stdout, type=RowsWritten)


def _sql(alert: Alert, files: list[str], told: list[str], condition: str, withheld: list[str]) -> str:
    proof = alert.evidence
    hidden = [FEATURE + name for name in withheld]
    hidden += TELL_FEATURES if withheld else ()
    columns = f"COLUMNS(lambda name: NOT list_contains([{texts(hidden)}], name))" if hidden else "*"
    outcomes = "SELECT NULL::VARCHAR AS prediction_id, NULL::DOUBLE AS outcome WHERE false"
    if told:
        first = "SELECT prediction_id, any_value(value) AS outcome FROM"
        outcomes = f"{first} {_parquet(told)} GROUP BY prediction_id"
    lines = [
        f"WITH rows AS (SELECT {columns} FROM {_parquet(files)}",  # noqa: S608  as above
        f"  WHERE event_at >= TIMESTAMPTZ '{iso(rows_behind.begins_at(alert))}'",
        f"    AND event_at < TIMESTAMPTZ '{iso(proof.window_end_at)}'",
        f"    AND version = {proof.version} AND role = 'champion'),",
        f"outcomes AS ({outcomes})",
        "SELECT rows.*, outcomes.outcome FROM rows LEFT JOIN outcomes USING (prediction_id)",
        *([f"WHERE {condition}"] if condition else []),
        "ORDER BY event_at, prediction_id",
    ]
    return "\n".join(lines)


def _known(tx: Transaction, alert: Alert, model: str, file: ModelFile | None) -> Known:
    name = column_of(alert.subject)
    stored = profiles.get(tx, model, alert.evidence.version)
    like = stored.profile.columns.get(name) if stored else None
    if alert.evidence.measure != "schema":
        return Known(alert, file, like)
    version, start_at = alert.evidence.version, alert.evidence.window_start_at
    report = drift_reports.get(tx, alert.endpoint, version=version, role="champion", start_at=start_at)
    problem = next((one.problem for one in report.schema if one.column == name), "") if report else ""
    return Known(alert, file, like, problem)


def _parquet(files: list[str]) -> str:
    return f"read_parquet([{texts(files)}], union_by_name = true)"
