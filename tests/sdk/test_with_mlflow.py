"""The real mlflow client against a real server. In one file, since loading mlflow takes seconds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest

import tenure
from tenure.errors import InvalidInput
from tenure.records.provenance import provenance_of
from tenure.sdk import datasets, libraries, repository, seeds
from tenure.sdk.repository import Source

from ..conftest import Running
from .test_features import by_name, pipeline, rows
from .test_repository import git


@pytest.fixture
def project(tmp_path: Path, server: Running, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose script seems to be what runs here, and whose runs go to the server."""
    script = tmp_path / "train.py"
    script.write_text("import mlflow\n")
    (tmp_path / "rows.csv").write_text("a\n1\n")
    git(tmp_path, "init", "-q", "-b", "trunk")
    git(tmp_path, "remote", "add", "origin", "https://ann:secret@example.org/team/flights.git")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    monkeypatch.setattr(repository, "source_now", lambda: Source("script", script, tmp_path))
    for name, value in (("TENURE_PROVENANCE", "on"), ("PYTHONHASHSEED", "3"), ("A_PASSWORD", "hush")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.chdir(tmp_path)
    import mlflow

    mlflow.set_tracking_uri(server.url)
    mlflow.set_experiment("provenance")
    return tmp_path


def run_of(server: Running, run_id: str) -> dict[str, Any]:
    answer = httpx.get(f"{server.url}/api/2.0/mlflow/runs/get", params={"run_id": run_id})
    found: dict[str, Any] = answer.json()["run"]
    return found


def tags_of(found: dict[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in found}


def test_a_run_and_its_model_tell_where_they_came_from(server: Running, project: Path) -> None:
    import mlflow

    (project / "features.py").write_text("new = 1\n")
    with mlflow.start_run() as run:
        model = mlflow.initialize_logged_model("forest")
    tags = tags_of(run_of(server, run.info.run_id)["data"]["tags"])
    read = provenance_of(tags)
    assert read.code.commit == git(project, "rev-parse", "HEAD")
    assert (read.code.branch, read.code.dirty, read.code.path) == ("trunk", True, "train.py")
    assert read.code.remote == "https://example.org/team/flights.git"
    assert read.code.changes is not None
    assert read.environment.python == ".".join(map(str, sys.version_info[:3]))
    packages = {package.name: package for package in read.environment.packages or []}
    assert packages["numpy"].version == np.__version__
    assert packages["tenure"].origin == "editable"
    assert read.seeds.hash_seed == "3"
    if libraries.MAPS.exists():
        assert any("blas" in library.name for library in read.environment.libraries or [])
    assert not any("secret" in value or "hush" in value for value in tags.values())
    answer = httpx.get(f"{server.url}/api/2.0/mlflow/logged-models/{model.model_id}").json()["model"]
    assert provenance_of(tags_of(answer["info"]["tags"])).code == read.code


def test_it_is_silent_when_it_is_told_to_be(server: Running, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    monkeypatch.setenv("TENURE_PROVENANCE", "off")
    with mlflow.start_run() as run:
        pass
    assert not [key for key in tags_of(run_of(server, run.info.run_id)["data"]["tags"]) if key.startswith("tenure.")]


@pytest.mark.usefixtures("unseeded")
def test_seeds_and_data_are_recorded_with_the_active_run(server: Running, project: Path) -> None:
    import mlflow

    with mlflow.start_run() as active:
        tenure.seed(7)
        tenure.record_data("rows.csv", context="evaluation")
        table = tenure.record_data({"a": [1, 2], "b": ["x", None]}, name="table")
    run = run_of(server, active.info.run_id)
    read = provenance_of(tags_of(run["data"]["tags"]))
    assert (read.seeds.value, read.seeds.libraries[:2]) == (7, ["random", "numpy"])
    given = {one["dataset"]["name"]: one for one in run["inputs"]["dataset_inputs"]}
    assert tags_of(given["rows.csv"]["tags"])["mlflow.data.context"] == "evaluation"
    assert tags_of(given["rows.csv"]["tags"])["tenure.sha256"] == datasets.path_digest(project / "rows.csv")[0]
    assert given["table"]["dataset"]["digest"] == table.digest == str(table.sha256)[:32]


@pytest.fixture
def unseeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeds, "_set", [])


def test_it_is_kept_with_the_logged_model_and_pinned_by_the_version(server: Running) -> None:
    import mlflow

    frame, y = rows(200)
    model = pipeline().fit(frame, y)
    mlflow.set_tracking_uri(server.url)
    mlflow.set_experiment("features")
    client = mlflow.MlflowClient()
    logged = mlflow.initialize_logged_model("measured")  # log_model takes seconds to load what it may save
    found = tenure.log_features(logged, model, frame, y, rows=100, repeats=2)
    mlflow.finalize_logged_model(logged.model_id, "READY")
    of_model = httpx.get(f"{server.url}/api/v1/logged-models/{logged.model_id}/features").json()
    assert [one["name"] for one in of_model["features"]] == list(frame.columns)
    assert of_model["rows"] == 100
    client.create_registered_model("measured")
    version = client.create_model_version("measured", logged.model_uri, model_id=logged.model_id)
    told = httpx.get(f"{server.url}/api/v1/models/measured/versions/{version.version}/features").json()
    assert told["is_pinned"] is True
    kept = {one["name"]: one for one in told["features"]}
    assert kept["signal"]["importance"] == msgspec.to_builtins(by_name(found)["signal"].importance)
    with pytest.raises(InvalidInput, match="what log_model returned"):
        tenure.log_features("runs:/1/model", model, frame)


@pytest.mark.filterwarnings("ignore:Starting with pandas version 4.0")
def test_a_baseline_is_one_line_beside_the_logged_model(server: Running, tmp_path: Path) -> None:
    import mlflow
    import mlflow.data
    import pandas as pd

    mlflow.set_tracking_uri(server.url)
    mlflow.set_experiment("baselines")
    table = pd.DataFrame({"a": np.random.default_rng(1).normal(size=300), "b": ["x", "y", "z"] * 100})
    table.to_parquet(tmp_path / "training.parquet")
    client = mlflow.MlflowClient()
    client.create_registered_model("based")
    versions = []
    with mlflow.start_run() as run:
        mlflow.log_artifact(str(tmp_path / "training.parquet"))
        for _ in range(3):
            logged = mlflow.initialize_logged_model("forest")
            mlflow.finalize_logged_model(logged.model_id, "READY")
            versions.append(
                client.create_model_version("based", logged.model_uri, run.info.run_id, model_id=logged.model_id)
            )
    from_memory = tenure.log_baseline(versions[0], frame=table, url=server.url)
    artifact = f"runs:/{run.info.run_id}/training.parquet"
    from_artifact = tenure.log_baseline("based", 2, artifact, url=server.url)
    dataset = mlflow.data.from_pandas(table, name="january")  # type: ignore[attr-defined]
    from_dataset = tenure.log_baseline(versions[2], frame=dataset, url=server.url)
    assert from_memory.columns == from_artifact.columns == from_dataset.columns
    told = [profile.reference for profile in (from_memory, from_artifact, from_dataset)]
    assert [one.kind for one in told] == ["training", "artifact", "artifact"]
    assert told[1].name == artifact
    assert told[1].sha256 == datasets.path_digest(tmp_path / "training.parquet")[0]
    assert told[2].name == f"january ({dataset.digest})"
    for version, profile in ((1, from_memory), (2, from_artifact), (3, from_dataset)):
        kept = httpx.get(f"{server.url}/api/v1/models/based/versions/{version}/profile").json()
        assert kept == msgspec.to_builtins(profile)
    page = httpx.get(f"{server.url}/models/based/versions/2").text
    assert "Taken from a logged dataset" in page
    assert told[1].sha256[:12] in page


def test_what_log_model_returned_names_the_version_that_it_registered(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    class Returned:
        """As much of what `log_model` returns as is looked at: making a real one takes seconds."""

        name, run_id, model_id, registered_model_version = "forest", "", "", None

    mlflow.set_tracking_uri(server.url)
    mlflow.set_experiment("baselines")
    with pytest.raises(InvalidInput, match="registered_model_name="):
        tenure.log_baseline(Returned(), frame={"a": [1.0]}, url=server.url)
    client = mlflow.MlflowClient()
    for name in ("twins-a", "twins-b"):
        client.create_registered_model(name)
    with mlflow.start_run() as run:
        logged = [mlflow.initialize_logged_model(f"forest-{place}") for place in range(2)]
    for one in logged:
        mlflow.finalize_logged_model(one.model_id, "READY")
    made = [
        client.create_model_version(name, one.model_uri, run.info.run_id, model_id=one.model_id)
        for name, one in zip(("twins-a", "twins-b"), logged, strict=True)
    ]
    returned = Returned()
    returned.run_id, returned.model_id = run.info.run_id, logged[1].model_id
    returned.registered_model_version = int(made[1].version)  # type: ignore[assignment]
    tenure.log_baseline(returned, frame={"a": [1.0, 2.0]}, url=server.url)
    answers = [httpx.get(f"{server.url}/api/v1/models/{name}/versions/1/profile") for name in ("twins-a", "twins-b")]
    assert [answer.status_code for answer in answers] == [404, 200]
