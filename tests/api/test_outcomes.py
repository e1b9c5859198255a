"""Outcomes in, progress, windows, report and alerts out: over HTTP."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from tenure.monitor import intake
from tenure.records.alerts import Alert, Evidence
from tenure.store import alerts, tables
from tenure.store.ground import Ground

from .conftest import START, Asker

HERE = "/api/v1/endpoints/flight-delay"
ACCEPTED = {"accepted": 0, "refused": 0, "problems": []}


@pytest.fixture(autouse=True)
def endpoint(ground: Ground) -> None:
    values = {"name": "flight-delay", "model": "flights", "created_at": 0, "created_by": "ann"}
    ground.database.write(lambda tx: tx.execute(sa.insert(tables.endpoints).values(**values)))


def test_outcomes_are_accepted_as_json_csv_and_parquet(ask: Asker, ground: Ground) -> None:
    assert ask.ok("POST", f"{HERE}/outcomes", json={"outcomes": [{"reference": "a", "value": 1}]}) == ACCEPTED | {
        "accepted": 1
    }
    csv = {"content": b"reference,value\nb,0\nc,1\n", "headers": {"content-type": "text/csv; charset=utf-8"}}
    assert ask.ok("POST", f"{HERE}/outcomes", **csv) == ACCEPTED | {"accepted": 2}
    file = io.BytesIO()
    pq.write_table(pa.table({"reference": ["d"], "value": [True]}), file)
    parquet = {"content": file.getvalue(), "headers": {"content-type": "application/vnd.apache.parquet"}}
    assert ask.ok("POST", f"{HERE}/outcomes", **parquet) == ACCEPTED | {"accepted": 1}
    assert ask.ok("GET", f"{HERE}/progress")["journal_bytes_waiting"] > 0
    intake.take_in(ground, START)
    told = ask.ok("GET", f"{HERE}/progress")
    assert (told["outcomes_waiting"], told["journal_bytes_waiting"], told["retraining"]) == (4, 0, None)


@pytest.mark.parametrize(
    ("more", "status", "where"),
    [
        ({"json": {"outcomes": []}}, 400, "outcomes"),
        ({"json": {"outcomes": [{"value": 1}]}}, 400, "outcomes[0]"),
        (
            {"json": {"outcomes": [{"reference": "a", "value": 1}, {"reference": "b", "value": "x"}]}},
            400,
            "outcomes[1].value",
        ),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400, None),
        ({"content": b"x", "headers": {"content-type": "text/plain"}}, 400, "content-type"),
        ({"content": b"PAR1", "headers": {"content-type": "application/vnd.apache.parquet"}}, 400, None),
        ({"json": {"outcomes": [{"reference": str(n), "value": 1} for n in range(100_001)]}}, 413, "outcomes"),
    ],
)
def test_outcomes_with_a_mistake_are_refused_in_one_shape(
    ask: Asker, more: dict[str, Any], status: int, where: str | None
) -> None:
    assert ask.refused("POST", f"{HERE}/outcomes", status, **more).get("where") == where


@pytest.mark.parametrize("path", ["progress", "windows", "report"])
def test_an_unknown_endpoint_is_not_found(ask: Asker, path: str) -> None:
    assert "nowhere" in ask.refused("GET", f"/api/v1/endpoints/nowhere/{path}", 404)["message"]


def test_outcomes_for_an_unknown_endpoint_are_not_found(ask: Asker) -> None:
    told = {"outcomes": [{"reference": "a", "value": 1}]}
    ask.refused("POST", "/api/v1/endpoints/nowhere/outcomes", 404, json=told)


def test_an_endpoint_without_traffic_has_no_windows_and_no_months(ask: Asker) -> None:
    assert ask.ok("GET", f"{HERE}/windows") == []
    assert ask.ok("GET", f"{HERE}/report?by=month") == []
    assert ask.ok("GET", f"{HERE}/progress")["monitored_until"] == 0


def test_limits_and_roles_are_checked(ask: Asker) -> None:
    ask.refused("GET", f"{HERE}/windows?limit=0", 400)
    ask.refused("GET", f"{HERE}/windows?role=king", 400)
    ask.refused("GET", f"{HERE}/report?by=day", 400)
    ask.refused("GET", "/api/v1/alerts?state=angry", 400)


def test_a_firing_alert_is_found_and_acknowledged_once(ask: Asker, ground: Ground) -> None:
    alert = Alert(
        alert_id="one",
        endpoint="flight-delay",
        monitor="drift",
        subject="temp",
        state="firing",
        severity="warning",
        message="It drifted.",
        evidence=Evidence(measure="psi_excess", value=0.4, threshold=0.1, direction="above"),
        event_at=1,
        opened_at=1,
        changed_at=1,
    )
    ground.database.write(lambda tx: alerts.put(tx, alert))
    [found] = ask.ok("GET", "/api/v1/alerts?state=firing&endpoint=flight-delay")
    assert found["evidence"]["value"] == 0.4
    ask.refused("POST", "/api/v1/alerts/one/acknowledge", 400, json={"reason": ""})
    assert ask.ok("POST", "/api/v1/alerts/one/acknowledge", json={"reason": "it is winter"})["state"] == "acknowledged"
    ask.refused("POST", "/api/v1/alerts/one/acknowledge", 409, json={"reason": "it is winter"})
    ask.refused("POST", "/api/v1/alerts/two/acknowledge", 404, json={"reason": "it is winter"})
    assert ask.ok("GET", "/api/v1/audit?action=alert.")[0]["actor"] == "owner"


def test_overrides_are_accepted_and_a_stream_may_be_longer_than_other_bodies(ask: Asker, ground: Ground) -> None:
    sink = io.BytesIO()
    rows = ground.settings.max_rows + 1
    table = pa.table({"reference": [f"r{row}" for row in range(rows)], "outcome": pa.array([1.0] * rows)})
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    arrow = {"content": sink.getvalue(), "headers": {"content-type": "application/vnd.apache.arrow.stream"}}
    assert ask.ok("POST", f"{HERE}/outcomes", **arrow)["accepted"] == rows
    told = {"overrides": [{"reference": "r1", "value": 0, "reason": "called"}, {"reference": "r1", "value": 0}]}
    assert ask.refused("POST", f"{HERE}/overrides", 400, json=told)["where"] == "overrides[1].reason"
    told["overrides"][1]["reason"] = ""
    refused = ask.refused("POST", f"{HERE}/overrides", 400, json=told)
    assert [one["row"] for one in refused["problems"]] == [1]
    assert ask.ok("POST", f"{HERE}/overrides?accept=valid", json=told)["accepted"] == 1
