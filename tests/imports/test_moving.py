"""A whole import, against real servers: from MLflow's database, and from a server that speaks its protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tenure.cli.main import tenure
from tenure.errors import Unavailable
from tenure.imports.database import DatabaseSource
from tenure.imports.moving import Move
from tenure.imports.places import Places
from tenure.imports.plan import Choice
from tenure.imports.source import RunRead
from tenure.imports.target import Target
from tenure.records.imports import Series
from tenure.sdk.client import Client
from tests.conftest import Running, serving
from tests.imports.mlflow_database import HUGE, MlflowDatabase, filled

V2 = "/api/2.0/mlflow/"


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowDatabase]:
    made = filled(tmp_path_factory.mktemp("mlflow"), prefix="aa")
    yield made
    made.close()


@pytest.fixture(scope="module")
def other_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("other"), "--only", "control") as running:
        yield running


@pytest.fixture(scope="module")
def moved(mlflow: MlflowDatabase, server: Running) -> dict[str, Any]:
    """What the first import of the database told."""
    told = run_import(mlflow.url, server.url)
    assert told.exit_code == 0, told.output
    answer: dict[str, Any] = json.loads(told.stdout)
    return answer


def run_import(origin: str, url: str, *arguments: str) -> Result:
    command = ["import", "mlflow", "--from", origin, "--to", url, "--json", *arguments]
    return CliRunner().invoke(tenure, command, catch_exceptions=False)


def counts(told: dict[str, Any]) -> dict[str, int]:
    assert all(line["agrees"] for line in told["counts"].values()), told["counts"]
    return {what: line["here"] for what, line in told["counts"].items()}


def test_both_sides_have_the_same_at_the_end(moved: dict[str, Any]) -> None:
    assert counts(moved) == {
        "experiments": 3,
        "runs": 5,
        "params": 5,
        "tags": 10,
        "metric points": 55,
        "latest values": 3,
        "inputs and outputs": 3,
        "logged models": 2,
        "logged model params": 2,
        "logged model tags": 2,
        "logged model metrics": 2,
        "registered models": 1,
        "aliases": 1,
        "versions": 2,
        "version tags": 2,
        "artifact files": 7,
        "artifact bytes": 5 * 5 + 2 * 12,
    }
    assert [one["what"] for one in moved["not_moved"]] == ["prompts", "traces"]
    assert {one["source"]: one["how"] for one in moved["experiments"]} == {
        "0": "same name",
        "101": "kept",
        "102": "kept",
    }


def test_a_run_keeps_its_id_its_times_and_its_history(
    moved: dict[str, Any], mlflow: MlflowDatabase, server: Running
) -> None:
    del moved
    with Client(server.url) as client:
        run = client.get(f"{V2}runs/get", {"run_id": mlflow.run_id(1)})["run"]
        info = run["info"]
        assert (info["run_name"], info["user_id"], info["status"]) == ("run 1", "ada", "FINISHED")
        assert (info["start_time"], info["end_time"], info["experiment_id"]) == (5001, 6001, "101")
        assert info["artifact_uri"] == f"mlflow-artifacts:/101/{mlflow.run_id(1)}/artifacts"
        question = {"run_id": mlflow.run_id(1), "metric_key": "odd"}
        points = client.get(f"{V2}metrics/get-history", question)["metrics"]
        assert [(one["step"], one["value"]) for one in points] == [(0, "NaN"), (1, 2.0), (2, -HUGE)]
        latest = {one["key"]: one["value"] for one in run["data"]["metrics"]}
        assert latest == {"loss": pytest.approx(1 / 50), "odd": -HUGE}
        assert run["outputs"]["model_outputs"] == [{"model_id": mlflow.model_id(1), "step": 4}]


def test_what_was_deleted_there_is_deleted_here(moved: dict[str, Any], mlflow: MlflowDatabase, server: Running) -> None:
    del moved
    with Client(server.url) as client:
        for number in (3, 4):
            run = client.get(f"{V2}runs/get", {"run_id": mlflow.run_id(number)})["run"]
            assert run["info"]["lifecycle_stage"] == "deleted"
        gone = client.get(f"{V2}experiments/get", {"experiment_id": "102"})["experiment"]
        assert gone["lifecycle_stage"] == "deleted"


def test_again_nothing_is_sent_and_then_only_what_is_new(
    moved: dict[str, Any], mlflow: MlflowDatabase, server: Running
) -> None:
    del moved
    again = json.loads(run_import(mlflow.url, server.url).stdout)
    assert again["sent"]["files"] == 0
    assert again["sent"]["points"] == 0
    assert again["skipped"] == 4 + 2 + 2  # one run is still running there, so it is looked at each time
    new = mlflow.run(6, 101)
    mlflow.points(new, "loss", [0.1, 0.2])
    mlflow.points(mlflow.run_id(2), "loss", [0.4], first_step=2)
    told = json.loads(run_import(mlflow.url, server.url).stdout)
    assert counts(told)["metric points"] == 58
    assert told["sent"] == {"points": 2 + 3, "files": 1, "bytes": 5}


def test_versions_keep_their_numbers_and_their_files_are_pinned(
    moved: dict[str, Any], mlflow: MlflowDatabase, server: Running
) -> None:
    del moved
    with Client(server.url) as client:
        version = client.get("/api/v1/models/late aa/versions/1")["version"]
        assert version["storage_location"] == f"mlflow-artifacts:/101/models/{mlflow.model_id(1)}/artifacts"
        assert [file["path"] for file in version["files"]] == ["MLmodel"]
        told = client.get(f"{V2}registered-models/alias", {"name": "late aa", "alias": "blue"})
        assert told["model_version"]["version"] == "3"
        new = {"name": "late aa", "source": f"models:/{mlflow.model_id(1)}", "model_id": mlflow.model_id(1)}
        assert client.post(f"{V2}model-versions/create", new)["model_version"]["version"] == "4"


def test_what_was_broken_off_is_taken_up_again(tmp_path: Path, server: Running) -> None:
    """The source fails in the middle of the points, and of a new start nothing is missing or doubled."""
    mlflow = filled(tmp_path, prefix="bb")

    class Breaking(DatabaseSource):
        def points(self, runs: Sequence[RunRead]) -> Iterator[list[Series]]:
            for series in super().points(runs):
                yield [series[0]]
                raise Unavailable("the power went away")

    with Client(server.url) as client:
        source = Breaking(mlflow.url, Places())
        with pytest.raises(Unavailable):
            Move(source, Target(client), Choice(), lambda *_: None).run()
        source.close()
        known = Target(client)
        known.source = client.get("/api/v1/audit", {"action": "import.begun"})[0]["subject"].partition(":")[2]
        assert {item.state for item in known.known("run").values()} == {"begun"}
    told = json.loads(run_import(mlflow.url, server.url).stdout)
    assert counts(told)["metric points"] == 55
    how = {one["source"]: one["how"] for one in told["experiments"]}
    assert (how["101"], how["102"]) == ("mapped", "mapped")
    mlflow.close()


def test_a_server_is_a_source_as_well(
    moved: dict[str, Any], mlflow: MlflowDatabase, server: Running, other_server: Running
) -> None:
    del moved
    told = run_import(server.url, other_server.url, "--experiment", "flights aa")
    answer = json.loads(told.stdout)
    assert told.exit_code == 0, told.output
    found = counts(answer)
    assert (found["experiments"], found["logged models"], found["aliases"]) == (1, 2, 1)
    assert found["artifact files"] >= 5
    with Client(other_server.url) as client:
        question = {"run_id": mlflow.run_id(1), "metric_key": "odd"}
        points = client.get(f"{V2}metrics/get-history", question)["metrics"]
        assert [(one["step"], one["value"]) for one in points] == [(0, "NaN"), (1, 2.0), (2, -HUGE)]
        deleted = client.get(f"{V2}logged-models/{mlflow.model_id(2)}", {"allow_deleted": "true"})
        assert deleted["model"]["info"]["model_id"] == mlflow.model_id(2)
    again = json.loads(run_import(server.url, other_server.url, "--experiment", "flights aa").stdout)
    assert again["sent"]["points"] == 0


def test_files_that_nobody_reads_are_named_and_the_exit_status_says_so(tmp_path: Path, server: Running) -> None:
    mlflow = filled(tmp_path, prefix="cc")
    uri = "s3a-unknown://bucket/1/artifacts"
    mlflow.connection.execute("UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?", (uri, mlflow.run_id(1)))
    told = run_import(mlflow.url, server.url)
    assert told.exit_code == 1
    (unreadable,) = json.loads(told.stdout)["unreadable"]
    assert (unreadable["what"], unreadable["location"]) == (f"run {mlflow.run_id(1)}", uri)
    with Client(server.url) as client:
        assert client.get(f"{V2}runs/get", {"run_id": mlflow.run_id(1)})["run"]["info"]["artifact_uri"] == uri
    without = run_import(mlflow.url, server.url, "--no-artifacts")
    assert without.exit_code == 0, without.output
    mlflow.close()


def test_another_version_of_the_same_number_is_refused_by_name(tmp_path: Path, server: Running) -> None:
    mlflow = filled(tmp_path, prefix="dd")
    with Client(server.url) as client:
        client.post(f"{V2}registered-models/create", {"name": "late dd"})
        source = {"name": "late dd", "source": "s3://somewhere/model"}
        client.post(f"{V2}model-versions/create", source)
    told = run_import(mlflow.url, server.url)
    assert told.exit_code == 1
    refused = json.loads(told.stdout)["refused"]
    assert [one["what"] for one in refused] == ["version late dd/1"]
    assert "another one" in refused[0]["why"]
    mlflow.close()


def test_a_dry_run_counts_and_moves_nothing(tmp_path: Path, server: Running) -> None:
    mlflow = filled(tmp_path, prefix="ee")
    told = json.loads(run_import(mlflow.url, server.url, "--dry-run").stdout)
    assert (told["source"]["runs"], told["source"]["metric points"], told["source"]["artifact files"]) == (5, 55, 7)
    with Client(server.url) as client:
        body = {"filter": "name LIKE '% ee'", "max_results": 10, "view_type": "ALL"}
        assert client.post(f"{V2}experiments/search", body) == {}
    mlflow.close()


def test_the_report_reads_as_a_table(moved: dict[str, Any], mlflow: MlflowDatabase, server: Running) -> None:
    del moved
    command = ["import", "mlflow", "--from", mlflow.url, "--to", server.url]
    told = CliRunner().invoke(tenure, command, catch_exceptions=False)
    assert "Both sides counted" in told.output
    assert "metric points" in told.output
    assert "prompts: 1 (greeting)" in told.output


def test_beginning_and_end_are_in_the_audit_log(moved: dict[str, Any], server: Running) -> None:
    del moved
    with Client(server.url) as client:
        ended = client.get("/api/v1/audit", {"action": "import.ended", "limit": 100})
        begun = client.get("/api/v1/audit", {"action": "import.begun", "limit": 100})
    assert ended[-1]["detail"]["agrees"] is True
    assert len(ended[-1]["detail"]["digest"]) == 64
    assert begun[-1]["subject"] == ended[-1]["subject"]
