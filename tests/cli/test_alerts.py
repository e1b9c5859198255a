"""`tenure alert …` and `tenure monitor rows` against a real server."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenure.errors import NotFound
from tenure.records.base import DAY_US, Instant
from tenure.store import alerts, lake_files
from tenure.store.database import Database
from tenure.store.lake import Lake, timestamps
from tests.conftest import Running

from ..web import samples
from .test_commands import run

NAME = "alarmed"


def given(server: Running) -> str:
    """An endpoint with one row in the lake and an alert about it."""
    with httpx.Client(base_url=server.url) as client:
        client.post("/api/2.0/mlflow/registered-models/create", json={"name": NAME})
        client.post("/api/v1/endpoints", json={"name": NAME, "model": NAME})
    alert = samples.make_alert(alert_id="0190b5a0-0000-7000-8000-0000000000aa", endpoint=NAME)
    at = alert.evidence.window_start_at + DAY_US
    table = pa.table(
        {
            "prediction_id": ["p:0"],
            "event_at": timestamps([at]),
            "version": pa.array([1], pa.int32()),
            "role": ["champion"],
            "f_temp": [20.0],
        }
    )
    files = Lake(server.data / "lake").write(NAME, "predictions", "by-hand", table)
    told = Lake(server.data / "lake").write(
        NAME, "outcomes", "by-hand", pa.table({"prediction_id": ["p:0"], "event_at": timestamps([at]), "value": [1.0]})
    )
    database = Database(f"sqlite:///{server.data / 'tenure.db'}")

    def keep(tx: object) -> None:
        alerts.put(tx, alert)  # type: ignore[arg-type]
        lake_files.add(tx, [*files, *told], Instant(1))  # type: ignore[arg-type]

    database.write(keep)
    database.close()
    return alert.alert_id


def test_an_alert_is_listed_muted_and_its_rows_are_written(server: Running, tmp_path: Path) -> None:
    alert_id = given(server)
    listed = run(server, "alert", "incidents", "--endpoint", NAME).output
    assert "alarmed: roc_auc (accuracy)" in listed
    words = ["alert", "mute", NAME, "--for", "4h", "--subject", "roc_auc", "--reason", "it is known", "--json"]
    mute = json.loads(run(server, *words).output)["mute_id"]
    assert "it is known" in run(server, "alert", "mutes").output
    assert "firing, muted" in run(server, "alert", "incidents", "--endpoint", NAME).output
    assert run(server, "alert", "unmute", NAME, mute, "--reason", "enough").exit_code == 0
    assert "nothing there" in run(server, "alert", "told", alert_id).output
    target = tmp_path / "rows.parquet"
    said = run(server, "monitor", "rows", alert_id, "--output", str(target)).output
    assert "LEFT JOIN outcomes" in said
    [row] = pq.read_table(target).to_pylist()
    assert (row["prediction_id"], row["outcome"], row["f_temp"]) == ("p:0", 1.0, 20.0)
    [told] = json.loads(run(server, "audit", "log", "--action", "alert.rows_taken", "--json").output)
    assert (told["detail"]["alert_id"], told["detail"]["rows"]) == (alert_id, 1)
    assert run(server, "monitor", "rows", alert_id, "--sql").output.startswith("WITH rows AS")
    assert run(server, "monitor", "rows", alert_id, "--output", str(tmp_path / "rows.txt")).exit_code == 2


def test_a_channel_that_is_not_there_cannot_be_tried(server: Running) -> None:
    assert "nothing there" in run(server, "alert", "channels").output
    with pytest.raises(NotFound, match="--alert-channel"):
        run(server, "alert", "test", "desk")
