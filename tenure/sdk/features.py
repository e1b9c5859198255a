"""What each feature of a model costs and is worth, measured on a sample and logged with the model.

Everything is measured with the fitted estimator as it is: nothing of it is changed.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tenure.errors import InvalidInput
from tenure.records.features import PATH, MeasuredFeature, MeasuredFeatures
from tenure.sdk import importances, measuring, preparing

if TYPE_CHECKING:
    from pandas import DataFrame

ROWS = 1000
REPEATS = 5


def log_features(
    model: Any,
    estimator: Any,
    X: DataFrame,  # noqa: N803 - as scikit-learn calls it
    y: Any = None,
    *,
    rows: int = ROWS,
    repeats: int = REPEATS,
    seed: int = 0,
    scoring: str | None = None,
) -> MeasuredFeatures:
    """Measure every input column of a fitted estimator and keep the result with its logged model.

    Call it after `log_model` and before the model is registered: then the version's digest covers it.

    Parameters
    ----------
    model
        What `log_model` returned, `models:/m-…`, or the id of a logged model.
    estimator, X, y, rows, repeats, seed, scoring
        See `measure_features`.
    """
    found = measure_features(estimator, X, y, rows=rows, repeats=repeats, seed=seed, scoring=scoring)
    model_id = _model_id(model)
    import mlflow

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, Path(PATH).name)
        file.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1))
        mlflow.MlflowClient().log_model_artifact(model_id, str(file), str(Path(PATH).parent))
    return found


def measure_features(
    estimator: Any,
    X: DataFrame,  # noqa: N803
    y: Any = None,
    *,
    rows: int = ROWS,
    repeats: int = REPEATS,
    seed: int = 0,
    scoring: str | None = None,
) -> MeasuredFeatures:
    """What each column costs and is worth.

    Time and memory: each transformer of the pipeline's `ColumnTransformer` prepares its columns on its own (the least
    time of 3 runs; memory in a run of its own, so that tracing does not slow the others). Columns that are prepared
    together get shares, by what each takes with a copy of the transformer that is fitted to it alone. What
    `tenure.feature` measured in this process stands beside it.

    Importance: by permutation when `y` is given, with Student's interval over the repeats: it says how far the value
    depends on the shuffling, not on which rows are in the sample. Without `y`, by the model's own coefficients or
    impurities, without an interval. Features that tell the same share their importance.

    Parameters
    ----------
    estimator
        A fitted scikit-learn estimator, best a `Pipeline`.
    X, y
        Rows, best ones that it was not fitted on, shape (n, columns) as a DataFrame, and their outcomes, shape (n,).
    rows
        At most so many of them are used, drawn with `seed`.
    repeats, scoring
        Of the permutation. By default `roc_auc` for two classes, `neg_log_loss` for more, else `r2`.

    Raises
    ------
    InvalidInput
        When X is no DataFrame, is empty, or y has another length.
    """
    sample, outcomes = _sample(X, y, rows, seed)
    columns = [str(name) for name in sample.columns]
    costs, notes = preparing.costs_of(estimator, sample, outcomes)
    worth, method, because = importances.importances_of(estimator, sample, outcomes, repeats, seed, scoring)
    computed = measuring.computed()
    missing = sorted(set(computed) - set(columns))
    if missing:
        notes.append(f"Measured in the training code, but no column of the model: {', '.join(missing)[:800]}.")
    return MeasuredFeatures(
        rows=len(sample),
        method=method,
        notes=[*notes, *([because] if because else [])],
        features=[
            MeasuredFeature(
                name=name,
                kind=_kind(sample[column]),
                computing=computed.get(name),
                preparing=costs.get(name),
                importance=worth.get(name),
            )
            for name, column in zip(columns, sample.columns, strict=True)
        ],
    )


def _model_id(model: Any) -> str:
    told = getattr(model, "model_id", None) or model
    found = told.removeprefix("models:/").strip("/") if isinstance(told, str) else ""
    if not found.startswith("m-"):
        raise InvalidInput(
            f"Give what log_model returned, or models:/m-<id>: features are kept with a logged model. Got {model!r}.",
            where="model",
        )
    return found


def _sample(frame: Any, y: Any, rows: int, seed: int) -> tuple[Any, Any]:
    if not hasattr(frame, "columns") or not hasattr(frame, "iloc"):
        raise InvalidInput(f"X must be a pandas DataFrame, with a name for each column. Got {type(frame).__name__}.")
    if not len(frame) or rows < 1:
        raise InvalidInput(f"There must be at least one row to measure on. Got {len(frame)}.", where="X")
    if y is not None and len(y) != len(frame):
        raise InvalidInput(f"y must have one value for each row of X. Got {len(y)} for {len(frame)}.", where="y")
    import numpy as np

    chosen = np.random.default_rng(seed).permutation(len(frame))[: min(rows, len(frame))]
    return frame.iloc[chosen], None if y is None else np.asarray(y)[chosen]


def _kind(column: Any) -> str:
    named = str(getattr(column, "dtype", ""))
    if named in ("bool", "boolean"):
        return "boolean"
    if named.startswith(("int", "uint", "float", "Int", "UInt", "Float", "complex")):
        return "numeric"
    return "datetime" if named.startswith(("datetime", "timedelta")) else "categorical"
