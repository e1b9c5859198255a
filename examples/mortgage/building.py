"""Build: a logistic regression, logged and registered through the unmodified mlflow client."""

from __future__ import annotations

import contextlib
import io
import logging
import os
from importlib.metadata import version
from typing import Any

import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import tenure
from examples.mortgage.data import Applications


def train(url: str, applications: Applications, features: list[str], *, strength: float = 1.0) -> tuple[int, float]:
    """Train on some features, log and register; answers the version and its AUC on the holdout.

    `strength`: the inverse of the regularisation's weight.
    """
    fitting, holdout = applications.fitting, applications.holdout
    model = _model(features, strength).fit(fitting[features], fitting["denied"])
    score = model.predict_proba(holdout[features])[:, 1]
    area = float(roc_auc_score(holdout["denied"], score))
    number = _registered(url, model, fitting[features], area)
    tenure.log_baseline("mortgage", number, fitting[features], holdout=(holdout["denied"].to_numpy(), score), url=url)
    return number, area


def _model(features: list[str], strength: float) -> Any:
    names = [name for name in features if name != "race"]
    encode = make_column_transformer(
        (StandardScaler(), names), (OneHotEncoder(), [name for name in features if name == "race"])
    )
    return make_pipeline(encode, LogisticRegression(C=strength))


def _registered(url: str, model: Any, rows: pd.DataFrame, area: float) -> int:
    """What any team does with mlflow; only the tracking URI is ours."""
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    mlflow.set_tracking_uri(url)
    mlflow.set_experiment("mortgage")
    with mlflow.start_run(), contextlib.redirect_stderr(io.StringIO()):
        mlflow.log_metric("roc_auc", area)
        mlflow.log_input(mlflow.data.from_pandas(rows, name="boston-applications"), context="training")
        logged = mlflow.sklearn.log_model(
            model,
            name="mortgage",
            signature=mlflow.models.infer_signature(rows, model.predict_proba(rows[:5])),
            pip_requirements=[f"{name}=={version(name)}" for name in ("scikit-learn", "pandas", "numpy", "scipy")],
            serialization_format="skops",
            skops_trusted_types=["numpy.dtype"],
            pyfunc_predict_fn="predict_proba",
        )
        return int(mlflow.register_model(logged.model_uri, "mortgage").version)
