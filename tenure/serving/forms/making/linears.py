"""Linear models: what each column adds to each score."""

from __future__ import annotations

from typing import Any

import numpy as np

from tenure.serving.forms.columns import Floats
from tenure.serving.forms.making.encoding import Column, Encoding
from tenure.serving.forms.making.subject import CannotCompile, Subject, is_affine
from tenure.serving.forms.program import Finish, Number, Program, Table

CLASSIFIERS = {
    "LogisticRegression",
    "LogisticRegressionCV",
    "SGDClassifier",
    "LinearSVC",
    "RidgeClassifier",
    "RidgeClassifierCV",
    "Perceptron",
    "PassiveAggressiveClassifier",
    "LinearDiscriminantAnalysis",
}
REGRESSORS = {
    "LinearRegression",
    "Ridge",
    "RidgeCV",
    "Lasso",
    "LassoCV",
    "LassoLars",
    "ElasticNet",
    "ElasticNetCV",
    "BayesianRidge",
    "ARDRegression",
    "HuberRegressor",
    "TheilSenRegressor",
    "QuantileRegressor",
    "SGDRegressor",
    "LinearSVR",
    "Lars",
    "OrthogonalMatchingPursuit",
}
WITH_LINK = {"PoissonRegressor", "GammaRegressor", "TweedieRegressor"}
SOFTMAX = {"LogisticRegression", "LogisticRegressionCV", "LinearDiscriminantAnalysis"}
HALF = 1e6
NEAR = 1e-9


def is_linear(subject: Subject) -> bool:
    return subject.name in CLASSIFIERS | REGRESSORS | WITH_LINK


def program(encoding: Encoding) -> Program:
    """The folded form. Raises CannotCompile."""
    subject = encoding.subject
    if not is_affine(subject):
        raise CannotCompile("a step before it bends numbers, so they do not fold into one weight")
    model = subject.estimator
    coefficients: Floats = np.atleast_2d(np.asarray(model.coef_, dtype=np.float64))
    intercept = np.broadcast_to(np.asarray(model.intercept_, dtype=np.float64).ravel(), (len(coefficients),))
    base = intercept.copy()
    owned = {feature for column in encoding.columns for feature in column.features}
    for feature in set(range(len(encoding.constant))) - owned:
        base += coefficients[:, feature] * encoding.constant[feature]
    numbers, tables = [], []
    for column in encoding.columns:
        weights = coefficients[:, column.features]
        if column.keys is None:
            number, at_centre = _number(encoding, column, weights)
            base += at_centre
            numbers.append(number)
        else:
            tables.append(_table(encoding, column, weights))
    return Program(kind="linear", numbers=numbers, tables=tables, base=base.tolist(), finish=finish(subject, len(base)))


def finish(subject: Subject, scores: int) -> Finish:
    """What the estimator makes of its scores. Raises CannotCompile."""
    name, model = subject.name, subject.estimator
    single = bool(np.asarray(model.coef_).dtype == np.float32)
    if name in WITH_LINK:
        logs = type(model._base_loss.link).__name__ == "LogLink"
        return Finish(says="value", link="exp" if logs else "identity")
    if name in REGRESSORS:
        return Finish(says="value" if np.ndim(model.coef_) == 1 else "values", single=single)
    if subject.function == "predict":
        return Finish(says="label", labels=model.classes_.tolist())
    if name not in SOFTMAX and not (name == "SGDClassifier" and model.loss == "log_loss" and scores == 1):
        raise CannotCompile(f"the probabilities of {name} are none that are folded")
    if scores == 1:
        return Finish(says="two", link="logistic", single=single)
    return Finish(says="values", link="softmax", single=single)


def _number(encoding: Encoding, column: Column, weights: Floats) -> tuple[Number, Floats]:
    """What a number adds, around the value where it adds most exactly, and what it adds there."""
    centre, slopes, at_centre = affine(encoding, column)
    null: list[float] | None = None
    if column.null:
        missing = encoding.varied(column.name, [None])[0, column.features]
        null = (weights @ missing - weights @ at_centre).tolist()
    number = Number(
        name=column.name,
        low=column.low,
        high=column.high,
        null=null,
        centre=centre,
        weights=(weights @ slopes).tolist(),
        single=column.type == "float",
    )
    return number, weights @ at_centre


def affine(encoding: Encoding, column: Column) -> tuple[float, Floats, Floats]:
    """Where a column's first feature is 0, and there the slope and the value of each. Raises CannotCompile."""
    whole = column.type in ("long", "integer")

    def at(*values: float) -> Floats:
        given = [round(value) if whole else value for value in values]
        return encoding.varied(column.name, given)[:, column.features]

    if not column.features:
        return 0.0, np.zeros(0), np.zeros(0)
    low, high = at(-HALF, HALF)
    slopes = (high - low) / (2 * HALF)
    centre = 0.0
    if slopes[0] and np.isfinite(slopes[0]):
        centre = float(-at(0.0)[0, 0] / slopes[0])
        centre = centre if abs(centre) < 1e12 and np.isfinite(centre) else 0.0
        centre = float(round(centre)) if whole else float(np.float32(centre))
        half = max(1.0, abs(centre), abs(1e3 / slopes[0]))
        half = float(2.0 ** np.ceil(np.log2(min(half, 2.0**40))))
        low, high = at(centre - half, centre + half)
        slopes = (high - low) / (2 * half)
    at_centre = at(centre)[0]
    tested = [0.0, 1.0, -3.0, 1e3, -1e5]
    loose = 1e-5 if column.type == "float" else NEAR
    given = at(*tested)
    for value, found in zip(tested, given, strict=True):
        folded = at_centre + slopes * (value - centre)
        if not np.all(np.abs(folded - found) <= loose * np.maximum(1.0, np.abs(found))):
            raise CannotCompile(f"the column {column.name!r} is not only scaled")
    return centre, slopes, at_centre


def _table(encoding: Encoding, column: Column, weights: Floats) -> Table:
    return table(encoding, column, lambda rows: rows[:, column.features] @ weights.T)


def table(encoding: Encoding, column: Column, made_of: Any) -> Table:
    """A column of categories; `made_of` turns encoded rows into what stands for each."""
    values = encoding.probed(column)
    rows = made_of(encoding.varied(column.name, values)) if values else np.zeros((0, 1))
    told = dict(zip(values, rows.tolist(), strict=True))
    null = told.pop(None, None)
    unknown = None
    if column.unknown:
        unknown = told.popitem()[1]
    return Table(name=column.name, keys=list(told), rows=list(told.values()), unknown=unknown, null=null)
