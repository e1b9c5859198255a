"""A user of a running server, in a process of its own: a model that guesses, weeks of traffic, and a policy.

    python -m tests.retrain.live URL

Prints the retraining run as JSON when it has ended.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import pandas as pd

import tenure

START = datetime(2013, 2, 1, tzinfo=UTC)
ROWS_A_DAY = 100
PATIENCE_S = 120
FILE: dict[str, Any] = {
    "model": "delay",
    "purpose": "warn",
    "owner": "team@example.com",
    "prediction": {"positive": "late", "outcome": "arr_late"},
    "value": "case when action = (y = 1) then 1.0 else -1.0 end",
    "monitors": {"window_days": 7},
    "retraining": {
        "recipe": "tiny",
        "when": [{"accuracy": {"drop": 0.05, "min_outcomes": 300}}],
        "data": {"window_days": 28, "least_days": 7, "holdout_days": 3},
        "accept": {"better": {}, "no_worse": {"margin": 0.01}, "shadow_days": 7, "shadow_outcomes": 200},
        "then": "promote",
    },
}


def rows(day: int, n: int = ROWS_A_DAY) -> tuple[pd.DataFrame, Any]:
    """`distance` decides what happens; until training was over it had decided the other way round."""
    rng = np.random.default_rng(day + 1000)
    distance = rng.normal(0, 1, n)
    way = -1 if day < 0 else 1
    y = (rng.random(n) < 1 / (1 + np.exp(-2 * way * distance))).astype(float)
    return pd.DataFrame({"carrier": rng.choice(["AA", "UA"], n).astype(object), "distance": distance}), y


def build(url: str) -> None:
    import mlflow
    from mlflow.models import infer_signature

    from .recipes import fit

    mlflow.set_tracking_uri(url)
    mlflow.set_experiment("delay")
    frame, y = rows(-1, 1000)
    model = fit(frame.assign(y=y), {"features": list(frame)})
    with mlflow.start_run():
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=infer_signature(frame, model.predict_proba(frame)),
            pip_requirements=["scikit-learn"],
            pyfunc_predict_fn="predict_proba",
            serialization_format="cloudpickle",
            registered_model_name="delay",
        )
    held, outcome = rows(-2, 1000)
    tenure.log_baseline(
        "delay", logged.registered_model_version, frame, holdout=(outcome, model.predict_proba(held)[:, 1]), url=url
    )
    mlflow.MlflowClient().set_registered_model_alias("delay", "champion", logged.registered_model_version)


def send(client: tenure.Client, first: int, until: int) -> None:
    for day in range(first, until):
        frame, y = rows(day)
        at = [START + timedelta(days=day, minutes=14 * row) for row in range(ROWS_A_DAY)]
        answer = client.score("delay-eu", frame, event_time=at)
        client.outcomes("delay-eu", y, prediction_ids=answer.prediction_ids, event_time=at[-1])


def run_in(client: tenure.Client, *states: str) -> dict[str, Any]:
    """The retraining run, once it is in one of these states; exit with what it says instead when that takes long."""
    deadline, found = time.monotonic() + PATIENCE_S, []
    while time.monotonic() < deadline:
        found = client.get("/api/v1/retraining", {"endpoint": "delay-eu"})
        if found and found[0]["state"] in (*states, "failed"):
            break
        time.sleep(0.2)  # polling a real server, with a deadline
    if not found or found[0]["state"] not in states:
        sys.exit(f"no retraining became {states}: {[(one['state'], one['steps']) for one in found]}")
    run: dict[str, Any] = found[0]
    return run


def wait_for(client: tenure.Client, role: str) -> None:
    """Until a gateway says that the release of that role serves."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        health = client.get("/api/v1/endpoints/delay-eu")["health"]
        if any(release["role"] == role and release["state"] == "serving" for release in health):
            return
        time.sleep(0.1)  # polling a real server, with a deadline
    sys.exit(f"no {role} came into service")


def main(url: str) -> None:
    build(url)
    with tenure.Client(url) as client:
        client.put("/api/v1/models/delay/file", FILE)
        client.post("/api/v1/endpoints", {"name": "delay-eu", "model": "delay"})
        wait_for(client, "champion")
        send(client, 0, 15)
        run_in(client, "shadow")
        wait_for(client, "shadow")
        send(client, 15, 29)
        run = run_in(client, "promoted", "rejected")
        endpoint = client.get("/api/v1/endpoints/delay-eu")
        profile = client.get("/api/v1/models/delay/versions/2/profile")
    sys.stdout.write(msgspec.json.encode({"run": run, "endpoint": endpoint, "judged": profile["judged"]}).decode())


if __name__ == "__main__":
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    main(sys.argv[1])
