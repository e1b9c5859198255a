"""A model that answers elsewhere is watched as any other: predictions and outcomes as files, windows, drift, alerts."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from tenure.manage import model_files
from tenure.monitor import intake, watch
from tenure.records.base import DAY_US
from tenure.records.model_files import AtLeast, ModelFile, Monitors
from tenure.records.profiles import Profile
from tenure.store import audit, profiles, tables
from tenure.store.ground import Ground

from ..monitor.year import numeric
from .conftest import START, Asker

HERE = "/api/v1/endpoints/credit"
PARQUET = "application/vnd.apache.parquet"
DAY_0 = 1_700_006_400_000_000  # a midnight


@pytest.fixture(autouse=True)
def endpoint(ground: Ground) -> None:
    values = {"name": "credit", "model": "credit", "created_at": 0, "created_by": "ann"}
    ground.database.write(lambda tx: tx.execute(sa.insert(tables.endpoints).values(**values)))


def body(table: dict[str, Any]) -> dict[str, Any]:
    file = io.BytesIO()
    pq.write_table(pa.table(table), file)
    return {"content": file.getvalue(), "headers": {"content-type": PARQUET}}


def predicted(rng: np.random.Generator, shift: float, days: range) -> tuple[dict[str, Any], dict[str, Any]]:
    """A regression of somebody else's: its predictions, and later what came; `shift` moves its column and its error."""
    n = 400 * len(days)
    income = rng.normal(50, 10, n) + shift
    y = income * 2 + rng.normal(0, 3, n)
    at = np.repeat([DAY_0 + day * DAY_US for day in days], 400)
    names = [f"loan-{days.start}-{row}" for row in range(n)]
    told = {"id": names, "score": y + rng.normal(shift, 4, n), "event_time": at, "income": income}
    return told, {"reference": names, "value": y, "event_time": at + DAY_US}


def look(ground: Ground) -> None:
    while intake.take_in(ground, START):
        pass
    while watch.judge_due(ground, START):
        pass


def test_files_of_predictions_and_outcomes_become_windows_drift_accuracy_and_alerts(ask: Asker, ground: Ground) -> None:
    rng = np.random.default_rng(1)
    _version(ground)
    promise = AtLeast(metric="mae", at_most=5.0, min_outcomes=500)
    file = ModelFile(model="credit", purpose="-", owner="-", monitors=Monitors(accuracy=promise))
    ground.database.write(lambda tx: model_files.apply(tx, file, by="ann", now=START))
    profile = Profile(rows=5_000, columns={"income": numeric(rng.normal(50, 10, 5_000))})
    ground.database.write(lambda tx: profiles.put(tx, "credit", 1, profile, "-", by="ann", now=START))
    for shift, days in ((0.0, range(7)), (15.0, range(7, 14)), (15.0, range(14, 15))):
        told, came = predicted(rng, shift, days)
        accepted = ask.ok("POST", f"{HERE}/predictions?version=1", **body(told))
        assert accepted == {"accepted": len(told["id"]), "version": 1}
        ask.ok("POST", f"{HERE}/predictions?version=1", **body(told))  # once more
        ask.ok("POST", f"{HERE}/outcomes", **body(came))
    look(ground)
    second, first = ask.ok("GET", f"{HERE}/windows")
    assert (first["predictions"], first["outcomes"], first["measured"]["task"]) == (2_800, 2_800, "regression")
    assert (first["drift_state"], first["accuracy_state"]) == ("ok", "ok")
    assert (second["drift_state"], second["accuracy_state"]) == ("breach", "breach")
    assert second["latency_p50_ms"] is None
    alerts = ask.ok("GET", "/api/v1/alerts?endpoint=credit")
    assert {(one["monitor"], one["subject"]) for one in alerts} >= {("drift", "income"), ("accuracy", "mae")}
    with ground.database.reading() as tx:
        events = audit.of_actions(tx, ["predictions.uploaded"], 2**62)
    assert events[0].detail == {"rows": 2_800, "version": 1, "release": "external"}


def test_chances_of_classes_come_as_json_text(ask: Asker, ground: Ground) -> None:
    _version(ground)
    told = {"reference": ["a", "b"], "prediction": ["[0.7, 0.2, 0.1]", "[0.1, 0.1, 0.8]"], "event_time": [DAY_0] * 2}
    ask.ok("POST", f"{HERE}/predictions?version=1", **body(told))
    ask.ok("POST", f"{HERE}/predictions?version=1", **body({**told, "event_time": [DAY_0 + 8 * DAY_US] * 2}))
    outcomes = {"outcomes": [{"reference": name, "value": value} for name, value in (("a", 0), ("b", 1))]}
    ask.ok("POST", f"{HERE}/outcomes", json=outcomes)
    look(ground)
    assert ask.ok("GET", f"{HERE}/progress")["predictions"] == 4


@pytest.mark.parametrize(
    ("table", "where", "says"),
    [
        ({"reference": ["a"], "income": [1.0]}, None, "The columns must be `prediction`"),
        ({"reference": ["a", None], "prediction": [1.0, 2.0]}, "predictions[1].reference", "must have a reference"),
        ({"reference": ["a"], "prediction": [1.0], "event_time": [12]}, "predictions[0].event_time", "ISO 8601"),
    ],
)
def test_what_does_not_fit_is_told_and_nothing_is_stored(
    ask: Asker, ground: Ground, table: dict[str, Any], where: str | None, says: str
) -> None:
    _version(ground)
    error = ask.refused("POST", f"{HERE}/predictions?version=1", 400, **body(table))
    assert says in error["message"]
    assert error.get("where") == where
    assert ask.ok("GET", f"{HERE}/progress")["journal_bytes_waiting"] == 0


def test_a_version_or_an_endpoint_that_is_not_there_is_said(ask: Asker) -> None:
    sent = body({"reference": ["a"], "prediction": [1.0]})
    ask.refused("POST", f"{HERE}/predictions?version=9", 404, **sent)
    ask.refused("POST", "/api/v1/endpoints/none/predictions?version=1", 404, **sent)
    ask.refused("POST", f"{HERE}/predictions?version=1", 404, **sent)


def _version(ground: Ground) -> None:
    from tenure.build import model_versions, registered_models
    from tenure.records.registry import NewVersion, Pinned

    def write(tx: Any) -> None:
        registered_models.create(tx, "credit", description="-", tags=[], by="ann", now=START)
        new = NewVersion(name="credit", source="external", storage_location="external")
        model_versions.register(tx, new, Pinned(digest="", files=[], signature=None), by="ann", now=START)

    ground.database.write(write)
