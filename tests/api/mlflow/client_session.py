"""What a data scientist does with the unmodified `mlflow` client. Run as a program: `client_session.py <tracking URL>`.

It ends with the line `all done`; whatever differs from what a client may expect raises.
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any


def configure(url: str) -> None:
    os.environ.update(
        MLFLOW_TRACKING_URI=url,
        MLFLOW_DISABLE_TELEMETRY="true",
        MLFLOW_HTTP_REQUEST_MAX_RETRIES="0",
        GIT_PYTHON_REFRESH="quiet",
    )
    warnings.simplefilter("ignore")


def session() -> None:
    import mlflow
    import numpy as np
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.exceptions import RestException
    from mlflow.models import infer_signature
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    client = MlflowClient()
    frame = pd.DataFrame({"a": np.arange(60.0), "b": np.arange(60.0) % 7})
    y = (frame.b > 3).astype(int)
    model = LogisticRegression().fit(frame, y)

    # runs: everything that can be logged
    experiment = mlflow.set_experiment("flights")
    mlflow.set_experiment_tag("team", "risk")
    with mlflow.start_run(run_name="first", description="about it") as run, tempfile.TemporaryDirectory() as folder:
        run_id = run.info.run_id
        mlflow.log_param("lr", 0.1)
        mlflow.log_params({f"p{number}": number for number in range(150)})
        mlflow.log_metric("auc", 0.7, step=1)
        mlflow.log_metrics({"auc": 0.8, "loss": float("nan"), "top": float("inf")}, step=2)
        mlflow.log_metric("later", 1.0, synchronous=False).wait()
        mlflow.set_tags({"kind": "test", "number": 1})
        mlflow.log_text("hello", "notes/hello.txt")
        mlflow.log_dict({"a": 1}, "d.json")
        large = Path(folder) / "large.bin"
        large.write_bytes(os.urandom(3_000_000))
        mlflow.log_artifact(str(large))
        mlflow.log_artifacts(folder, "copies")
        mlflow.log_input(mlflow.data.from_pandas(frame, name="train"), context="training")
        with mlflow.start_run(nested=True, run_name="child"):
            mlflow.log_metric("auc", 0.1)
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=infer_signature(frame, model.predict(frame)),
            pip_requirements=["scikit-learn"],
            input_example=frame[:2],
            serialization_format="cloudpickle",
        )
        assert mlflow.artifacts.load_text(f"runs:/{run_id}/notes/hello.txt") == "hello"
        back = mlflow.artifacts.download_artifacts(f"runs:/{run_id}/copies/large.bin", dst_path=f"{folder}/back")
        assert Path(back).read_bytes() == large.read_bytes()
    found = client.get_run(run_id)
    assert found.info.status == "FINISHED"
    assert found.data.metrics["auc"] == 0.8
    assert math.isnan(found.data.metrics["loss"])
    assert found.data.params["p149"] == "149"
    assert found.inputs.dataset_inputs[0].dataset.name == "train"
    assert [output.model_id for output in found.outputs.model_outputs] == [logged.model_id]
    assert [point.step for point in client.get_metric_history(run_id, "auc")] == [1, 2]
    assert [file.path for file in client.list_artifacts(run_id)] == ["copies", "d.json", "large.bin", "notes"]
    client.delete_tag(run_id, "kind")

    # registry: register in two ways, five ways to load, copy
    client.set_logged_model_tags(logged.model_id, {"checked": "yes"})
    first = mlflow.register_model(f"runs:/{run_id}/model", "delay")
    second = mlflow.register_model(logged.model_uri, "delay", tags={"stage": "trial"})
    assert (first.version, second.version, first.run_id) == ("1", "2", run_id)
    client.set_registered_model_alias("delay", "best", 2)
    expected = model.predict(frame[:5]).tolist()
    for uri in (
        "models:/delay/1",
        "models:/delay@best",
        "models:/delay/latest",
        logged.model_uri,
        f"runs:/{run_id}/model",
    ):
        assert mlflow.pyfunc.load_model(uri).predict(frame[:5]).tolist() == expected, uri
    copied = client.copy_model_version("models:/delay/1", "delay-prod")
    assert mlflow.pyfunc.load_model("models:/delay-prod/1").predict(frame[:5]).tolist() == expected
    assert copied.source == "models:/delay/1"
    assert client.get_model_version_by_alias("delay", "best").version == "2"

    # searches
    runs = mlflow.search_runs(filter_string="metrics.auc > 0.5 and params.lr = '0.1'", order_by=["metrics.auc DESC"])
    assert list(runs.run_id) == [run_id]
    assert [one.name for one in mlflow.search_experiments(filter_string="name LIKE 'fli%'")] == ["flights"]
    assert {one.name for one in mlflow.search_registered_models()} == {"delay", "delay-prod"}
    assert len(client.search_model_versions("name = 'delay'")) == 2
    assert len(mlflow.search_logged_models(filter_string="name = 'model'", output_format="list")) == 1

    # autolog
    mlflow.sklearn.autolog(log_models=False, silent=True)
    with mlflow.start_run() as plain:
        LogisticRegression().fit(frame, y)
    with mlflow.start_run() as grid:
        GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2).fit(frame, y)
    mlflow.sklearn.autolog(disable=True)
    assert client.get_run(plain.info.run_id).data.metrics["training_roc_auc"] > 0.9
    children = mlflow.search_runs(filter_string=f"tags.mlflow.parentRunId = '{grid.info.run_id}'")
    assert len(children) == 2

    # what goes may come back
    client.delete_run(run_id)
    assert refused(RestException, client.log_metric, run_id, "auc", 1) == "INVALID_PARAMETER_VALUE"
    client.restore_run(run_id)
    client.rename_experiment(experiment.experiment_id, "journeys")
    client.delete_experiment(experiment.experiment_id)
    client.restore_experiment(experiment.experiment_id)
    client.set_terminated(run_id, "KILLED")
    client.transition_model_version_stage("delay", "1", "Production")
    assert client.get_latest_versions("delay", ["Production"])[0].version == "1"
    client.update_model_version("delay", "1", "described")
    client.set_model_version_tag("delay", "1", "a", "b")
    client.delete_model_version_tag("delay", "1", "a")
    client.delete_registered_model_alias("delay", "best")
    assert refused(RestException, client.get_model_version_by_alias, "delay", "best") == "INVALID_PARAMETER_VALUE"
    client.delete_model_version("delay", "1")
    client.rename_registered_model("delay", "late")
    client.delete_registered_model("late")
    client.delete_logged_model(logged.model_id)
    assert refused(RestException, client.get_registered_model, "late") == "RESOURCE_DOES_NOT_EXIST"


def refused(kind: Any, call: Any, *given: Any) -> str:
    """The error code with which a call is refused."""
    try:
        call(*given)
    except kind as refusal:
        return str(refusal.error_code)
    raise AssertionError(f"{call.__name__} was not refused")


if __name__ == "__main__":
    configure(sys.argv[1])
    session()
    print("all done")
