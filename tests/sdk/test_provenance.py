"""Runs of the real mlflow client tell where they came from, without a line about it in the training code."""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

import tenure
from tenure.errors import InvalidInput
from tenure.records.provenance import provenance_of
from tenure.sdk import datasets, environment, libraries, provenance, repository, seeds
from tenure.sdk.repository import Source

from ..conftest import Running
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


def test_under_pytest_it_is_silent_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TENURE_PROVENANCE", raising=False)
    assert not provenance.RunContext().in_context()
    monkeypatch.setenv("TENURE_PROVENANCE", "on")
    assert provenance.RunContext().in_context()
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    monkeypatch.setenv("TENURE_PROVENANCE", "")
    assert provenance.RunContext().in_context()
    monkeypatch.setenv("TENURE_PROVENANCE", "No")
    assert not provenance.RunContext().in_context()


def test_whatever_fails_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(repository, "code_now", fail)
    monkeypatch.setattr(libraries, "loaded", fail)
    told = provenance.tags()
    assert "tenure.environment.python" in told
    monkeypatch.setattr(environment, "machine", fail)
    monkeypatch.setattr(seeds, "seeds_now", fail)
    assert provenance.tags() == {}


def test_no_tag_is_longer_than_servers_keep() -> None:
    provenance.tags()
    began = time.perf_counter()
    told = provenance.tags()
    assert time.perf_counter() - began < 1.0  # a bound against another order of magnitude, not a measurement
    assert max(map(len, told.values())) <= 5000
    assert all(value == value.strip() for value in told.values())


@pytest.fixture
def unseeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeds, "_set", [])


@pytest.mark.usefixtures("unseeded")
def test_a_seed_is_set_everywhere_and_told_by_the_runs_that_follow() -> None:
    assert "tenure.seed.value" not in provenance.tags()
    told = tenure.seed(42)
    drawn = (random.random(), np.random.random())
    assert told.libraries[:2] == ["random", "numpy"]
    tenure.seed(np.int64(42))
    assert (random.random(), np.random.random()) == drawn
    assert provenance.tags()["tenure.seed.value"] == "42"


@pytest.mark.usefixtures("unseeded")
@pytest.mark.parametrize("value", [-1, 2**32, 1.5, "42", None, True])
def test_what_is_no_seed_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput, match="whole number"):
        tenure.seed(value)
    assert "tenure.seed.value" not in provenance.tags()


def test_a_digest_covers_every_row_column_and_type() -> None:
    rows = 25_000
    frame = pd.DataFrame(
        {"a": np.arange(rows), "b": ["x"] * rows, "c": pd.date_range("2013", periods=rows, freq="min")}
    )
    seen = {datasets.table_digest(frame)[0]}
    late, name, kind, text = frame.copy(), frame.rename(columns={"a": "z"}), frame.astype({"a": float}), frame.copy()
    late.loc[rows - 1, "a"] = 0
    text.loc[rows - 1, "b"] = None
    for other in (late, name, kind, text, frame[["b", "a", "c"]], frame.iloc[:-1]):
        assert datasets.table_digest(other)[0] not in seen
        seen.add(datasets.table_digest(other)[0])
    assert datasets.table_digest(frame.set_index("b", drop=False))[0] in seen


def test_a_folder_has_the_digest_of_its_files_and_their_names(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one").write_text("1")
    before, profile = datasets.path_digest(tmp_path)
    assert profile == {"size_bytes": 1, "files": 1}
    os.rename(tmp_path / "a" / "one", tmp_path / "a" / "two")
    assert datasets.path_digest(tmp_path)[0] != before


def test_data_that_is_not_there_or_has_no_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="file or a folder"):
        tenure.record_data(tmp_path / "nowhere.csv")
    with pytest.raises(InvalidInput, match="needs a name"):
        tenure.record_data({"a": [1]})
    with pytest.raises(InvalidInput, match="must be a DataFrame"):
        tenure.record_data(7, name="seven")
