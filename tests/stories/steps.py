"""Steps that several stories begin with."""

from __future__ import annotations

import logging
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

import tenure
from tests.conftest import Running, wait_until

REQUIREMENTS = [f"{name}=={version(name)}" for name in ("scikit-learn", "pandas", "numpy", "scipy")]


def rows(count: int, seed: int = 0, shift: float = 0.0) -> tuple[pd.DataFrame, Any]:
    """Two features and an outcome that depends on the first."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({"a": random.normal(shift, 1, count), "b": random.normal(0, 1, count)})
    chance = 1 / (1 + np.exp(-2 * (frame["a"] - shift)))
    return frame, (random.random(count) < chance).astype(int)


def train_and_register(url: str, model: str, columns: list[str] | None = None, estimator: Any = None) -> int:
    """Train through the unmodified mlflow client and return the new version's number."""
    import mlflow  # here, since every process of the tests reads this file, and few of them train
    from sklearn.linear_model import LogisticRegression

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    mlflow.set_tracking_uri(url)
    mlflow.set_experiment(model)
    frame, y = rows(2_000)
    used = frame[columns or ["a", "b"]]
    estimator = (estimator or LogisticRegression()).fit(used, y)
    with mlflow.start_run():
        logged = mlflow.sklearn.log_model(
            estimator,
            name="model",
            signature=mlflow.models.infer_signature(used, estimator.predict_proba(used[:3])),
            pip_requirements=REQUIREMENTS,
            pyfunc_predict_fn="predict_proba",
        )
        return int(mlflow.register_model(logged.model_uri, model).version)


def serve_champion(server: Running, model: str, estimator: Any = None) -> tenure.Client:
    """A model that nobody governs, in service at an endpoint of its own name."""
    from mlflow import MlflowClient

    number = train_and_register(server.url, model, estimator=estimator)
    MlflowClient(server.url).set_registered_model_alias(model, "champion", str(number))
    client = tenure.Client(server.url, server.scoring_url)
    client.endpoint(model, model=model)
    wait_until(lambda: is_serving(client, model), 60, "the scorer is ready")
    return client


def is_serving(client: tenure.Client, endpoint: str) -> bool:
    health = client.endpoint(endpoint).health
    return bool(health) and all(one.state == "serving" for one in health)


def progress(client: tenure.Client, endpoint: str) -> dict[str, Any]:
    answer: dict[str, Any] = client.get(f"/api/v1/endpoints/{endpoint}/progress")
    return answer
