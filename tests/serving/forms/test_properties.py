"""Random pipelines on random rows: what a form says is what the pipeline says, or both refuse."""

from __future__ import annotations

import os
import warnings
from functools import cache
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, RobustScaler, StandardScaler

from tenure.serving.forms import loading
from tenure.serving.forms.making.subject import Subject
from tenure.serving.forms.refusals import Refused
from tests.serving.forms.makers import WORDS, compiled, subject, table, target

SCALERS = ("passthrough", StandardScaler(), MinMaxScaler(), RobustScaler())
ENCODERS = (OneHotEncoder(handle_unknown="ignore"), OneHotEncoder(drop="first"), OrdinalEncoder())
LAST = (
    (LogisticRegression(), "predict_proba"),
    (RidgeClassifier(), "predict"),
    (RandomForestClassifier(4, random_state=1), "predict_proba"),
    (GradientBoostingClassifier(n_estimators=4, random_state=1), "predict"),
    (HistGradientBoostingClassifier(max_iter=4), "predict_proba"),
)


@cache
def pair(scaler: int, encoder: int, last: int, imputes: bool) -> tuple[Subject, loading.Answers, float]:
    """A pipeline and its form, made once for all rows that are tried on them."""
    frame = table(100, numbers=2, whole=0)
    numbers = make_pipeline(SimpleImputer(), SCALERS[scaler]) if imputes else SCALERS[scaler]
    columns = make_column_transformer((numbers, ["n0", "n1"]), (ENCODERS[encoder], ["w0"]))
    estimator, function = LAST[last]
    model = make_pipeline(columns, estimator).fit(frame, target(frame))
    made = compiled(model, frame, function)
    assert made.report.kind != "original", made.report.reason
    form = loading.built(made.files["form.msgpack"], made.files.get("model.onnx"))
    return subject(model, frame, function), form, made.report.tolerance


def said(ask: Any, row: dict[str, list[Any]]) -> Any:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return ask(row, 1)[0]
        except (Refused, ValueError):
            return None


PIPELINES = st.sampled_from([(0, 0, 0, False), (1, 1, 2, True), (2, 2, 3, False), (3, 0, 4, True), (1, 2, 1, True)])
NUMBERS = st.one_of(
    st.none(),
    st.floats(-100, 100),
    st.floats(allow_nan=False),
    st.floats(width=32, allow_nan=False),
    st.integers(-5, 5).map(float),
)


EXAMPLES = [pytest.param(60, id="some"), pytest.param(1500, id="many", marks=pytest.mark.slow)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("examples", EXAMPLES)
def test_a_form_says_what_its_pipeline_says(examples: int) -> None:
    @given(PIPELINES, NUMBERS, NUMBERS, st.one_of(st.none(), st.sampled_from(WORDS), st.text(max_size=3)))
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    def tried(pipeline: Any, first: Any, second: Any, word: Any) -> None:
        assert_same(pipeline, first, second, word)

    tried()


def assert_same(pipeline: Any, first: Any, second: Any, word: Any) -> None:
    version, form, tolerance = pair(*pipeline)
    row = {"n0": [first], "n1": [second], "w0": [word]}
    expected, given_ = said(version.answers, row), said(form.outputs, row)
    if expected is None or given_ is None:
        assert expected is given_ is None, row
    else:
        assert loading.same(given_, expected, tolerance), row
