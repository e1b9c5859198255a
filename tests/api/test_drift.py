"""What a window says about drift, over HTTP."""

from __future__ import annotations

import sqlalchemy as sa

from tenure.records.base import DAY_US
from tenure.records.drift import ColumnDrift, Comparison, DriftReport, Statistic
from tenure.store import drift_reports, tables, windows
from tenure.store.ground import Ground

from .conftest import START, Asker

HERE = "/api/v1/endpoints/flight-delay/drift"


def make_report(start_at: int, version: int = 1, role: str = "champion", rows: int = 500) -> DriftReport:
    psi = Statistic(
        name="psi",
        value=0.3,
        kind="distance",
        direction="above",
        threshold=0.12,
        n_reference=900,
        n_current=rows,
        p_value=0.001,
        q_value=0.002,
    )
    column = ColumnDrift(
        column="temp",
        kind="numeric",
        state="breach",
        words="Moved.",
        statistics=[psi],
        reference_bins=[1, 2],
        current_bins=[2, 1],
    )
    return DriftReport(
        endpoint="flight-delay",
        model="flights",
        version=version,
        role=role,  # type: ignore[arg-type]  # a release role
        start_at=start_at,
        end_at=start_at + DAY_US,
        rows=rows,
        level=0.02,
        floor=0.1,
        comparisons=[Comparison(against="training", state="breach", columns=[column])],
    )


def put(ground: Ground, *reports: DriftReport) -> None:
    values = {"name": "flight-delay", "model": "flights", "created_at": 0, "created_by": "ann"}
    ground.database.write(lambda tx: tx.execute(sa.insert(tables.endpoints).values(**values)))
    for one in reports:
        ground.database.write(lambda tx, one=one: drift_reports.put(tx, one))


def test_the_latest_report_is_told_or_the_one_that_is_asked_for(ask: Asker, ground: Ground) -> None:
    later = START + DAY_US
    put(ground, make_report(START), make_report(later), make_report(later, 2, "shadow"), make_report(later, rows=700))
    told = ask.ok("GET", HERE)
    assert (told["start_at"], told["version"], told["rows"]) == (later, 1, 700)
    assert told["comparisons"][0]["columns"][0]["statistics"][0]["q_value"] == 0.002
    assert ask.ok("GET", HERE, params={"start_at": START})["start_at"] == START
    assert ask.ok("GET", HERE, params={"role": "shadow"})["version"] == 2


def test_without_a_baseline_there_is_none_and_it_says_what_to_do(ask: Asker, ground: Ground) -> None:
    put(ground)
    assert "tenure.log_baseline" in ask.refused("GET", HERE, 404)["message"]
    assert ask.refused("GET", "/api/v1/endpoints/nothing/drift", 404)


def test_reports_are_kept_on_both_databases(each_ground: Ground) -> None:
    put(each_ground, make_report(START), make_report(START, rows=700), make_report(START + DAY_US, 2))
    with each_ground.database.reading() as tx:
        assert drift_reports.get(tx, "flight-delay", version=1) == make_report(START, rows=700)
        assert drift_reports.get(tx, "flight-delay") == make_report(START + DAY_US, 2)
        assert drift_reports.get(tx, "flight-delay", role="shadow") is None
        assert windows.first_span(tx, "flight-delay", 1, "champion") is None
