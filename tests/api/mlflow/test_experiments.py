"""Experiments over the wire."""

from __future__ import annotations

import pytest

from tenure.build import experiments
from tenure.store import audit
from tests.api.mlflow.conftest import Wire


def test_the_default_experiment_is_there_from_the_start(each_wire: Wire) -> None:
    found = each_wire.get("experiments/get", experiment_id="0").json()["experiment"]

    assert (found["name"], found["artifact_location"]) == ("Default", "mlflow-artifacts:/0")
    assert each_wire.experiment() == "1"


def test_a_name_stays_taken_when_its_experiment_is_deleted(each_wire: Wire) -> None:
    made = each_wire.experiment("flights")
    again = each_wire.post("experiments/create", name="flights")
    each_wire.post("experiments/delete", experiment_id=made)
    after = each_wire.post("experiments/create", name="flights")

    assert {(one.status, one.json()["error_code"]) for one in (again, after)} == {(400, "RESOURCE_ALREADY_EXISTS")}
    assert "Experiment(name=flights) already exists" in again.json()["message"]
    assert "already exists in deleted state" in after.json()["message"]


def test_deleting_takes_the_runs_along_and_restoring_brings_all_of_them_back(each_wire: Wire) -> None:
    made = each_wire.experiment()
    first, second = each_wire.run(made), each_wire.run(made)
    each_wire.post("runs/delete", run_id=first)
    each_wire.post("experiments/delete", experiment_id=made)
    refused = each_wire.post("runs/create", experiment_id=made)
    each_wire.post("experiments/restore", experiment_id=made)

    assert refused.status == 400
    found = each_wire.post("runs/search", experiment_ids=[made]).json()["runs"]
    assert {run["info"]["run_id"] for run in found} == {first, second}
    with each_wire.ground.database.reading() as tx:
        actions = {event.action for event in audit.search(tx)}
    assert {"run.deleted", "experiment.deleted", "experiment.restored"} <= actions


def test_an_experiment_that_is_not_there_is_told_apart_from_a_bad_id(each_wire: Wire) -> None:
    unknown = each_wire.get("experiments/get", experiment_id="77")
    named = each_wire.get("experiments/get-by-name", experiment_name="none")
    bad = each_wire.get("experiments/get", experiment_id="abc")

    assert [one.status for one in (unknown, named, bad)] == [404, 404, 400]
    assert "Invalid experiment ID 'abc'" in bad.json()["message"]
    assert unknown.json()["error_code"] == named.json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"


@pytest.mark.parametrize("bad", ["", "12abc", "-", "--1", "0" * 30 + "1", "9" * 12, "٣"])
def test_searches_refuse_what_is_no_experiment_id(each_wire: Wire, bad: str) -> None:
    for path in ("runs/search", "logged-models/search", "experiments/search-datasets"):
        refused = each_wire.post(path, experiment_ids=[bad])
        assert (refused.status, f"Invalid experiment ID '{bad}'" in refused.json()["message"]) == (400, True)


def test_a_negative_number_is_a_number_that_no_experiment_has(each_wire: Wire) -> None:
    answer = each_wire.get("experiments/get", experiment_id="-1337")

    assert (answer.status, answer.json()["message"]) == (404, "No Experiment with id=-1337 exists")
    assert each_wire.post("runs/search", experiment_ids=["-1337"]).json() == {}


def test_the_default_experiment_may_have_another_name_at_the_next_start(each_wire: Wire) -> None:
    each_wire.post("experiments/update", experiment_id="0", new_name="ours")
    assert each_wire.experiment("Default") == "1"
    each_wire.ground.database.write(lambda tx: experiments.seed(tx, each_wire.ground.clock()))

    found = [each_wire.get("experiments/get", experiment_id=one).json()["experiment"]["name"] for one in ("0", "1")]
    assert found == ["ours", "Default"]


def test_only_an_active_experiment_is_renamed(each_wire: Wire) -> None:
    made = each_wire.experiment()
    assert each_wire.post("experiments/update", experiment_id=made, new_name="trains").status == 200
    assert each_wire.get("experiments/get-by-name", experiment_name="trains").status == 200
    long = each_wire.post("experiments/update", experiment_id=made, new_name="x" * 501)
    assert (long.status, "'name' exceeds the maximum length of 500" in long.json()["message"]) == (400, True)
    each_wire.post("experiments/delete", experiment_id=made)

    refused = each_wire.post("experiments/update", experiment_id=made, new_name="ships")
    assert (refused.status, refused.json()["error_code"]) == (400, "INVALID_STATE")


def test_tags_are_set_replaced_and_deleted(each_wire: Wire) -> None:
    for value in ("a", "b"):
        each_wire.post("experiments/set-experiment-tag", experiment_id="0", key="team", value=value)
    tags = each_wire.get("experiments/get", experiment_id="0").json()["experiment"]["tags"]
    gone = each_wire.post("experiments/delete-experiment-tag", experiment_id="0", key="team")
    again = each_wire.post("experiments/delete-experiment-tag", experiment_id="0", key="team")

    assert tags == [{"key": "team", "value": "b"}]
    assert (gone.status, again.status) == (200, 404)


def test_searching_filters_orders_and_pages(each_wire: Wire) -> None:
    for name in ("b1", "a1", "a2", "A3"):
        each_wire.post("experiments/create", name=name, tags=[{"key": "kind", "value": name[0]}])

    def names(**asked: object) -> list[str]:
        answer = each_wire.post("experiments/search", **{"max_results": 100, **asked}).json()
        return [one["name"] for one in answer.get("experiments", [])]

    assert names(filter="name LIKE 'a%'", order_by=["name"]) == ["a1", "a2"]
    assert names(filter="name ILIKE 'a%'", order_by=["experiment_id DESC"]) == ["A3", "a2", "a1"]
    assert names(filter="tags.kind IS NULL") == ["Default"]
    assert names(filter="experiment_id IN ('1', '2')", order_by=["name ASC"]) == ["a1", "b1"]
    first = each_wire.post("experiments/search", max_results=3, order_by=["experiment_id"]).json()
    rest = each_wire.post(
        "experiments/search", max_results=3, order_by=["experiment_id"], page_token=first["next_page_token"]
    ).json()
    assert [len(first["experiments"]), len(rest["experiments"])] == [3, 2]
    assert "next_page_token" not in rest


def test_a_location_with_a_trick_in_it_is_refused(wire: Wire) -> None:
    for location in (
        "mlflow-artifacts://host/a",
        "mlflow-artifacts:/../a",
        "mlflow-artifacts:/%2e%2e/a",
        "s3://bucket/a?b=c",
        "s3://bucket/a#b",
        "file:///tmp/%252e%252e/a",
        "s3://bucket/" + "a" * 2100,
    ):
        assert wire.post("experiments/create", name="x", artifact_location=location).status == 400
    made = wire.post("experiments/create", name="y", artifact_location="s3://bucket/a/").json()["experiment_id"]
    run = wire.post("runs/create", experiment_id=made).json()["run"]["info"]
    assert run["artifact_uri"] == f"s3://bucket/a/{run['run_id']}/artifacts"


def test_datasets_of_experiments_are_told_once_for_each_context(each_wire: Wire) -> None:
    first, second, third = (each_wire.experiment(name) for name in ("first", "second", "third"))

    def log(experiment_id: str, name: str, context: str | None) -> None:
        dataset = {"name": name, "digest": "d", "source_type": "code", "source": "{}"}
        tags = [{"key": "mlflow.data.context", "value": context}] if context else []
        sent = {"run_id": each_wire.run(experiment_id), "datasets": [{"dataset": dataset, "tags": tags}]}
        assert each_wire.post("runs/log-inputs", **sent).status == 200

    for experiment_id, name, context in (
        (first, "b", "training"),
        (first, "b", "training"),
        (first, "b", "evaluation"),
        (first, "B", None),
        (second, "b", "training"),
        (third, "c", None),
    ):
        log(experiment_id, name, context)
    told = each_wire.post("experiments/search-datasets", experiment_ids=[second, first]).json()["dataset_summaries"]

    assert [(one["experiment_id"], one["name"], one.get("context")) for one in told] == [
        (first, "B", None),
        (first, "b", "evaluation"),
        (first, "b", "training"),
        (second, "b", "training"),
    ]
    assert each_wire.post("experiments/search-datasets", experiment_ids=["0"]).json() == {}


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ([], "SearchDatasets request must specify at least one experiment_id."),
        ([f"id_{number}" for number in range(21)], "SearchDatasets request cannot specify more than 20"),
        (["id_1"], "Invalid experiment ID 'id_1'"),
    ],
)
def test_datasets_are_searched_in_one_to_twenty_experiments(wire: Wire, sent: list[str], why: str) -> None:
    answer = wire.post("experiments/search-datasets", experiment_ids=sent)

    assert (answer.status, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert why in answer.json()["message"]
