"""A window's figures by task agree with scikit-learn; what the file promises is judged on them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from tenure.errors import InvalidInput
from tenure.manage import model_files as applied
from tenure.monitor import judging
from tenure.monitor.answers import task_of
from tenure.monitor.findings import findings_of
from tenure.monitor.judging import Judgeable
from tenure.monitor.rows import Rows
from tenure.monitor.scored import Past
from tenure.records.base import DAY_US
from tenure.records.model_files import AtLeast, ModelFile, Monitors, Prediction
from tenure.records.windows import Window

from .test_judging import rows_of, scored
from .year import ENDPOINT, MODEL, START

metrics = pytest.importorskip("sklearn.metrics")


def file_with(accuracy: AtLeast | None = None, **prediction: Any) -> ModelFile:
    told = Prediction(outcome="y", **prediction) if prediction else None
    return ModelFile(
        model=MODEL,
        purpose="-",
        owner="-",
        prediction=told,
        monitors=Monitors(accuracy=accuracy),
        action="score >= 0.5",
    )


def judged(rows: Rows, file: ModelFile | None = None, history: list[Past] | None = None) -> Window:
    what = Judgeable(
        endpoint=ENDPOINT,
        model=MODEL,
        version=1,
        role="champion",
        start_at=START,
        end_at=START + DAY_US,
        rows=rows,
        action=rows.score >= 0.5,
    )
    return judging.judge(what, None, file, history or [])


def told(window: Window) -> dict[str, float | None]:
    assert window.measured is not None
    return {figure.metric: figure.value for figure in window.measured.figures}


def chosen(n: int, seed: int = 1) -> tuple[Rows, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    raw = np.exp(rng.normal(size=(n, 3)) + 1.5 * np.eye(3)[y])
    chances = raw / raw.sum(axis=1, keepdims=True)
    rows = rows_of(np.full(n, np.nan), y)
    output = np.array([msgspec.json.encode(one).decode() for one in chances.tolist()], dtype=object)
    return replace(rows, output=output), y, chances


def numbers(n: int, noise: float = 3.0, seed: int = 2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.gamma(2, 10, n)
    return y + rng.normal(0, noise, n), y


def test_yes_or_no_has_its_figures_and_curves() -> None:
    score, y = scored(4_000, 1.0, 1)
    window = judged(rows_of(score, y))
    found, said = told(window), score >= 0.5
    assert window.measured is not None
    assert window.measured.task == "binary"
    assert found["pr_auc"] == pytest.approx(metrics.average_precision_score(y, score), abs=1e-9)
    assert found["f1"] == pytest.approx(metrics.f1_score(y, said), abs=1e-9)
    assert found["log_loss"] == pytest.approx(metrics.log_loss(y, score), abs=1e-9)
    assert found["brier"] == window.brier.value
    assert found["roc_auc"] == window.roc_auc.value
    assert window.measured.roc is not None
    assert (window.measured.roc.x[0], window.measured.roc.x[-1]) == (0.0, 1.0)
    assert sum(point.n for point in window.measured.calibration) == 4_000
    assert all(point.low <= point.happened <= point.high for point in window.measured.calibration)


def test_scores_without_a_scale_are_ranked_and_not_read_as_chances() -> None:
    score, y = scored(2_000, 1.0, 3)
    window = judged(rows_of(score * 900 - 300, y))
    found = told(window)
    assert window.measured is not None
    assert window.measured.task == "ranking"
    assert found["roc_auc"] == pytest.approx(metrics.roc_auc_score(y, score), abs=1e-9)
    assert not {"brier", "log_loss"} & set(found)
    assert window.measured.calibration == []


def test_numbers_have_their_errors_and_the_coverage_of_the_models_intervals() -> None:
    said, y = numbers(2_000)
    rows = rows_of(np.full(2_000, np.nan), y)
    output = [
        msgspec.json.encode({"prediction": one, "low": one - 3, "high": one + 3}).decode() for one in said.tolist()
    ]
    window = judged(replace(rows, output=np.array(output, dtype=object)))
    found = told(window)
    assert window.measured is not None
    assert window.measured.task == "regression"
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(y, said), abs=1e-9)
    assert found["r_squared"] == pytest.approx(metrics.r2_score(y, said), abs=1e-9)
    assert found["interval_coverage"] == pytest.approx(np.mean(np.abs(said - y) <= 3))
    assert window.measured.errors is not None
    assert sum(window.measured.errors.counts) == 2_000


def test_classes_have_their_matrix_and_their_most_frequent_mistakes() -> None:
    rows, y, chances = chosen(3_000)
    window = judged(rows, file_with(classes=["bus", "train", "plane"]))
    found, said = told(window), chances.argmax(axis=1)
    assert window.measured is not None
    assert window.measured.confusion is not None
    assert window.measured.confusion.labels == ["bus", "train", "plane"]
    assert window.measured.confusion.counts == metrics.confusion_matrix(y, said).tolist()
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(y, said, average="macro"), abs=1e-9)
    assert found["ovr_auc"] == pytest.approx(metrics.roc_auc_score(y, chances, multi_class="ovr"), abs=1e-9)
    assert window.measured.mistakes[0].rows == max(
        count for row, line in enumerate(window.measured.confusion.counts) for at, count in enumerate(line) if row != at
    )


def test_classes_may_be_answered_by_name_or_number() -> None:
    rows, y, chances = chosen(500)
    names = np.array(["bus", "train", "plane"])
    said = chances.argmax(axis=1)
    text = np.array([msgspec.json.encode(one).decode() for one in names[said].tolist()], dtype=object)
    by_name = judged(replace(rows, output=text), file_with(classes=names.tolist()))
    by_number = judged(rows_of(said.astype(float), y), file_with(task="multiclass"))
    assert told(by_name)["accuracy"] == told(by_number)["accuracy"] == pytest.approx(np.mean(said == y))
    assert "ovr_auc" not in told(by_name)


def test_a_hundred_thousand_classes_are_shown_as_a_few_and_others() -> None:
    y = np.arange(3_000) % 1_000
    window = judged(rows_of(np.where(y < 900, y, 0).astype(float), y), file_with(task="multiclass"))
    assert window.measured is not None
    assert window.measured.confusion is not None
    assert window.measured.confusion.labels[-1] == "others"
    assert np.sum(window.measured.confusion.counts) == 3_000


def test_what_the_file_says_goes_before_what_it_looks_like() -> None:
    counts = rows_of([0.2, 0.9], [0.0, 1.0])
    assert task_of(None, counts) == "binary"
    assert task_of(file_with(task="regression"), counts) == "regression"
    assert task_of(None, rows_of([0.2], [np.nan])) is None
    assert judged(rows_of([0.2], [np.nan])).measured is None


@pytest.mark.parametrize(
    ("promised", "noise", "state"),
    [
        (AtLeast(metric="mae", at_most=3.0), 3.0, "ok"),
        (AtLeast(metric="mae", at_most=2.0), 3.0, "breach"),
        (AtLeast(metric="r_squared", at_least=0.99), 3.0, "breach"),
        (AtLeast(metric="bias", at_most=1.0), 3.0, "ok"),
        (AtLeast(metric="mae", at_most=2.0, min_outcomes=5_000), 3.0, "not_enough_data"),
        (AtLeast(at_least=0.5), 3.0, "not_enough_data"),
    ],
)
def test_what_the_file_promises_of_numbers_is_judged(promised: AtLeast, noise: float, state: str) -> None:
    said, y = numbers(4_000, noise)
    window = judged(rows_of(said, y), file_with(promised))
    assert window.accuracy_state == state
    found = findings_of(window, Monitors(accuracy=promised), None, {})
    assert [(one.subject, one.breach) for one in found] == (
        [] if state == "not_enough_data" else [(promised.metric, state == "breach")]
    )


def test_bias_is_a_breach_on_either_side() -> None:
    said, y = numbers(4_000)
    promised = AtLeast(metric="bias", at_most=1.0)
    for shift, side in ((2.0, "above 1"), (-2.0, "below -1")):
        window = judged(rows_of(said + shift, y), file_with(promised))
        [finding] = findings_of(window, Monitors(accuracy=promised), None, {})
        assert finding.breach
        assert f"is proven to lie {side}" in finding.message


def test_earlier_windows_are_added_for_any_metric() -> None:
    promised = AtLeast(metric="mae", at_most=2.0, min_outcomes=2_000)
    parts = [rows_of(*numbers(900, seed=seed)) for seed in range(3)]
    past = [Past(part.score, part.y, part) for part in parts[1:]]
    window = judged(parts[0], file_with(promised), past)
    assert window.measured is not None
    assert window.measured.judged is not None
    assert (window.measured.judged.n, window.accuracy_state) == (2_700, "breach")


def test_strange_answers_are_left_out_and_counted() -> None:
    score, y = scored(500, 1.0, 4)
    score[:3] = np.nan
    window = judged(rows_of(score, y), file_with(task="binary"))
    assert window.measured is not None
    assert (window.measured.outcomes, window.measured.left_out) == (497, 3)
    infinite = rows_of([np.inf, 1.0, 2.0], [1.5, np.nan, 2.5])
    assert told(judged(infinite))["mae"] == 0.5


BASE: dict[str, Any] = {"model": "m", "purpose": "p", "owner": "o"}


@pytest.mark.parametrize(
    ("promised", "says"),
    [
        ({"metric": "mea", "at_most": 1}, "Did you mean 'mae'?"),
        ({"metric": "mae", "at_least": 0.5}, "give 'at_most', and no 'at_least'"),
        ({"at_most": 0.5}, "'roc_auc' is better when it is higher: give 'at_least'"),
        ({"at_least": -0.1}, "must be between 0 and 1"),
    ],
)
def test_a_promise_that_cannot_be_held_says_what_to_write(promised: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        applied.parse({**BASE, "monitors": {"accuracy": promised}})


def test_a_metric_of_another_task_names_those_that_fit() -> None:
    told = {**BASE, "prediction": {"outcome": "y", "task": "regression"}, "monitors": {"accuracy": {"at_least": 0.7}}}
    with pytest.raises(InvalidInput, match="no measure of the task 'regression': use one of 'mae'"):
        applied.parse(told)
    with pytest.raises(InvalidInput, match="belong to the task 'multiclass'"):
        applied.parse({**BASE, "prediction": {"outcome": "y", "task": "binary", "classes": ["a", "b"]}})
