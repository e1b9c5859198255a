"""Comparing runs is plain reading of their values: what differs, what is best, what goes with what."""

from __future__ import annotations

import math
import random

import pytest

from tenure.records.tracking import KeyValue, Metric, Run, RunData, RunInfo, RunInputs, RunOutputs
from tenure.web import comparing
from tenure.web.run_columns import Column, sensible


def make_run(number: int, params: dict[str, str], metrics: dict[str, float | str]) -> Run:
    info = RunInfo(
        run_id=f"r{number}",
        run_uuid=f"r{number}",
        run_name=f"run {number}",
        experiment_id="0",
        user_id="",
        status="FINISHED",
        start_time=number,
        artifact_uri="",
        lifecycle_stage="active",
    )
    data = RunData(
        params=[KeyValue(key=key, value=value) for key, value in params.items()],
        metrics=[Metric(key=key, value=value, timestamp=1, step=0) for key, value in metrics.items()],
    )
    return Run(info=info, data=data, inputs=RunInputs(), outputs=RunOutputs())


@pytest.mark.parametrize(
    ("key", "better"),
    [
        ("val/logLoss", "less"),
        ("test_rmse", "less"),
        ("brier_score", "less"),
        ("roc_auc", "more"),
        ("f1 macro", "more"),
        ("neg_root_mean_squared_error", "more"),
        ("accuracy_loss", None),
        ("blossom", None),
        ("steps", None),
    ],
)
def test_the_better_way_is_read_from_a_name_or_left_open(key: str, better: str | None) -> None:
    assert comparing.direction(key) == better


def test_the_best_is_marked_among_numbers_alone() -> None:
    runs = [make_run(n, {}, {"loss": value}) for n, value in enumerate([0.3, "NaN", 0.2, "-Infinity"])]
    (line,) = comparing.metric_lines(runs)
    assert [cell.best for cell in line.cells] == [False, False, True, False]
    (alike,) = comparing.metric_lines(runs[:1] * 2)
    assert not any(cell.best for cell in alike.cells)


def test_params_that_differ_come_first_and_a_missing_one_differs() -> None:
    runs = [make_run(0, {"a": "1", "b": "x"}, {}), make_run(1, {"a": "1"}, {})]
    assert [(line.key, line.differs) for line in comparing.param_lines(runs)] == [("b", True), ("a", False)]


def test_axes_are_numeric_logarithmic_or_categories() -> None:
    values = [("1", "0.001", "x"), ("2", "0.1", "y"), ("3", "10", "x"), ("", "nan", "z")]
    runs = [make_run(n, {"n": a or "3", "rate": b, "kind": c}, {}) for n, (a, b, c) in enumerate(values)]
    axis = comparing.axis(runs, Column("params", "n"))
    assert (axis.kind, axis.places) == ("number", [0.0, 0.5, 1.0, 1.0])
    rate = comparing.axis(runs, Column("params", "rate"))
    assert (rate.kind, rate.places) == ("log", [0.0, 0.5, 1.0, None])
    kind = comparing.axis(runs, Column("params", "kind"))
    assert (kind.kind, kind.places) == ("category", [0.0, 0.5, 0.0, 1.0])
    alike = comparing.axis(runs[:1], Column("params", "n"))
    assert alike.places == [0.5]


def test_what_matters_is_found_and_noise_is_not() -> None:
    dice = random.Random(2)
    runs = []
    for number in range(40):
        depth, kind = dice.randrange(10), dice.choice("abc")
        noise = {f"noise{n}": str(dice.random()) for n in range(10)}
        result = depth / 10 + (0.4 if kind == "b" else 0) + dice.gauss(0, 0.05)
        runs.append(make_run(number, {"depth": str(depth), "kind": kind, **noise}, {"auc": result}))
    found = comparing.associations(runs, Column("metrics", "auc"))
    assert {one.param for one in found if one.q_value <= 0.05} >= {"depth"}
    assert sum(one.q_value <= 0.05 for one in found if one.param.startswith("noise")) <= 1
    assert {one.kind for one in found if one.param == "kind"} == {"category"}
    assert all(one.q_value >= one.p_value for one in found)
    assert comparing.associations(runs[:9], Column("metrics", "auc")) == []


def test_columns_by_themselves_leave_out_what_is_the_same() -> None:
    runs = [make_run(n, {"same": "1", "turned": str(n)}, {"auc": n / 10, "system/cpu": n * 1.0}) for n in range(3)]
    assert [one.name for one in sensible(runs)] == [
        "attributes.start_time",
        "metrics.auc",
        "params.turned",
        "attributes.duration",
    ]
    assert [one.name for one in sensible([])] == ["attributes.start_time", "attributes.duration"]
    assert comparing.numbers_of([math.inf, None]) is None
