"""Charts: each definition draws, in both themes and every width; what is drawn is what was given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from altair.utils import schemapi

from tenure.errors import Unavailable
from tenure.records.base import HOUR_US
from tenure.records.measured import Figure, Measured, Metric
from tenure.records.service_levels import Budget, ServicePoint, Spent
from tenure.web import charts
from tenure.web.chart_data import (
    WIDTHS,
    Axis,
    Curve,
    Curves,
    Distributions,
    EndpointStory,
    Look,
    Parallels,
    Scatter,
    ServiceStory,
    Theme,
)
from tenure.web.pictures import Pictures

from . import samples
from .conftest import Client

STORY = EndpointStory(
    endpoint="flight-delay",
    windows=samples.make_year(),
    baselines={1: samples.interval(0.742, 0.014), 2: samples.interval(0.755, 0.012)},
    alerts=[samples.make_alert()],
    detectors=samples.make_detectors(),
)
DATA = {
    EndpointStory: STORY,
    Distributions: Distributions(baseline=samples.make_profile(), observed=samples.make_profile(0.5)),
    Curves: Curves(
        metric="loss",
        unit="step",
        curves=[
            Curve(
                run=f'run {number}, "quoted"\nand cut',
                x=[0.0, 1.0, 2.0, 3.0],
                y=[1.0, 0.5 / (number + 1), None, 0.3],
                faint_x=[0.0, 3.0],
                faint_y=[1.2, 0.3],
                last=0.3 + number,
            )
            for number in range(12)
        ],
    ),
    Parallels: Parallels(
        runs=["a", "b"],
        axes=[
            Axis(name="depth", kind="number", places=[0.0, 1.0], told=["2", "4"], ticks=[(0.0, "2"), (1.0, "4")]),
            Axis(name="rate", kind="log", places=[None, 0.5], told=["–", "0.1"], ticks=[(0.5, "0.1")]),
            Axis(name="kind", kind="category", places=[0.0, 1.0], told=["x", "y"], ticks=[(0.0, "x"), (1.0, "y")]),
        ],
        colour=[0.1, 0.9],
        coloured_by="auc",
    ),
    ServiceStory: ServiceStory(
        endpoint="flight-delay",
        points=[
            ServicePoint(
                start_at=place * HOUR_US,
                end_at=(place + 1) * HOUR_US,
                answered=3600 * place,
                failed=36 * place,
                refused=1,
                rows=9,
                p50_ms=2.0 if place else None,
                p95_ms=5.0 if place else None,
                p99_ms=60.0 if place else None,
                budgets={"availability": 1 - place / 2, "latency": 0.75},
            )
            for place in range(4)
        ],
        budgets=[
            Budget(
                objective="latency",
                target=0.99,
                allowed=0.01,
                over_days=30,
                latency_ms=50.0,
                spent=Spent(),
                seen_days=1.0,
                remaining=0.75,
                gone_in_hours=None,
            )
        ],
    ),
    Scatter: Scatter(runs=["a", "b"], x_name="kind", y_name="auc", x=["x", "y"], y=[0.1, 100.0], y_log=True),
}
EMPTY = {
    EndpointStory: EndpointStory(endpoint="flight-delay", windows=[]),
    Distributions: Distributions(baseline=msgspec.structs.replace(samples.make_profile(), columns={}, score=None)),
    ServiceStory: ServiceStory(endpoint="flight-delay", points=[]),
    Curves: Curves(metric="loss", unit="ms", curves=[]),
    Parallels: Parallels(runs=[], axes=[], colour=[]),
    Scatter: Scatter(runs=[], x_name="x", y_name="y", x=[], y=[]),
}
LIGHT = Look(theme="light", width=760)


def spec_of(name: str, data: Any = None, look: Look = LIGHT, *, validate: bool = False) -> dict[str, Any]:
    """A chart's specification; to hold it against Vega-Lite's schema takes most of a second."""
    kind, definition = charts.DEFINITIONS[name]
    with schemapi.debug_mode(validate):
        told: dict[str, Any] = definition(data or DATA[kind], look).to_dict(validate=validate)
    return told


def rows_of(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for rows in spec.get("datasets", {}).values() for row in rows] or _inline(spec)


def _inline(part: Any) -> list[dict[str, Any]]:
    if isinstance(part, dict):
        own = part["data"].get("values", []) if isinstance(part.get("data"), dict) else []
        return [*own, *(row for inner in part.values() for row in _inline(inner))]
    return [row for inner in part for row in _inline(inner)] if isinstance(part, list) else []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", charts.DEFINITIONS)
def test_every_chart_is_defined_for_both_themes_and_all_widths(name: str, theme: Theme) -> None:
    """Held against the schema in one theme; they differ in colours alone, so one chart of the dark one is too."""
    for width in WIDTHS:
        is_tried = width == WIDTHS[0] and (theme == "light" or name == "curves")
        spec = spec_of(name, look=Look(theme=theme, width=width), validate=is_tried)
        assert spec["$schema"].startswith("https://vega.github.io/schema/vega-lite/v6")
        assert spec["config"]["background"] == "transparent"


@pytest.mark.parametrize("name", charts.DEFINITIONS)
def test_a_chart_of_nothing_is_still_a_chart(name: str) -> None:
    kind, _ = charts.DEFINITIONS[name]
    assert "config" in spec_of(name, EMPTY[kind], validate=True)


def test_accuracy_shows_value_interval_baseline_versions_and_alerts() -> None:
    rows = rows_of(spec_of("accuracy"))
    first = STORY.windows[0]
    drawn = next(row for row in rows if row.get("from") == first.start_at // 1000 and "known" in row)
    assert (drawn["value"], drawn["low"], drawn["high"]) == (first.roc_auc.value, first.roc_auc.low, first.roc_auc.high)
    assert {row["label"] for row in rows if "label" in row} >= {"v1", "v2", "v3"}
    assert any(row.get("told") == samples.make_alert().message for row in rows)
    assert any(row.get("y") == 0.742 for row in rows)


def test_accuracy_shows_what_was_estimated_beside_the_truth_and_what_is_provisional() -> None:
    rows = rows_of(spec_of("accuracy"))
    first, last = STORY.windows[0], STORY.windows[-1]
    estimated = {row["from"]: row for row in rows if "truth" in row}
    assert len(estimated) == sum(window.estimated is not None for window in STORY.windows)
    assert estimated[first.start_at // 1000]["truth"] != "–"
    assert estimated[last.start_at // 1000]["truth"] == "–"
    assert [row["provisional"] for row in rows if "known" in row and row["from"] == last.start_at // 1000] == [True]


@pytest.mark.parametrize(
    ("metric", "held", "rules"), [("mae", 14.0, [14.0]), ("bias", 0.5, [0.5, -0.5]), ("accuracy", None, [])]
)
def test_accuracy_shows_the_measure_of_the_task_against_what_is_promised(
    metric: Metric, held: float | None, rules: list[float]
) -> None:
    figure = Figure(metric=metric, value=13.5, low=12.0, high=15.0, n=90)
    told = Measured(task="regression", outcomes=90, figures=[figure])
    windows = [msgspec.structs.replace(window, measured=told) for window in STORY.windows]
    story = msgspec.structs.replace(STORY, windows=windows, metric=metric, held=held, baselines={})
    rows = rows_of(spec_of("accuracy", story, validate=True))
    drawn = [row for row in rows if "known" in row]
    assert {(row["value"], row["low"], row["high"]) for row in drawn} == {(13.5, 12.0, 15.0)}
    assert [row["y"] for row in rows if "y" in row] == rules
    assert not any(samples.make_alert().message == row.get("told") for row in rows), "an alert about another measure"


def test_latency_is_drawn_against_what_is_allowed() -> None:
    rows = rows_of(spec_of("latency", msgspec.structs.replace(STORY, held=7.5)))
    assert [(row["y"], row["told"]) for row in rows if "y" in row] == [(7.5, "7.5 ms")]


def test_shadows_answer_nobody_and_so_make_no_traffic() -> None:
    drawn = [row for row in rows_of(spec_of("traffic")) if "top" in row]
    assert len({row["from"] for row in drawn}) == 47
    assert not any(row["shadow"] for row in drawn)


def test_harm_shows_how_far_each_detector_is_from_an_alarm() -> None:
    rows = rows_of(spec_of("harm"))
    shares = {(row["detector"], row["version"]): row["share"] for row in rows if "version" in row}
    assert shares[("value", "v2")] == pytest.approx(1.5 / 5.6)
    assert shares[("brier", "v1")] > 1
    [alarm] = [row for row in rows if row.get("share") == 1 and "version" not in row]
    assert alarm["told"].endswith("0.171, was 0.131")


def test_a_service_is_drawn_as_requests_a_second_latency_and_what_is_left() -> None:
    load = [row for row in rows_of(spec_of("load")) if "answered" in row]
    assert [(row["answered"], row["all"]) for row in load] == [(0, 0), (1, 1.01), (2, 2.02), (3, 3.03)]
    served = [row for row in rows_of(spec_of("served")) if "ms" in row]
    assert {(row.get("measure"), row["ms"]) for row in served} == {("p50", 2.0), ("p99", 60.0), (None, 50.0)}
    left = [row for row in rows_of(spec_of("budget")) if "objective" in row]
    assert {row["left"] for row in left if row["objective"] == "availability"} == {1.0, 0.5, 0.0, -0.5}


def test_drift_marks_what_is_proven_above_the_floor() -> None:
    rows = [row for row in rows_of(spec_of("drift")) if "excess" in row]
    assert {row["column"] for row in rows if row["breach"]} >= {"temp", "humid"}
    assert all(row["excess"] >= 0 for row in rows)


def test_two_versions_in_one_window_stand_side_by_side() -> None:
    first = STORY.windows[0]
    both = EndpointStory(endpoint="e", windows=[first, msgspec.structs.replace(first, version=2)])
    drawn = sorted((row["from"], row["to"]) for row in rows_of(spec_of("value", both)) if "zero" in row)
    middle = (first.start_at + first.end_at) // 2000
    assert drawn[0][1] <= middle <= drawn[-1][0] or drawn[0][1] == drawn[-1][0]


# --- drawing in a process of its own ---


def test_a_chart_is_drawn_once_and_then_kept(tmp_path: Path) -> None:
    pictures = Pictures(tmp_path)
    try:
        text, digest = pictures.chart("curves", DATA[Curves], LIGHT, "svg")
        assert text.startswith("<svg")
        assert "<script" not in text
        again, same = pictures.chart("curves", DATA[Curves], LIGHT, "svg")
        assert (again, same) == (text, digest)
        assert [file.name for file in tmp_path.iterdir()] == [f"{digest}.svg"]
        # A process that has gone is replaced when the next chart is asked for.
        child = pictures._child
        assert child is not None
        child.kill()
        spec, _ = pictures.chart("curves", DATA[Curves], LIGHT, "spec")
        assert msgspec.json.decode(spec)["width"] == 760
    finally:
        pictures.close()


def test_a_chart_that_cannot_be_drawn_is_refused_and_the_process_lives_on(tmp_path: Path) -> None:
    pictures = Pictures(tmp_path)
    try:
        with pytest.raises(Unavailable, match="could not be drawn"):
            pictures.chart("curves", STORY, LIGHT, "svg")
        assert pictures.chart("curves", DATA[Curves], LIGHT, "spec")[0].startswith("{")
    finally:
        pictures.close()


def test_charts_have_addresses(pages: Client) -> None:
    svg = pages.get("/endpoints/flight-delay/charts/latency", params={"theme": "dark", "width": 320})
    assert svg.status_code == 200
    assert svg.headers["content-type"].startswith("image/svg+xml")
    assert "sandbox" in svg.headers["content-security-policy"]
    spec = pages.get("/models/flight-delay/versions/1/charts/scores", params={"form": "spec"})
    assert spec.json()["width"] == 760


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/endpoints/flight-delay/charts/nope", 404),
        ("/endpoints/nope/charts/accuracy", 404),
        ("/endpoints/flight-delay/charts/accuracy?width=99999", 400),
        ("/endpoints/flight-delay/charts/accuracy?theme=pink", 400),
        ("/models/flight-delay/versions/9/charts/columns", 404),
        ("/runs/nope/charts/metric?key=x", 404),
    ],
)
def test_a_chart_that_is_not_there_is_said(pages: Client, path: str, status: int) -> None:
    assert pages.get(path).status_code == status
