"""What a data scientist does with the unmodified `mlflow` client. Run as a program: `client_session.py URL...`.

For each tracking URL it does a day's work on an empty server and ends it with the line `all done`; whatever differs
from what a client may expect raises. Not here, for want of a package in the client: `log_figure` (matplotlib or
plotly), `log_image` (Pillow), `mlflow.models.evaluate` (matplotlib); they send artifacts, metrics and tags as below.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

SAFE_LOAD = {"pip_requirements": ["scikit-learn"], "serialization_format": "cloudpickle"}


def configure() -> None:
    os.environ.update(
        MLFLOW_DISABLE_TELEMETRY="true",
        MLFLOW_HTTP_REQUEST_MAX_RETRIES="0",
        GIT_PYTHON_REFRESH="quiet",
    )
    warnings.simplefilter("ignore")
    logging.getLogger("mlflow").setLevel(logging.ERROR)


@dataclass
class Day:
    """What later parts of the day look back at."""

    experiment_id: str
    run_id: str = ""
    model_id: str = ""
    model_uri: str = ""


def session(url: str) -> None:
    import mlflow

    mlflow.set_tracking_uri(url)
    day = Day(mlflow.set_experiment("flights").experiment_id)
    for part in (
        everything_that_can_be_logged,
        what_is_logged_without_waiting,
        runs_within_runs_and_how_they_end,
        models_without_a_run,
        registering_and_five_ways_to_load,
        searches,
        autologging,
        what_goes_may_come_back,
        the_registry_is_cleared,
    ):
        part(day)


def data() -> tuple[Any, Any, Any]:
    """A frame, its outcome, and a model of it."""
    import numpy as np
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    frame = pd.DataFrame({"a": np.arange(60.0), "b": np.arange(60.0) % 7})
    y = (frame.b > 3).astype(int)
    return frame, y, LogisticRegression().fit(frame, y)


def everything_that_can_be_logged(day: Day) -> None:
    import mlflow
    from mlflow.models import infer_signature

    client, (frame, _, model) = mlflow.MlflowClient(), data()
    mlflow.set_experiment_tag("team", "risk")
    mlflow.set_experiment_tags({"kind": "test", "gone": 1})
    mlflow.delete_experiment_tag("gone")
    assert mlflow.get_experiment_by_name("flights").tags.keys() >= {"team", "kind"} - {"gone"}
    with mlflow.start_run(run_name="first", description="about it") as run, tempfile.TemporaryDirectory() as folder:
        day.run_id = run.info.run_id
        mlflow.log_param("lr", 0.1)
        mlflow.log_params({f"p{number}": number for number in range(150)})
        mlflow.log_metric("auc", 0.7, step=1)
        mlflow.log_metrics({"auc": 0.8, "loss": float("nan"), "top": float("inf")}, step=2)
        mlflow.set_tag("kind", "test")
        mlflow.set_tags({"number": 1, "gone": "soon", "many words": "ü"})
        mlflow.delete_tag("gone")
        mlflow.log_text("hello", "notes/hello.txt")
        mlflow.log_dict({"a": 1}, "d.json")
        mlflow.log_dict({"a": [1, "ü"]}, "d.yaml")
        mlflow.log_stream(BytesIO(b"streamed"), "stream.bin")
        for row in (1, 2):
            mlflow.log_table({"row": [row], "text": ["x"]}, "table.json")
        large = Path(folder) / "large.bin"
        large.write_bytes(os.urandom(3_000_000))
        mlflow.log_artifact(str(large))
        mlflow.log_artifacts(folder, "copies")
        dataset = mlflow.data.from_pandas(frame, name="train")
        mlflow.log_input(dataset, context="training", tags={"split": "1"})
        held = mlflow.data.from_pandas(frame[:9], name="test")
        mlflow.log_inputs([dataset, held], ["training", "evaluation"], [None, None])
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=infer_signature(frame, model.predict(frame)),
            input_example=frame[:2],
            **SAFE_LOAD,
        )
        day.model_id, day.model_uri = logged.model_id, logged.model_uri
        mlflow.log_metric("f1", 0.9, dataset=dataset, model_id=logged.model_id)
        assert mlflow.artifacts.load_text(f"runs:/{day.run_id}/notes/hello.txt") == "hello"
        assert mlflow.artifacts.load_dict(mlflow.get_artifact_uri("d.json")) == {"a": 1}
        assert mlflow.load_table("table.json", run_ids=[day.run_id]).row.tolist() == [1, 2]
        back = mlflow.artifacts.download_artifacts(f"runs:/{day.run_id}/copies/large.bin", dst_path=f"{folder}/back")
        assert Path(back).read_bytes() == large.read_bytes()

    found = client.get_run(day.run_id)
    assert (found.info.status, found.info.run_name) == ("FINISHED", "first")
    assert found.data.metrics["auc"] == 0.8
    assert math.isnan(found.data.metrics["loss"])
    assert found.data.metrics["top"] >= sys.float_info.max
    assert found.data.params["p149"] == "149"
    assert found.data.tags["many words"] == "ü"
    assert found.data.tags["mlflow.note.content"] == "about it"
    assert "gone" not in found.data.tags
    read = {one.dataset.name: {tag.key: tag.value for tag in one.tags} for one in found.inputs.dataset_inputs}
    assert read["train"] == {"mlflow.data.context": "training", "split": "1"}
    assert read["test"] == {"mlflow.data.context": "evaluation"}
    assert [output.model_id for output in found.outputs.model_outputs] == [day.model_id]
    assert [point.step for point in client.get_metric_history(day.run_id, "auc")] == [1, 2]
    listed = [file.path for file in client.list_artifacts(day.run_id)]
    assert listed == ["copies", "d.json", "d.yaml", "large.bin", "notes", "stream.bin", "table.json"]
    (told,) = (one for one in mlflow.get_logged_model(day.model_id).metrics if one.key == "f1")
    assert (told.value, told.dataset_name) == (0.9, "train")


def what_is_logged_without_waiting(_day: Day) -> None:
    import mlflow

    with mlflow.start_run() as run:
        for step in range(30):
            mlflow.log_metric("later", step, step=step, synchronous=False)
        mlflow.log_metrics({"x": 1.0, "y": 2.0}, step=1, synchronous=False)
        mlflow.log_param("one", 1, synchronous=False)
        mlflow.log_params({"two": 2, "three": 3}, synchronous=False)
        mlflow.set_tag("t", "1", synchronous=False)
        mlflow.set_tags({"u": 1, "v": 2}, synchronous=False).wait()
        mlflow.flush_async_logging()
    client = mlflow.MlflowClient()
    assert [point.value for point in client.get_metric_history(run.info.run_id, "later")] == list(range(30))
    data = client.get_run(run.info.run_id).data
    assert data.params == {"one": "1", "two": "2", "three": "3"}
    assert (data.metrics["x"], data.tags["t"], data.tags["v"]) == (1.0, "1", "2")


def runs_within_runs_and_how_they_end(day: Day) -> None:
    import mlflow

    client = mlflow.MlflowClient()
    with mlflow.start_run(run_name="parent") as parent:
        with mlflow.start_run(nested=True, run_name="child") as child:
            mlflow.log_metric("auc", 0.1)
            with mlflow.start_run(nested=True, run_name="grandchild") as grandchild:
                pass
        with contextlib.suppress(ZeroDivisionError), mlflow.start_run(nested=True, run_name="failing") as failing:
            _ = 1 / 0
        mlflow.start_run(nested=True, run_name="killed", log_system_metrics=False)
        killed = mlflow.active_run()
        mlflow.end_run("KILLED")
    ended = {one.info.run_id: client.get_run(one.info.run_id) for one in (parent, child, failing, killed)}
    statuses = [one.info.status for one in ended.values()]
    assert statuses == ["FINISHED", "FINISHED", "FAILED", "KILLED"]
    assert all(one.info.end_time >= one.info.start_time for one in ended.values())
    assert mlflow.get_parent_run(grandchild.info.run_id).info.run_id == child.info.run_id
    inside = mlflow.search_runs(filter_string=f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    assert set(inside["tags.mlflow.runName"]) == {"child", "failing", "killed"}
    assert mlflow.last_active_run().info.run_id == parent.info.run_id

    with mlflow.start_run(run_id=child.info.run_id):
        mlflow.log_metric("auc", 0.2, step=1)
    assert client.get_run(child.info.run_id).data.metrics["auc"] == 0.2
    made = client.create_run(day.experiment_id, start_time=17, tags={"a": "b"}, run_name="by hand")
    client.log_batch(
        made.info.run_id,
        metrics=[mlflow.entities.Metric("m", value, 1, value) for value in range(1000)],
        params=[],
        tags=[mlflow.entities.RunTag("c", "d")],
    )
    client.update_run(made.info.run_id, status="SCHEDULED", name="renamed")
    assert client.get_run(made.info.run_id).info.run_name == "renamed"
    client.set_terminated(made.info.run_id, "FAILED", end_time=18)
    done = client.get_run(made.info.run_id)
    assert (done.info.start_time, done.info.end_time, done.info.status) == (17, 18, "FAILED")
    assert len(client.get_metric_history(made.info.run_id, "m")) == 1000


def models_without_a_run(_day: Day) -> None:
    import mlflow

    made = mlflow.create_external_model(name="outside", params={f"p{n}": "1" for n in range(130)}, tags={"k": "v"})
    assert (made.status.name, len(mlflow.get_logged_model(made.model_id).params)) == ("READY", 130)
    begun = mlflow.initialize_logged_model(name="unfinished", model_type="agent")
    mlflow.log_model_params({"late": 1}, begun.model_id)
    assert mlflow.finalize_logged_model(begun.model_id, "FAILED").status.name == "FAILED"
    mlflow.set_logged_model_tags(made.model_id, {"a": "b", "gone": "c"})
    mlflow.delete_logged_model_tag(made.model_id, "gone")
    assert mlflow.get_logged_model(made.model_id).tags.keys() >= {"k", "a"} - {"gone"}
    with mlflow.start_run() as run:
        mlflow.log_outputs([mlflow.entities.LoggedModelOutput(made.model_id, step=3)])
    (output,) = mlflow.get_run(run.info.run_id).outputs.model_outputs
    assert (output.model_id, output.step) == (made.model_id, 3)


def registering_and_five_ways_to_load(day: Day) -> None:
    import mlflow

    client, (frame, _, model) = mlflow.MlflowClient(), data()
    first = mlflow.register_model(f"runs:/{day.run_id}/model", "delay")
    second = mlflow.register_model(day.model_uri, "delay", tags={"stage": "trial"})
    assert (first.version, second.version, first.run_id) == ("1", "2", day.run_id)
    client.set_registered_model_alias("delay", "best", 2)
    client.set_registered_model_tag("delay", "owner", "risk")
    expected = model.predict(frame[:5]).tolist()
    for uri in (
        f"runs:/{day.run_id}/model",
        "models:/delay/1",
        "models:/delay@best",
        f"models:/{day.model_id}",
        "models:/delay/latest",
    ):
        assert mlflow.pyfunc.load_model(uri).predict(frame[:5]).tolist() == expected, uri
    assert mlflow.sklearn.load_model("models:/delay/2").coef_.tolist() == model.coef_.tolist()
    copied = client.copy_model_version("models:/delay/1", "delay-prod")
    assert copied.source == "models:/delay/1"
    assert mlflow.pyfunc.load_model("models:/delay-prod/1").predict(frame[:5]).tolist() == expected
    assert client.get_model_version_by_alias("delay", "best").version == "2"
    assert client.get_registered_model("delay").aliases == {"best": "2"}
    with mlflow.start_run():
        third = mlflow.sklearn.log_model(model, name="again", registered_model_name="delay", **SAFE_LOAD)
    assert int(third.registered_model_version) == 3


def searches(day: Day) -> None:
    import mlflow

    client = mlflow.MlflowClient()
    runs = mlflow.search_runs(filter_string="metrics.auc > 0.5 and params.lr = '0.1'", order_by=["metrics.auc DESC"])
    assert list(runs.run_id) == [day.run_id]
    every = mlflow.search_runs(output_format="list", order_by=["attributes.start_time ASC"])
    token, walked = None, []
    while True:
        page = client.search_runs([day.experiment_id], order_by=["start_time ASC"], max_results=3, page_token=token)
        walked += [run.info.run_id for run in page]
        token = page.token
        if not token:
            break
    assert walked == [run.info.run_id for run in every]
    assert [one.name for one in mlflow.search_experiments(filter_string="name LIKE 'fli%'")] == ["flights"]
    assert {one.name for one in mlflow.search_registered_models()} == {"delay", "delay-prod"}
    owned = mlflow.search_registered_models(filter_string="tags.owner = 'risk'")
    assert [one.name for one in owned] == ["delay"]
    versions = mlflow.search_model_versions(filter_string="name = 'delay'", order_by=["version_number ASC"])
    assert [one.version for one in versions] == ["1", "2", "3"]
    models = mlflow.search_logged_models(filter_string="name = 'model'", output_format="list")
    assert [one.model_id for one in models] == [day.model_id]
    best = client.search_logged_models(
        [day.experiment_id],
        filter_string="metrics.f1 > 0.5",
        datasets=[{"dataset_name": "train"}],
        order_by=[{"field_name": "metrics.f1", "ascending": False}],
    )
    assert [one.model_id for one in best] == [day.model_id]


def autologging(_day: Day) -> None:
    import mlflow
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    client, (frame, y, _) = mlflow.MlflowClient(), data()
    mlflow.sklearn.autolog(log_models=False, silent=True)
    with mlflow.start_run() as plain:
        fitted = LogisticRegression().fit(frame, y)
        fitted.score(frame, y)
    with mlflow.start_run() as grid:
        GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2).fit(frame, y)
    mlflow.sklearn.autolog(disable=True)
    found = client.get_run(plain.info.run_id)
    assert found.data.metrics["training_roc_auc"] > 0.9
    assert found.data.metrics["LogisticRegression_score_frame"] > 0.9
    assert found.data.params["max_iter"] == "100"
    assert found.inputs.dataset_inputs[0].tags[0].value == "train"
    assert client.get_run(grid.info.run_id).data.params["best_C"] in ("0.1", "1")
    children = mlflow.search_runs(filter_string=f"tags.mlflow.parentRunId = '{grid.info.run_id}'")
    assert len(children) == 2
    assert set(children["params.C"]) == {"0.1", "1"}


def what_goes_may_come_back(day: Day) -> None:
    import mlflow

    client = mlflow.MlflowClient()
    client.delete_run(day.run_id)
    assert client.get_run(day.run_id).info.lifecycle_stage == "deleted"
    assert refused(client.log_metric, day.run_id, "auc", 1) == "INVALID_PARAMETER_VALUE"
    client.restore_run(day.run_id)
    assert refused(client.log_param, day.run_id, "lr", 0.2) == "INVALID_PARAMETER_VALUE"
    client.rename_experiment(day.experiment_id, "journeys")
    mlflow.delete_experiment(day.experiment_id)
    assert refused(client.create_run, day.experiment_id) == "INVALID_PARAMETER_VALUE"
    mlflow.restore_experiment(day.experiment_id)
    client.set_terminated(day.run_id, "KILLED")
    assert client.get_run(day.run_id).info.status == "KILLED"
    assert mlflow.get_experiment(day.experiment_id).name == "journeys"
    assert refused(client.get_run, "f" * 32) == "RESOURCE_DOES_NOT_EXIST"


def the_registry_is_cleared(day: Day) -> None:
    import mlflow

    client = mlflow.MlflowClient()
    client.transition_model_version_stage("delay", "1", "Production")
    assert client.get_latest_versions("delay", ["Production"])[0].version == "1"
    client.update_registered_model("delay", "of flights")
    client.update_model_version("delay", "1", "described")
    assert client.get_model_version("delay", "1").description == "described"
    client.set_model_version_tag("delay", "1", "a", "b")
    client.delete_model_version_tag("delay", "1", "a")
    client.delete_registered_model_tag("delay", "owner")
    client.delete_registered_model_alias("delay", "best")
    assert refused(client.get_model_version_by_alias, "delay", "best") == "INVALID_PARAMETER_VALUE"
    client.delete_model_version("delay", "1")
    assert refused(client.get_model_version, "delay", "1") == "RESOURCE_DOES_NOT_EXIST"
    client.rename_registered_model("delay", "late")
    client.delete_registered_model("late")
    client.delete_logged_model(day.model_id)
    assert refused(client.get_registered_model, "late") == "RESOURCE_DOES_NOT_EXIST"
    assert refused(mlflow.get_logged_model, day.model_id) == "RESOURCE_DOES_NOT_EXIST"


def refused(call: Callable[..., Any], *given: Any) -> str:
    """The error code with which a call is refused."""
    from mlflow.exceptions import MlflowException

    try:
        call(*given)
    except MlflowException as refusal:
        return str(refusal.error_code)
    raise AssertionError(f"{call} was not refused")


if __name__ == "__main__":
    configure()
    for one in sys.argv[1:]:
        session(one)
        print("all done")
