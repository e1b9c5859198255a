"""The rows behind an alert: the query that is shown is the one that is run, and it leaves out what is protected."""

from __future__ import annotations

import hashlib
import io
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenure.errors import NotFound
from tenure.monitor import alert_rows, alerts
from tenure.records.alerts import Alert, Evidence
from tenure.records.base import DAY_US
from tenure.records.model_files import Feature, Service
from tenure.store import alerts as stored
from tenure.store import audit

from .test_watch import baseline, days, file_with
from .year import ENDPOINT, START, Traffic


def drifted(traffic: Traffic, **more: Any) -> Alert:
    traffic.apply(file_with(**more))
    baseline(traffic)
    days(traffic, 0, 7)
    days(traffic, 7, 15, shift=1.5)
    traffic.look()
    traffic.judge()
    with traffic.ground.database.reading() as tx:
        return next(one for one in alerts.search(tx, endpoint=ENDPOINT) if one.monitor == "drift")


def asked(traffic: Traffic, alert: Alert, **more: bool) -> alert_rows.RowsQuery:
    return traffic.ground.database.read(lambda tx: alert_rows.query(tx, alert.alert_id, **more))


def read(traffic: Traffic, alert: Alert, **more: bool) -> pa.Table:
    given = {"protected": False, **more}
    bits = alert_rows.hand_out(traffic.ground, alert.alert_id, "parquet", **given, by="ann", now=traffic.now())
    return pq.read_table(io.BytesIO(b"".join(bits)))


def test_the_rows_are_those_of_the_window_with_their_outcomes(traffic: Traffic) -> None:
    alert = drifted(traffic)
    table = read(traffic, alert)
    assert table.num_rows == alert.evidence.n_window == 2100
    events = table.column("event_at").cast(pa.int64()).to_pylist()
    assert START + 7 * DAY_US <= min(events) <= max(events) < START + 14 * DAY_US
    assert table.column("outcome").null_count == 0
    assert "f_temp" in table.column_names


def test_the_query_that_is_shown_can_be_run_where_the_lake_is(
    traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert = drifted(traffic)
    monkeypatch.chdir(traffic.ground.settings.folder / "lake")
    assert duckdb.sql(asked(traffic, alert).sql).to_arrow_table().num_rows == 2100


def test_a_protected_column_is_left_out_for_who_may_not_see_it(traffic: Traffic) -> None:
    alert = drifted(traffic, protected=["carrier"])
    assert asked(traffic, alert).withheld == ["carrier"]
    assert "f_carrier" not in read(traffic, alert).column_names
    assert "f_carrier" in read(traffic, alert, protected=True).column_names


def test_a_measure_of_single_rows_takes_those_alone(traffic: Traffic) -> None:
    alert = drifted(traffic, features={"temp": Feature(kind="numeric", range=(-3.0, 3.0))})
    proof = msgspec.structs.replace(alert.evidence, measure="out_of_range_share")
    odd = msgspec.structs.replace(alert, alert_id="odd", monitor="data_quality", evidence=proof)
    traffic.ground.database.write(lambda tx: stored.put(tx, odd))
    temps = read(traffic, odd).column("f_temp").to_pylist()
    assert 0 < len(temps) < 2100
    assert all(abs(one) > 3 for one in temps)


def test_csv_has_a_line_for_each_row_and_nothing_is_left_behind(
    traffic: Traffic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert, place = drifted(traffic), tmp_path / "own"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    bits = alert_rows.hand_out(traffic.ground, alert.alert_id, "csv", protected=False, by="ann", now=traffic.now())
    lines = b"".join(bits).decode().splitlines()
    assert len(lines) == 2101
    assert lines[0].startswith("prediction_id,")
    assert list(place.iterdir()) == []


def test_who_takes_rows_is_told_to_the_audit_log_before_one_leaves(traffic: Traffic) -> None:
    alert = drifted(traffic, protected=["carrier"])
    now = traffic.now()
    bits = alert_rows.hand_out(traffic.ground, alert.alert_id, "csv", protected=False, by="ann", now=now)
    with traffic.ground.database.reading() as tx:
        [told] = audit.search(tx, action="alert.rows_taken")
    assert b"".join(bits)
    digest = hashlib.sha256(asked(traffic, alert).sql.encode()).hexdigest()
    assert (told.actor, told.at, told.subject) == ("ann", now, f"endpoints/{ENDPOINT}")
    assert told.detail == {
        "alert_id": alert.alert_id, "monitor": "drift", "subject": "temp", "rows": 2100, "form": "csv",
        "query": f"sha256:{digest}", "withheld": ["carrier"],
    }  # fmt: skip


def test_rows_that_cannot_be_told_of_do_not_leave(traffic: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    alert = drifted(traffic)

    def full(*_: object, **__: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(audit, "append", full)
    with pytest.raises(OSError, match="no space"):
        read(traffic, alert)


def test_a_name_with_quotes_does_not_leave_its_place(traffic: Traffic) -> None:
    alert = drifted(traffic, protected=["it's", 'a "b"'])
    assert read(traffic, alert).num_rows == 2100


def test_an_alert_without_rows_says_so(traffic: Traffic) -> None:
    proof = Evidence(measure="burn_rate", value=20.0, threshold=14.4, direction="above")
    bare = Alert(
        alert_id="bare", endpoint=ENDPOINT, monitor="latency", subject="p99", state="firing", severity="critical",
        message="-", evidence=proof, event_at=0, opened_at=0, changed_at=0,
    )  # fmt: skip
    traffic.ground.database.write(lambda tx: stored.put(tx, bare))
    with pytest.raises(NotFound, match="is about none"):
        asked(traffic, bare)


def test_a_burning_budget_shows_slow_rows_and_has_none_of_what_was_not_answered(traffic: Traffic) -> None:
    alert = drifted(traffic, service=Service(availability=0.999, latency_ms=1.4))
    slow, failed = (
        msgspec.structs.replace(
            alert,
            alert_id=name,
            monitor=f"slo_{name}",
            evidence=msgspec.structs.replace(alert.evidence, measure=f"{name}_burn_rate"),
        )
        for name in ("latency", "availability")
    )
    for one in (slow, failed):
        traffic.ground.database.write(lambda tx, one=one: stored.put(tx, one))
    told = asked(traffic, slow)
    assert told.what == "the rows of requests that took too long"
    assert "latency_us > 1400" in told.sql
    assert read(traffic, slow).num_rows == 2100
    with pytest.raises(NotFound, match="about none, but about requests"):
        asked(traffic, failed)
