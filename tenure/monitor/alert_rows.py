"""The rows behind an alert: a query over the lake that anybody can run, and its answer as a file.

The query names registered files alone, and takes the window, the version and the role that the alert is about. Where
the measure is about single rows, such as values out of range, it takes those rows alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from tenure.deploy import endpoints
from tenure.errors import InvalidInput, NotFound, Unavailable
from tenure.manage import model_files, profiles
from tenure.monitor import alerts
from tenure.records.alerts import Alert
from tenure.records.base import Record, iso
from tenure.records.model_files import ModelFile
from tenure.records.profiles import CategoricalProfile, NumericProfile
from tenure.store import lake_files
from tenure.store.database import Transaction
from tenure.store.ground import Ground

Form = Literal["parquet", "csv"]
LONGEST_S = 120
KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "PYTHONPATH", "VIRTUAL_ENV", "TMPDIR")
MOST_LEVELS = 2_000
"""Levels that a query names; of a column with more, all rows of the window are taken."""
AT_ONCE = 1024 * 1024
FEATURE = "f_"  # as store/lake.py, which brings numpy
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


class Order(Record):
    """What the process that reads is asked: to write the answer of `sql` over files in `lake` into `target`, a file in
    a folder of its own."""

    sql: str
    lake: str
    target: str
    form: Form


def query(tx: Transaction, alert_id: str, *, protected: bool = False) -> RowsQuery:
    """The query of an alert's rows; with `protected` columns that are for tests of fairness alone are among them.

    Raises NotFound for an alert that is not there or whose rows left the lake.
    """
    alert = alerts.get(tx, alert_id)
    proof = alert.evidence
    if proof.measure == "availability_burn_rate":
        raise NotFound(f"No row of the lake is behind alert {alert_id!r}: it is about requests that were not answered.")
    asked = (proof.window_start_at, proof.window_end_at)
    files = [one.path for one in lake_files.between(tx, alert.endpoint, "predictions", *asked)]
    if not files or asked[0] >= asked[1]:
        raise NotFound(f"No row of the lake is behind alert {alert_id!r}: it is about none, or its files are gone.")
    told = [one.path for one in lake_files.between(tx, alert.endpoint, "outcomes", *asked)]
    model = endpoints.get(tx, alert.endpoint).model
    applied = model_files.current(tx, model)
    withheld = [] if protected or applied is None else list(applied.file.protected)
    condition, what = _condition(tx, alert, model, applied.file if applied else None)
    return RowsQuery(
        alert_id=alert_id,
        sql=_sql(alert, files, told, condition, withheld),
        what=what,
        files=len(files) + len(told),
        withheld=withheld,
    )


def rows(ground: Ground, asked: RowsQuery, form: Form) -> Iterator[bytes]:
    """What the query answers, as a file, bit by bit. A process of its own runs it, without the server's secrets.

    Raises InvalidInput when it takes too long, Unavailable when the process fails.
    """
    with tempfile.TemporaryDirectory(prefix="tenure-rows-") as folder:
        target = Path(folder) / f"rows.{form}"
        _run(Order(sql=asked.sql, lake=str(ground.settings.folder / "lake"), target=str(target), form=form))
        file = target.open("rb")  # which stays readable when its folder is gone: nothing is left behind
    return _bits_of(file)


def _bits_of(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while part := file.read(AT_ONCE):
            yield part


def _run(order: Order) -> None:
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


def _sql(alert: Alert, files: list[str], told: list[str], condition: str, withheld: list[str]) -> str:
    proof = alert.evidence
    hidden = [FEATURE + name for name in withheld]
    hidden += TELL_FEATURES if withheld else ()
    columns = f"COLUMNS(lambda name: NOT list_contains([{_texts(hidden)}], name))" if hidden else "*"
    outcomes = "SELECT NULL::VARCHAR AS prediction_id, NULL::DOUBLE AS outcome WHERE false"
    if told:
        first = "SELECT prediction_id, any_value(value) AS outcome FROM"
        outcomes = f"{first} {_parquet(told)} GROUP BY prediction_id"
    lines = [
        f"WITH rows AS (SELECT {columns} FROM {_parquet(files)}",  # noqa: S608  as above
        f"  WHERE event_at >= TIMESTAMPTZ '{iso(proof.window_start_at)}'",
        f"    AND event_at < TIMESTAMPTZ '{iso(proof.window_end_at)}'",
        f"    AND version = {proof.version} AND role = 'champion'),",
        f"outcomes AS ({outcomes})",
        "SELECT rows.*, outcomes.outcome FROM rows LEFT JOIN outcomes USING (prediction_id)",
        *([f"WHERE {condition}"] if condition else []),
        "ORDER BY event_at, prediction_id",
    ]
    return "\n".join(lines)


def _condition(tx: Transaction, alert: Alert, model: str, file: ModelFile | None) -> tuple[str, str]:
    """Which rows of the window made the measure, as SQL and in words."""
    name, measure, window = alert.subject, alert.evidence.measure, "all rows of the window"
    column = _name(FEATURE + name)
    if file is not None and name in file.protected:
        return "", window
    if measure in ("roc_auc", "calibration_gap"):
        return (
            "outcome IS NOT NULL",
            "the rows of the window with an outcome; earlier ones may have been judged with them",
        )
    promised_ms = _promised_ms(measure, file)
    if promised_ms is not None:
        return f"latency_us > {promised_ms * 1000:.0f}", "the rows of requests that took too long"
    stored = profiles.get(tx, model, alert.evidence.version)
    like = stored.profile.columns.get(name) if stored else None
    if measure == "out_of_range_share" and isinstance(like, NumericProfile):
        declared = file.features[name].range if file is not None and name in file.features else None
        low, high = declared or (like.min, like.max)
        if low is not None and high is not None:
            said = f"the rows whose {name} lies outside {low:g} to {high:g}"
            return f"{column} < {low!r} OR {column} > {high!r}", said
    if measure == "new_level_share" and isinstance(like, CategoricalProfile):
        known = [*like.levels, *like.other_levels]
        if len(known) <= MOST_LEVELS and not {"true", "false"} & {level.lower() for level in known}:
            said = f"the rows whose {name} was not seen at training"
            return f"CAST({column} AS VARCHAR) NOT IN ({_texts(known)})", said
    return "", window


def _promised_ms(measure: str, file: ModelFile | None) -> float | None:
    """What a measure of slow requests is held against; None for another measure."""
    if file is None:
        return None
    if measure == "slow_share" and file.monitors.latency is not None:
        return file.monitors.latency.p99_ms
    return file.service.latency_ms if measure == "latency_burn_rate" and file.service is not None else None


def _parquet(files: list[str]) -> str:
    return f"read_parquet([{_texts(files)}], union_by_name = true)"


def _name(column: str) -> str:
    """
    >>> _name('a "b"')
    '"a ""b\"""'
    """
    return '"' + column.replace('"', '""') + '"'


def _texts(values: list[str]) -> str:
    """
    >>> _texts(["it's", "b"])
    "'it''s', 'b'"
    """
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)
