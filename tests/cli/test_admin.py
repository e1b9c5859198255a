"""`tenure admin gc` against a real server."""

from __future__ import annotations

import json

from click.testing import CliRunner, Result

from tenure.cli.main import tenure
from tenure.errors import InvalidInput
from tenure.sdk.client import Client
from tests.conftest import Running

V2 = "/api/2.0/mlflow/"


def run(server: Running, *arguments: str, answer: str = "") -> Result:
    command = ["admin", "gc", *arguments, "--url", server.url]
    return CliRunner().invoke(tenure, command, input=answer)


def test_a_report_comes_first_then_a_question_then_the_removal(server: Running) -> None:
    with Client(server.url) as client:
        made = client.post(f"{V2}experiments/create", {"name": "to be removed"})["experiment_id"]
        run_id = client.post(f"{V2}runs/create", {"experiment_id": made})["run"]["info"]["run_id"]
        client.upload(f"/api/2.0/mlflow-artifacts/artifacts/{made}/{run_id}/artifacts/a.txt", [b"hello"])
        client.post(f"{V2}experiments/delete", {"experiment_id": made})
        assert "0" in run(server, "--experiment", "to be removed").output
        told = run(server, "--experiment", "to be removed", "--older-than", "0s", "--dry-run")
        assert "To be removed for good" in told.output
        refused = run(server, "--experiment", made, "--older-than", "0s", answer="n\n")
        assert "Remove 2 items" in refused.output
        assert refused.exit_code == 1
        assert client.get(f"{V2}runs/get", {"run_id": run_id})["run"]["info"]["lifecycle_stage"] == "deleted"
        done = run(server, "--experiment", made, "--older-than", "0s", "--yes", "--json")
        assert done.exit_code == 0, done.output
        answer = json.loads(done.stdout)
        assert (answer["removed"], answer["files"], answer["bytes"]) == (
            {"run": 1, "logged_model": 0, "experiment": 1},
            1,
            5,
        )
        assert client.post(f"{V2}experiments/create", {"name": "to be removed"})["experiment_id"] != made


def test_nothing_to_do_is_said(server: Running) -> None:
    told = run(server, "--older-than", "3650d", "--dry-run")
    assert told.exit_code == 0
    assert "orphaned folders" in told.output


def test_a_time_that_cannot_be_read_and_an_experiment_that_is_not_there_are_refused(server: Running) -> None:
    unread = run(server, "--older-than", "a week").exception
    assert isinstance(unread, InvalidInput)
    assert "7d, 12h" in unread.message
    absent = run(server, "--experiment", "never heard of", "--dry-run")
    assert "never heard of" in str(absent.exception)
