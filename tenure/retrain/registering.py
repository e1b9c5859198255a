"""How a training job tells the server what it made: with the unmodified `mlflow` client, and the sdk for the rest."""

from __future__ import annotations

import json
import logging
import platform
from importlib.metadata import version as installed
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from tenure.errors import NotFound
from tenure.records.base import iso
from tenure.records.profiles import Profile
from tenure.records.registry import ModelVersionInfo
from tenure.records.retraining import TrainingOrder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tenure.retrain.training import Fitted

PACKAGES = ("scikit-learn", "numpy", "pandas", "scipy", "cloudpickle")
NEEDED = ("scikit-learn", "numpy", "pandas", "cloudpickle")


class Registered(NamedTuple):
    """The new version; `before` is the champion's baseline, when it has one."""

    version: int
    run_id: str
    before: Profile | None
    packages: dict[str, str]


def register(
    order: TrainingOrder,
    champion: ModelVersionInfo,
    fitted: Fitted,
    metrics: dict[str, float],
    value: NDArray[np.float64] | None,
) -> Registered:
    """Log the run and the model, register the version, and record its baseline.

    `value` is what each row of the holdout was worth with the new scores; None where the model's file says nothing.
    The signature is the champion's own: a refit keeps features and structure, so the two can change places. Packages
    are named, not guessed: guessing would import the model once more, which takes seconds.
    """
    import mlflow
    import mlflow.data
    import mlflow.sklearn

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    mlflow.set_experiment(f"{order.model}-retraining")
    packages = {name: installed(name) for name in PACKAGES} | {"python": platform.python_version()}
    with mlflow.start_run(run_name=f"until {iso(order.until_at)[:10]}") as run:
        mlflow.set_tags({"tenure.retraining_id": order.retraining_id, "tenure.endpoint": order.endpoint})
        mlflow.log_params(_params(order, fitted))
        mlflow.log_metrics(metrics)
        table = fitted.training.assign(y=fitted.training_y)
        rows = mlflow.data.from_pandas(table, name=f"{order.endpoint}-matured", targets="y")  # type: ignore[attr-defined]
        mlflow.log_input(rows, context="training")
        logged = mlflow.sklearn.log_model(
            fitted.estimator,
            name="model",
            signature=_signature(champion),
            pip_requirements=[f"{name}=={packages[name]}" for name in NEEDED],
            pyfunc_predict_fn="predict_proba",
            serialization_format="cloudpickle",
            registered_model_name=order.model,
        )
    version = int(logged.registered_model_version)
    before = _hand_over(order, version, fitted, value)
    return Registered(version, run.info.run_id, before, packages)


def _params(order: TrainingOrder, fitted: Fitted) -> dict[str, Any]:
    return {
        "recipe": order.recipe,
        "estimator": type(fitted.estimator).__name__,
        "champion_version": order.champion_version,
        "data_from": iso(order.from_at),
        "holdout_from": iso(order.split_at),
        "data_until": iso(order.until_at),
        "training_rows": len(fitted.training_y),
        "holdout_rows": len(fitted.holdout_y),
    }


def _signature(champion: ModelVersionInfo) -> Any:
    from mlflow.models import ModelSignature

    assert champion.signature is not None
    parts = json.loads(champion.signature)
    return ModelSignature.from_dict({part: json.dumps(told) if told else None for part, told in parts.items()})


def _hand_over(order: TrainingOrder, version: int, fitted: Fitted, value: NDArray[np.float64] | None) -> Profile | None:
    """Record the baseline of the new version, and answer the champion's. Its card is carried over by the worker."""
    import msgspec

    import tenure

    here = f"/api/v1/models/{quote(order.model, safe='')}/versions"
    tenure.log_baseline(order.model, version, fitted.training, holdout=(fitted.holdout_y, fitted.holdout_score, value))
    with tenure.Client() as client:
        try:
            return msgspec.convert(client.get(f"{here}/{order.champion_version}/profile"), Profile)
        except NotFound:
            return None
