"""Which measure is shown over time: the promised one, else the usual one of the task."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from tenure.manage import model_files
from tenure.records.estimates import Estimate, Estimation
from tenure.records.measured import Figure, Measured, Metric, Task
from tenure.records.model_files import ModelFile
from tenure.records.windows import Window
from tenure.web import shown_metric

from . import samples, town

WINDOW = samples.make_year()[0]


def file_of(**changes: Any) -> ModelFile:
    return model_files.parse({**town.FILE, **changes})


def measured(task: Task, metric: Metric, value: float) -> Window:
    told = Measured(task=task, outcomes=90, figures=[Figure(metric=metric, value=value, low=1.0, high=4.0, n=90)])
    return msgspec.structs.replace(WINDOW, measured=told)


@pytest.mark.parametrize(
    ("task", "metric"),
    [("binary", "roc_auc"), ("ranking", "roc_auc"), ("multiclass", "accuracy"), ("regression", "mae")],
)
def test_without_a_promise_the_task_says_which(task: Task, metric: Metric) -> None:
    told = shown_metric.shown(None, [WINDOW, measured(task, metric, 2.0)])
    assert (told.metric, told.held, told.promise) == (metric, None, "")
    declared = file_of(prediction={"outcome": "y", "task": task}, value=None)
    assert shown_metric.shown(declared, []).metric == metric


def test_the_promised_measure_comes_first_with_where_it_is_held() -> None:
    promised = file_of(
        prediction={"outcome": "y", "task": "regression"},
        value=None,
        monitors={"accuracy": {"metric": "wape", "at_most": 0.2}},
    )
    told = shown_metric.shown(promised, [measured("regression", "mae", 2.0)])
    assert (told.metric, told.held, told.promise) == ("wape", 0.2, "promised at most 0.2")
    assert told.better == "lower is better"
    higher = file_of(monitors={"accuracy": {"at_least": 0.7}})
    assert shown_metric.shown(higher, []).promise == "promised at least 0.7"


def test_a_figure_is_the_windows_own_with_its_outcomes() -> None:
    assert shown_metric.figure_of(measured("regression", "mae", 2.0), "mae").value == 2.0
    assert shown_metric.figure_of(WINDOW, "roc_auc").low == WINDOW.roc_auc.low
    assert shown_metric.figure_of(WINDOW, "brier").n == WINDOW.outcomes
    assert shown_metric.figure_of(WINDOW, "r_squared").value is None


def test_an_estimate_that_is_not_to_be_relied_on_is_not_shown() -> None:
    def estimated(**changes: Any) -> Window:
        one = Estimate(metric="mae", value=2.0, low=1.0, high=3.0, **changes)
        return msgspec.structs.replace(
            WINDOW, estimated=Estimation(method="direct_loss", predictions=9, estimates=[one])
        )

    assert shown_metric.estimate_of(estimated(), "mae") is not None
    assert shown_metric.estimate_of(estimated(), "rmse") is None
    assert shown_metric.estimate_of(estimated(reason="missed too often"), "mae") is None


def test_every_measure_has_a_meaning() -> None:
    assert set(shown_metric.MEANINGS) == set(get_args(Metric))
    assert set(shown_metric.USUAL) == set(get_args(Task))
