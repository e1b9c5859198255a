"""Every kind of estimator: a form answers as the version does, or none is used and the reason is told."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, OneHotEncoder, OrdinalEncoder, PowerTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from tests.serving.forms.makers import compiled, table, target


def _lightgbm(**given: Any) -> Any:
    import lightgbm

    return lightgbm.LGBMClassifier(n_estimators=6, verbose=-1, n_jobs=1, **given)


def _xgboost(**given: Any) -> Any:
    import xgboost

    return xgboost.XGBClassifier(n_estimators=6, n_jobs=1, **given)


class Case(NamedTuple):
    """An estimator, what is asked of it, and the form that must come of it."""

    make: Callable[[], Any]
    function: str
    classes: int
    kind: str


GIVEN = {"random_state": 1}
CASES = {
    "logistic": Case(LogisticRegression, "predict_proba", 2, "linear"),
    "logistic labels": Case(LogisticRegression, "predict", 2, "linear"),
    "logistic, three classes": Case(LogisticRegression, "predict_proba", 3, "linear"),
    "ridge": Case(Ridge, "predict", 0, "linear"),
    "poisson": Case(PoissonRegressor, "predict", -1, "linear"),
    "tree": Case(lambda: DecisionTreeClassifier(max_depth=4, **GIVEN), "predict", 2, "trees"),
    "forest": Case(lambda: RandomForestClassifier(6, **GIVEN), "predict_proba", 2, "trees"),
    "forest labels": Case(lambda: RandomForestClassifier(6, **GIVEN), "predict", 3, "trees"),
    "forest of numbers": Case(lambda: RandomForestRegressor(6, **GIVEN), "predict", 0, "trees"),
    "extra trees": Case(lambda: ExtraTreesClassifier(6, **GIVEN), "predict_proba", 3, "trees"),
    "boosting": Case(lambda: GradientBoostingClassifier(n_estimators=6, **GIVEN), "predict_proba", 2, "trees"),
    "boosting, exponential": Case(
        lambda: GradientBoostingClassifier(n_estimators=6, loss="exponential", **GIVEN), "predict_proba", 2, "trees"
    ),
    "boosting of numbers": Case(lambda: GradientBoostingRegressor(n_estimators=6, **GIVEN), "predict", 0, "trees"),
    "histograms": Case(lambda: HistGradientBoostingClassifier(max_iter=6), "predict_proba", 2, "trees"),
    "histograms, three classes": Case(lambda: HistGradientBoostingClassifier(max_iter=6), "predict", 3, "trees"),
    "histograms of numbers": Case(lambda: HistGradientBoostingRegressor(max_iter=6), "predict", 0, "trees"),
    "lightgbm": Case(_lightgbm, "predict_proba", 2, "trees"),
    "lightgbm, three classes": Case(_lightgbm, "predict", 3, "trees"),
    "xgboost": Case(_xgboost, "predict_proba", 2, "trees"),
    "xgboost, three classes": Case(_xgboost, "predict", 3, "trees"),
    "bayes": Case(GaussianNB, "predict_proba", 2, "onnx"),
}


def aimed(frame: Any, classes: int) -> Any:
    return np.abs(target(frame, 0)) if classes < 0 else target(frame, classes)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_a_form_answers_as_its_version_does(name: str) -> None:
    case, frame = CASES[name], table(120, numbers=2, words=0)
    model = case.make().fit(frame, aimed(frame, case.classes))
    report = compiled(model, frame, case.function).report
    assert report.kind == case.kind, report.reason
    assert report.largest_difference <= report.tolerance <= 1e-6
    assert {one.name for one in report.classes} >= {"drawn", "missing values", "extreme numbers", "rounded to 32 bits"}
    assert report.original is not None
    assert report.form is not None
    assert report.form.p50_us < report.original.p50_us


def encoders() -> Any:
    return make_column_transformer((StandardScaler(), ["n0", "n1"]), (OneHotEncoder(), ["w0", "i0"]))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "last", [LogisticRegression(), RandomForestClassifier(5, random_state=1)], ids=lambda m: type(m).__name__
)
def test_encoders_that_refuse_unseen_categories_make_forms_that_refuse_them(last: Any) -> None:
    frame = table(200, numbers=2, whole=1)
    model = make_pipeline(encoders(), last).fit(frame, target(frame))
    report = compiled(model, frame, "predict_proba").report
    assert report.kind != "original", report.reason
    unseen = next(one for one in report.classes if one.name == "unseen categories")
    assert unseen.refused == unseen.rows == 3


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "step",
    [
        PowerTransformer(),
        make_column_transformer(
            (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), ["w0"]), remainder="passthrough"
        ),
    ],
    ids=["bent", "ordinal"],
)
def test_trees_behind_steps_that_bend_or_order_are_pulled_back_to_the_bit(step: Any) -> None:
    frame = table(150, numbers=2, words=0 if isinstance(step, PowerTransformer) else 1)
    model = make_pipeline(step, HistGradientBoostingClassifier(max_iter=5)).fit(frame, target(frame))
    report = compiled(model, frame, "predict_proba").report
    assert report.kind == "trees", report.reason
    at = next(one for one in report.classes if one.name == "at thresholds")
    assert at.rows > 20
    assert at.largest_difference < 1e-15


@pytest.mark.filterwarnings("ignore")
def test_columns_of_32_bits_are_compared_in_32_bits() -> None:
    frame = table(150, numbers=2, words=0, dtype="float")
    model = RandomForestClassifier(5, random_state=1).fit(frame, target(frame))
    report = compiled(model, frame, "predict_proba").report
    assert (report.kind, report.warnings) == ("trees", [])


@pytest.mark.filterwarnings("ignore")
def test_who_sends_32_bits_to_what_was_trained_on_64_is_warned() -> None:
    frame = table(150, numbers=2, words=0)
    model = HistGradientBoostingClassifier(max_iter=5).fit(frame, target(frame))
    (warning,) = compiled(model, frame, "predict_proba").report.warnings
    assert "32 bits" in warning


@pytest.mark.filterwarnings("ignore")
def test_what_is_no_kind_that_is_compiled_keeps_its_scorer_and_says_why() -> None:
    frame = table(100, numbers=2, words=0)
    neighbours = compiled(KNeighborsClassifier().fit(frame, target(frame)), frame, "predict_proba")
    assert (neighbours.report.kind, neighbours.files) == ("original", {})
    assert "differs" in neighbours.report.reason
    together = make_pipeline(Normalizer(), RandomForestClassifier(3)).fit(frame, target(frame))
    assert "Normalizer" in compiled(together, frame).report.reason
