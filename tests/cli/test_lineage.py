"""`tenure lineage …` and decisions by command, against a real server."""

from __future__ import annotations

import json

import httpx
import pytest
from click.testing import CliRunner, Result

from tenure.cli.lineage import branches_of, read
from tenure.cli.main import tenure
from tests.conftest import Running

FILE = """
model: {name}
purpose: See what the commands do
owner: team@example.com
features:
  age: {{kind: numeric, source: bureau}}
  risk: {{derived_from: ["model:scored"]}}
"""


def run(server: Running, *arguments: str) -> Result:
    return CliRunner().invoke(tenure, [*arguments, "--url", server.url])


@pytest.fixture(scope="module")
def filled(server: Running, tmp_path_factory: pytest.TempPathFactory) -> Running:
    """`scored` 1 was registered from a run that read a dataset; `taker` takes its score."""
    with httpx.Client(base_url=f"{server.url}/api/2.0/mlflow") as mlflow:

        def ask(path: str, **body: object) -> dict[str, dict[str, dict[str, str]]]:
            answer = mlflow.post(path, json=body)
            assert answer.status_code == 200, answer.text
            return dict(answer.json())

        run_id = ask("/runs/create", experiment_id="0", run_name="boosted")["run"]["info"]["run_id"]
        data = {"name": "applications", "digest": "c3d4", "source_type": "local", "source": "{}"}
        ask("/runs/log-inputs", run_id=run_id, datasets=[{"dataset": data, "tags": []}])
        for name in ("scored", "taker"):
            ask("/registered-models/create", name=name)
        ask("/model-versions/create", name="scored", source=f"runs:/{run_id}/model", run_id=run_id)
        ask("/model-versions/create", name="taker", source="notes")
    path = tmp_path_factory.mktemp("file") / "model.yaml"
    path.write_text(FILE.format(name="taker"))
    assert run(server, "apply", str(path)).exit_code == 0
    return server


def test_a_tree_shows_both_ways(filled: Running) -> None:
    told = run(filled, "lineage", "show", "scored/1").output
    assert "version scored 1 (registered) came from" in told
    assert "run boosted" in told
    assert "dataset applications@c3d4 read by" in told
    down = run(filled, "lineage", "show", "dataset:applications@c3d4", "--direction", "down").output
    assert "registered as version scored 1" in down
    assert "came from" not in down
    assert "gives its score to (risk) version taker 1" in run(filled, "lineage", "show", "scored").output


def test_the_answer_is_there_for_scripts(filled: Running) -> None:
    answer = json.loads(run(filled, "lineage", "show", "scored/1", "--depth", "1", "--json").output)
    assert answer["start"] == {"kind": "version", "id": "scored/1"}
    assert answer["cut"][0]["because"] == "depth"


def test_events_for_catalogues_are_one_a_line(filled: Running) -> None:
    lines = run(filled, "lineage", "export", "scored/1", "--direction", "up").output.splitlines()
    assert [json.loads(line)["job"]["name"] for line in lines] == ["trained:boosted", "registered:scored 1"]
    assert len(json.loads(run(filled, "lineage", "export", "scored/1", "--json").output)) == 2


def test_impact_says_what_is_hit_and_why(filled: Running) -> None:
    told = run(filled, "lineage", "impact", "scored").output
    assert "If model scored goes" in told
    assert "model scored → gives its score to (risk) version taker 1" in told
    assert "source bureau → used as age by version taker 1" in run(filled, "lineage", "impact", "source:bureau").output
    assert "nothing there" in run(filled, "lineage", "impact", "package:numpy<2").output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["show", "wheel:x"], "must be one of dataset"),
        (["show", "scored/1", "--depth", "0"], "must be between 1 and 50"),
        (["show", "nobody"], "There is no model"),
        (["impact", "wheel:x"], "must be one of dataset"),
        (["impact", "scored/9"], "There is no version"),
    ],
)
def test_what_cannot_be_told_says_why(filled: Running, arguments: list[str], says: str) -> None:
    told = run(filled, "lineage", *arguments)
    assert told.exit_code == 1
    assert says in str(told.exception)


def test_a_decision_by_command_must_say_by_what(filled: Running) -> None:
    told = run(filled, "version", "retire", "scored", "1", "--reason", "old", "--replace", "endpoint:late")
    assert told.exit_code == 2
    assert "must read DEPENDENT=HOW" in told.output
    governed = run(filled, "version", "suspend", "scored", "1", "--reason", "wrong", "--accept-all")
    assert "not under governance" in str(governed.exception)


def test_what_was_shown_is_not_shown_again_and_what_is_missing_is_said() -> None:
    def node(name: str) -> dict[str, str]:
        return {"kind": "run", "id": name}

    answer = {
        "start": node("a"),
        "nodes": [
            {
                "node": node(name),
                "name": name,
                "owner": "",
                "state": "",
                "until_at": None,
                "ended": False,
                "gone": False,
            }
            for name in "ab"
        ],
        "edges": [
            {"source": node(one), "target": node(two), "how": "to", "detail": "", "ended": False}
            for one, two in ("ab", "ba")
        ],
        "cut": [{"node": node("b"), "direction": "down", "count": 7, "at_least": True}],
    }
    assert [text for _, text, _ in branches_of(answer, "down")] == [
        "to run b",
        "to run a …shown already",
        "… at least 7 more, not shown",
    ]


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("fraud", ("model", "fraud")),
        ("fraud/3", ("version", "fraud/3")),
        ("dataset:a:b/c@d", ("dataset", "a:b/c@d")),
    ],
)
def test_a_node_is_read(text: str, means: tuple[str, str]) -> None:
    assert read(text) == means
