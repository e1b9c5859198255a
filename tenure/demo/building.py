"""Build: train on January through the unmodified mlflow client, and record the baseline."""

from __future__ import annotations

import contextlib
import io
import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tenure.demo import recipe
from tenure.demo.flights import Flights
from tenure.demo.stage import Stage

if TYPE_CHECKING:
    from pandas import DataFrame

TRUSTED = ["numpy.dtype"]
HOLDOUT_FROM_DAY = 24  # 25 January: the last week is kept for judging
MEASURED_FLIGHTS = 400  # of the holdout, so that measuring every feature takes about half a second
SHUFFLES = 3


@dataclass(frozen=True)
class Trained:
    """A registered version and the estimator behind it."""

    version: int
    run_id: str
    estimator: Any
    holdout_roc_auc: float


def train(stage: Stage, flights: Flights, features: list[str], name: str) -> Trained:
    """Train on 1–24 January, judge on 25–31 January, log and register all of it."""
    january = flights.of_month(1).dropna(subset=["late"]).rename(columns={"late": "y"})
    fitting = january[january["day"] < HOLDOUT_FROM_DAY]
    holdout = january[january["day"] >= HOLDOUT_FROM_DAY]
    estimator = recipe.fit(fitting, {"features": features})
    run_id, version, area = _log(stage, name, estimator, fitting, holdout, features)
    _record_baseline(stage, version, estimator, fitting, holdout, features)
    return Trained(version, run_id, estimator, area)


def _log(
    stage: Stage, name: str, estimator: Any, fitting: DataFrame, holdout: DataFrame, features: list[str]
) -> tuple[str, int, float]:
    """What any team does with mlflow; only the tracking URI is ours."""
    os.environ["MLFLOW_TRACKING_URI"] = stage.client.url
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    import mlflow

    import tenure

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    from sklearn.metrics import brier_score_loss, roc_auc_score

    mlflow.set_tracking_uri(stage.client.url)
    mlflow.set_experiment(stage.model)
    score = estimator.predict_proba(holdout[features])[:, 1]
    area = float(roc_auc_score(holdout["y"], score))
    with mlflow.start_run(run_name=name) as run:
        mlflow.log_params({"recipe": "logistic regression", "features": len(features), "trained_on": "1-24 January"})
        mlflow.log_metrics({"roc_auc": area, "brier": float(brier_score_loss(holdout["y"], score))})
        data: Any = mlflow.data
        mlflow.log_input(data.from_pandas(fitting[[*features, "y"]], name="january", targets="y"), context="training")
        logged = mlflow.sklearn.log_model(
            estimator,
            name=stage.model,
            signature=mlflow.models.infer_signature(fitting[features], estimator.predict_proba(fitting[features][:5])),
            input_example=fitting[features][:2],
            pip_requirements=_requirements(),
            skops_trusted_types=TRUSTED,
            pyfunc_predict_fn="predict_proba",
        )
        tenure.log_features(logged, estimator, holdout[features], holdout["y"], rows=MEASURED_FLIGHTS, repeats=SHUFFLES)
        with contextlib.redirect_stderr(io.StringIO()):  # it tells there what it does; so do we
            registered = mlflow.register_model(logged.model_uri, stage.model)
    return run.info.run_id, int(registered.version), area


def _requirements() -> list[str]:
    """What the model needs to run; given, since the client takes seconds to guess it."""
    from importlib.metadata import version

    return [f"{name}=={version(name)}" for name in ("scikit-learn", "pandas", "numpy", "scipy")]


def _record_baseline(
    stage: Stage, version: int, estimator: Any, fitting: DataFrame, holdout: DataFrame, features: list[str]
) -> None:
    import tenure

    score = estimator.predict_proba(holdout[features])[:, 1]
    tenure.log_baseline(
        stage.model, version, fitting[features], holdout=(holdout["y"].to_numpy(), score), url=stage.client.url
    )
